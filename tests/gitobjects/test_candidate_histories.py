"""Candidates of histories with everything odd that git allows, against ``git log --raw``: a whole repository each."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from siltstone.gitobjects.candidates import MERGES, iter_candidates
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.path_names import unquote_path
from siltstone.gitobjects.tree_diff import ChangeKind
from tests.gitobjects.histories import make_bare, open_database, quoted, run_git

pytestmark = pytest.mark.oracle
Row = tuple[bytes, bytes, ChangeKind, int, bytes, bytes]
_LOG = ("--no-replace-objects", "log", "--all", "--raw", "--no-abbrev", "--no-renames", "--root", "--format=%H %P")
_MODES = {"first-parent": "--diff-merges=first-parent", "all-parents": "-m"}
_HEAD = re.compile(rb"[0-9a-f]{40,64} ([0-9a-f]{40,64} ?)*\Z")


def file(path: bytes, content: bytes, mode: bytes = b"100644") -> bytes:
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, quoted(path), len(content), content)


def submodule(path: bytes, digit: bytes, digits: int) -> bytes:
    return b"M 160000 %s %s\n" % (digit * digits, quoted(path))


def delete(path: bytes) -> bytes:
    return b"D %s\n" % quoted(path)


def steps(digits: int) -> Iterator[tuple[bytes, list[int], list[bytes]]]:
    """Yield branch, parents (by number from 1) and edits of each commit."""
    names = [b"a", b"a.b", b"a-b", b"d/e/f", b"d/e.f", b"d0", b"\xff\xfe", b"new\nline", b'q"uote', b"caf\xc3\xa9/x", b" "]
    yield b"main", [], [file(name, name) for name in names] + [file(b"run", b"#!", b"100755"), file(b"to", b"a", b"120000")]
    yield b"main", [1], [file(b"run", b"#!"), file(b"a", b"a", b"100755")]  # 2: modes alone
    yield b"main", [2], []  # 3: nothing
    yield b"main", [3], [file(b"a", b"link", b"120000"), file(b"to", b"file"), delete(b"d/e.f")]  # 4: types change
    yield b"main", [4], [delete(b"d"), file(b"d", b"was a folder"), delete(b"a-b"), file(b"a-b/c", b"was a file")]  # 5
    yield b"side", [1], [submodule(b"sub", b"1", digits), file(b"a", b"side"), file(b"side", b"same")]  # 6
    yield b"side", [6], [submodule(b"sub", b"2", digits), submodule(b"a", b"3", digits)]  # 7: a file becomes a submodule
    yield b"side", [7], [delete(b"sub"), file(b"sub", b"was a submodule"), file(b"twin", b"same")]  # 8: and back; a copy
    yield b"lone", [], [file(b"a", b"a"), file(b"lone/x", b"x")]  # 9: another root
    yield b"main", [5, 8, 9], [file(b"octopus", b"8"), file(b"twin", b"evil")]  # 10: three parents
    yield b"x", [10], [file(b"x", b"1")]  # 11
    yield b"y", [10], [file(b"x", b"2")]  # 12
    yield b"x", [11, 12], [file(b"x", b"3")]  # 13: they cross
    yield b"y", [12, 11], [file(b"x", b"4")]  # 14
    yield b"main", [13, 14], [file(b"x", b"1")]  # 15: a content of old
    yield b"main", [15], [b"deleteall\n"]  # 16: the empty tree
    yield b"main", [16], [file(b"a", b"a")]  # 17: everything comes back
    yield b"main", [17, 9], []  # 18: a merge that changes nothing against its first parent
    yield b"empty", [], []  # 19: a root with nothing


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = make_bare(tmp_path_factory.mktemp("odd") / "r", request.param)
    stream = []
    for number, (branch, parents, edits) in enumerate(steps(40 if request.param == "sha1" else 64), 1):
        time = 1_700_000_000 + (-5_000 if number % 5 == 0 else 60) * number  # every fifth is older than its parents
        lines = [b"reset refs/heads/%s\n" % branch, b"commit refs/heads/%s\nmark :%d\n" % (branch, number)]
        lines.append(b"committer C <c@example.com> %d +0000\ndata 2\nm\n\n" % time)
        lines += [(b"merge :%d\n" if at else b"from :%d\n") % parent for at, parent in enumerate(parents)]
        stream += [*lines, *edits, b"\n"]
    stream.append(b"tag v1\nfrom :8\ntagger T <t@example.com> 1700000000 +0000\ndata 1\nt\n")
    run_git(repository, "fast-import", "--quiet", "--force", data=b"".join(stream))
    run_git(repository, "update-ref", "refs/tags/tree", "refs/heads/x^{tree}")
    run_git(repository, "update-ref", "refs/tags/blob", "refs/heads/x:x")
    return repository


def rows_of_git(repository: Path, merges: str) -> list[Row]:
    """Return the additions and modifications that git tells: no submodules, no unchanged ids, sorted."""
    rows: list[Row] = []
    parents: list[bytes] = []
    commit = b""
    out = run_git(repository, *_LOG, _MODES[merges])
    for line in out.splitlines():
        if _HEAD.match(line):
            commit, *parents = line.split()
        elif line.startswith(b":"):
            facts, _, path = line[1:].partition(b"\t")
            _, mode, old, new, letter = facts.split(b" ")
            if letter != b"D" and mode != b"160000" and old != new:
                parent = parents[0] if parents and merges == "first-parent" else b""
                kind = ChangeKind.ADD if letter == b"A" else ChangeKind.MODIFY
                rows.append((commit, parent, kind, int(mode, 8), new, unquote_path(path)))
    return sorted(rows)


def rows_of_ours(repository: Path, merges: str, threads: int) -> list[Row]:
    """Return our rows in the same shape; which of several parents it was is left to the other comparison."""
    rows: list[Row] = []
    with open_database(repository) as database:
        for block in iter_candidates(database, CommitHistory.load(database), merges=merges, threads=threads):
            for row in map(block.candidate, range(len(block))):
                parent = row.parent.hex().encode() if row.parent is not None and merges == "first-parent" else b""
                rows.append((row.commit.hex().encode(), parent, row.change, row.mode, row.blob.hex().encode(), row.path))
    return sorted(rows)


def agrees(repository: Path, least: int) -> None:
    for merges in MERGES:
        expected = rows_of_git(repository, merges)
        assert len(expected) >= least
        for threads in (1, 2):
            assert rows_of_ours(repository, merges, threads) == expected


def test_everything_odd(history: Path) -> None:
    agrees(history, 25)


def test_everything_odd_packed_with_a_graph(history: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(history, tmp_path / "r"))
    run_git(copy, "repack", "-adfq", "--depth=20", "--write-midx")
    run_git(copy, "commit-graph", "write", "--reachable")
    run_git(copy, "pack-refs", "--all")
    agrees(copy, 25)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_shallow_clone(history: Path, tmp_path: Path, depth: int) -> None:
    run_git(tmp_path, "clone", "-q", "--bare", f"--depth={depth}", "--no-single-branch", f"file://{history}", "r")
    agrees(tmp_path / "r", 10)


def test_grafts_and_replacements(history: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(history, tmp_path / "r"))
    names = {ref: run_git(copy, "rev-parse", ref).strip() for ref in ("main~1", "lone", "side", "x", "main~1^{tree}")}
    grafts = [b"%s %s\n" % (names["side"], names["lone"]), b"%s\n" % names["x"]]  # other parents; none
    (copy / "info").mkdir(exist_ok=True)
    (copy / "info" / "grafts").write_bytes(b"".join(grafts))
    other = run_git(copy, "commit-tree", "-m", "other", names["main~1^{tree}"].decode()).strip().decode()
    run_git(copy, "update-ref", f"refs/replace/{names['lone'].decode()}", other)
    agrees(copy, 25)
