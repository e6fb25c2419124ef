"""What lies elsewhere: alternates in every form git takes, and objects that a partial clone left with its source."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone._native.absent_ids import KnownIds
from siltstone.detection.missing import trace_history
from siltstone.gitobjects.alternates import split_alternates
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.conftest import GIT_ENVIRONMENT

pytestmark = pytest.mark.oracle
Git = Callable[..., bytes]


def commit(git: Git, folder: Path, name: str) -> None:
    (folder / name).write_text(f"{name} of {folder.name}\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", name)


def ids(git: Git, folder: Path, **options: dict[str, str]) -> set[str]:
    listed = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)", **options)
    return set(listed.decode().split())


@pytest.fixture
def lenders(tmp_path: Path, git: Git) -> list[Path]:
    """Return three repositories, two with names that lists of folders must quote or may not split."""
    folders = [tmp_path / name for name in ("plain", 'with "quotes" and\ttab', "caf\u00e9 # \\n")]
    for folder in folders:
        git(tmp_path, "init", "-q", str(folder))
        commit(git, folder, "file")
    return folders


@pytest.mark.parametrize(
    "text",
    [
        b"/a\n/b\n", b"/a", b"\n\n/a\n", b"# comment\n/a\n", b'"/a\\tb"\n/c\n', b'"/a\\303\\251"\n', b'"/not closed\n/b\n',
        b'"/bad \\q escape"\n/b\n', b"relative/x\n", b'"/a\\\\b\\"c"\n', b'"\\400"\n/z', b'""\n/a', b"  /blank \n",
    ],
)  # fmt: skip
def test_lists_of_folders_are_split_as_git_splits_them(tmp_path: Path, git: Git, text: bytes) -> None:
    """Git complains about each folder that is not there."""
    git(tmp_path, "init", "-q", "r")
    (tmp_path / "r/.git/objects/info/alternates").write_bytes(text)
    done = subprocess.run(["git", "cat-file", "-e", "1" * 40], cwd=tmp_path / "r", capture_output=True, check=False,
                          env=GIT_ENVIRONMENT, timeout=60)
    found = re.findall(rb"(?:object directory |alternate object path: )([^\n]*?)(?: does not exist[^\n]*)?\n", done.stderr)
    root = bytes(tmp_path / "r/.git/objects") + b"/"
    assert {name.removeprefix(root) for name in found} == set(split_alternates(text, b"\n"))


def test_folders_that_the_caller_adds_are_read(lenders: list[Path], tmp_path: Path, git: Git) -> None:
    borrower = tmp_path / "borrower"
    git(tmp_path, "init", "-q", str(borrower))
    commit(git, borrower, "own")
    (borrower / ".git/objects/info/alternates").write_text("../../../plain/.git/objects\n")
    quoted = ['"{}/.git/objects"'.format(str(path).replace('"', '\\"').replace("\t", "\\t")) for path in lenders[1:2]]
    text = ":".join([*quoted, f"{lenders[2]}/.git/objects"])
    (lenders[2] / ".git/objects/info/alternates").write_text(f"{borrower}/.git/objects\n")
    expected = ids(git, borrower, env={"GIT_ALTERNATE_OBJECT_DIRECTORIES": text})
    extra = [Path(name.decode()) for name in split_alternates(text.encode(), b":")]
    with ObjectDatabase.open(borrower, alternates=extra) as database:
        assert {oid.hex() for oid in database.iter_ids()} == expected
        assert len(database.folders) == 4
        assert database.ledger.complete
    with ObjectDatabase.open(borrower) as database:
        assert {oid.hex() for oid in database.iter_ids()} == ids(git, borrower) < expected
    with ObjectDatabase.open(borrower, alternates=[tmp_path / "nowhere"]) as database:
        assert database.ledger.counts() == {Reason.MISSING: 1}


@pytest.fixture
def partial(tmp_path: Path, git: Git) -> Path:
    """Return a clone without blobs of a history of four commits, with one more commit made in it."""
    origin = tmp_path / "origin"
    git(tmp_path, "init", "-q", str(origin))
    for number in range(4):
        commit(git, origin, f"file{number}")
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{origin}", "partial")
    folder = tmp_path / "partial"
    blob = git(folder, "hash-object", "-w", "--stdin", input=b"made here").decode().strip()
    git(folder, "read-tree", "HEAD")
    git(folder, "update-index", "--add", "--cacheinfo", f"100644,{blob},here")
    tree = git(folder, "write-tree", "--missing-ok").decode().strip()
    git(folder, "update-ref", "refs/heads/main",
        git(folder, "commit-tree", "-p", "HEAD", "-m", "here", tree).decode().strip())
    return folder


def told(folder: Path) -> dict[Reason, set[str]]:
    """Return what the history lacks, by reason."""
    with ObjectDatabase.open(folder) as database:
        assert database.partial
        known = KnownIds(database.algorithm.size)
        known.add_many(b"".join(database.iter_ids()))
        trace_history(database, [], known)
        found: dict[Reason, set[str]] = {}
        for gap in database.ledger.examples():
            found.setdefault(gap.reason, set()).add(gap.what)
        return found


def test_what_a_partial_clone_left_out_is_told_apart_from_damage(partial: Path, git: Git) -> None:
    def missing() -> set[str]:
        listed = git(partial, "rev-list", "--objects", "--all", "--missing=print", env={"GIT_NO_LAZY_FETCH": "1"})
        return {line[1:] for line in listed.decode().split("\n") if line.startswith("?")}

    promised = missing()
    assert len(promised) == 4
    assert told(partial) == {Reason.PROMISED: promised}
    victim = git(partial, "rev-parse", "main:here").decode().strip()
    (partial / ".git/objects" / victim[:2] / victim[2:]).unlink()
    assert missing() == promised | {victim}
    assert told(partial) == {Reason.PROMISED: promised, Reason.MISSING: {victim}}


def test_no_object_is_fetched(partial: Path, git: Git) -> None:
    with ObjectDatabase.open(partial) as database:
        before = database.count()
        absent = git(partial, "rev-parse", "HEAD:file0").decode().strip()
        assert ObjectId(bytes.fromhex(absent)) not in database
        assert sum(len(block) for block in database.walk_objects([Kind.BLOB])) == 1
        assert database.count() == before
        assert database.absence() is Reason.PROMISED
        tip, base = (git(partial, "rev-parse", name).decode().strip() for name in ("main", "main~1"))
        assert database.absence(ObjectId(bytes.fromhex(base))) is Reason.PROMISED
        assert database.absence(ObjectId(bytes.fromhex(tip))) is Reason.MISSING


def test_alternates_nest_as_deep_as_for_git(tmp_path: Path, git: Git) -> None:
    names, folder = [], tmp_path / "0"
    for number in range(9):
        folder = tmp_path / str(number)
        git(tmp_path, "init", "-q", str(number))
        names.append(git(folder, "hash-object", "-w", "--stdin", input=b"%d" % number).strip().decode())
        if number:
            (folder / ".git/objects/info/alternates").write_text(f"../../../{number - 1}/.git/objects\n")
    known = [subprocess.run(["git", "cat-file", "-e", name], cwd=folder, env=GIT_ENVIRONMENT, check=False,
                            capture_output=True, timeout=60).returncode == 0 for name in names]
    with ObjectDatabase.open(folder) as database:
        assert [ObjectId(bytes.fromhex(name)) in database for name in names] == known
        assert set(database.ledger.counts()) == {Reason.UNSUPPORTED}
    assert known == [False, False, *[True] * 7]
