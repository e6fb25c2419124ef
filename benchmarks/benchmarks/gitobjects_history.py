"""Trees, commits, attribution and file lists of one repository. Kernels and the object database move these too.

The repository is the same on every machine: 3,000 commits, each changing one of 400 files in 20 folders, made by
``git fast-import``.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from pathlib import Path

from siltstone.gitobjects.attribution import attribute
from siltstone.gitobjects.commits import CommitHistory, walk_commits
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.ignore import IgnoreRules
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.tree_diff import TreeDiffer
from siltstone.gitobjects.trees import iter_tree_files
from siltstone.gitobjects.worktree import WorkTree

COMMITS = 3_000


def history_stream(rng: random.Random) -> bytes:
    """Return the commits as fast-import reads them."""
    lines = []
    for number in range(1, COMMITS + 1):
        lines.append(b"commit refs/heads/main\nmark :%d\ncommitter C <c@example.com> %d +0000\n" % (number, 10**9 + number))
        lines.append(b"data 2\nm\n" + (b"from :%d\n" % (number - 1) if number > 1 else b""))
        for place in range(400) if number == 1 else [rng.randrange(400)]:
            content = b"%d\n" % rng.getrandbits(60)
            lines.append(b"M 100644 inline folder%d/file%d\ndata %d\n" % (place % 20, place, len(content)) + content)
        lines.append(b"\n")
    return b"".join(lines)


class History:
    """Walks over the whole history."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        subprocess.run(["git", "init", "-q", "-b", "main", "--bare", self.folder], check=True)
        subprocess.run(
            ["git", "fast-import", "--quiet"], cwd=self.folder, input=history_stream(random.Random(3_000)), check=True
        )
        self.db = ObjectDatabase.open(self.folder)
        self.records = list(walk_commits(self.db, order="oldest"))
        rng = random.Random(5)
        self.blobs = rng.sample(sorted(self.db.iter_ids((Kind.BLOB,))), 20)

    def teardown(self) -> None:
        self.db.close()
        shutil.rmtree(self.folder)

    def time_load_commits(self) -> None:
        CommitHistory.load(self.db)

    def time_walk_commits_by_date(self) -> None:
        list(walk_commits(self.db, order="date"))

    def time_diff_every_commit(self) -> None:
        differ, old = TreeDiffer(self.db), None
        for record in self.records:
            list(differ.diff(old, record.tree))
            old = record.tree

    def time_attribute_twenty_blobs(self) -> None:
        attribute(self.db, self.blobs)

    def peakmem_attribute_twenty_blobs(self) -> None:
        attribute(self.db, self.blobs)

    def track_attributed_blobs(self) -> int:
        return len(attribute(self.db, self.blobs))

    track_attributed_blobs.unit = "blobs"

    def time_list_files_of_head(self) -> None:
        list(iter_tree_files(self.db, self.records[-1].tree))


class Checkout:
    """File lists of a work tree of 2,000 files, and reads of them."""

    params = (["index", "head", "walk"],)
    param_names = ("source",)

    def setup(self, source: str) -> None:
        self.folder = Path(tempfile.mkdtemp())
        for place in range(2_000):
            path = self.folder / f"folder{place % 40}" / f"file{place}.c"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"%d\n" % place * 50)
        (self.folder / ".gitignore").write_bytes(b"*.o\n/build/\n!keep.o\n**/cache/\n")
        for words in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *words], cwd=self.folder, check=True)
        identity = ["-c", "user.name=C", "-c", "user.email=c@example.com"]
        subprocess.run(["git", *identity, "commit", "-q", "-m", "m"], cwd=self.folder, check=True)
        self.db = ObjectDatabase.open(self.folder)

    def teardown(self, source: str) -> None:
        self.db.close()
        shutil.rmtree(self.folder)

    def time_list_files(self, source: str) -> None:
        WorkTree(self.db, source).list_files()

    def time_list_and_read_files(self, source: str) -> None:
        with WorkTree(self.db, source) as tree:
            for file in tree.list_files():
                tree.read(file)


class IgnoreMatching:
    """200 patterns against 1,000 paths."""

    def setup(self) -> None:
        rng = random.Random(7)
        lines = [b"*.ext%d" % i for i in range(80)] + [b"/folder%d/*" % i for i in range(60)]
        lines += [b"**/cache%d/**" % i for i in range(40)] + [b"name[0-9]%d*" % i for i in range(20)]
        self.rules = IgnoreRules().below(0, b"\n".join(lines))
        self.paths = [(b"src", b"part%d" % rng.randrange(9), b"file%d.c" % rng.randrange(999)) for _ in range(1_000)]

    def time_decide(self) -> None:
        for path in self.paths:
            self.rules.ignores(path, is_folder=False)
