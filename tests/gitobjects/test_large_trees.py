"""A folder larger than any tree that is kept: its rows are git's, from the arena, from memory, within small budgets."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.core.budget import MIB, Budget
from siltstone.core.metrics import Metrics
from siltstone.gitobjects.candidates import iter_candidate_lines
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.gitobjects.histories import make_bare, run_git
from tests.gitobjects.test_candidates import rows_of_git, rows_of_lines

pytestmark = pytest.mark.oracle
ENTRIES = 60_000


def write_tree(repository: Path, entries: dict[bytes, tuple[bytes, bytes]]) -> bytes:
    """Write a tree of names with mode and id; fast-import takes ten seconds for so many."""
    kinds = {b"040000": b"tree"}
    lines = [b"%s %s %s\t%s\n" % (mode, kinds.get(mode, b"blob"), oid, name) for name, (mode, oid) in entries.items()]
    return run_git(repository, "mktree", data=b"".join(lines)).strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three trees of 60,000 entries, 3 MB each; folders lie between their files."""
    bare = make_bare(tmp_path_factory.mktemp("large") / "r", "sha1")
    blobs = [run_git(bare, "hash-object", "-w", "--stdin", data=b"%d" % number).strip() for number in range(4)]
    names = [b"a-name-of-usual-length-%05d" % at for at in range(ENTRIES)]
    below = [write_tree(bare, {b"f": (b"100644", blobs[number])}) for number in (1, 3)]
    first = dict.fromkeys(names, (b"100644", blobs[0])) | dict.fromkeys(names[100::20000], (b"040000", below[0]))
    second = first | dict.fromkeys(names[7::9000], (b"100644", blobs[2]))
    third = second | dict.fromkeys(names[100::20000], (b"040000", below[1])) | {names[-1]: (b"100755", blobs[3])}
    del third[names[0]]
    parent: list[str] = []
    for entries in (first, second, third):
        root = write_tree(bare, {b"large": (b"040000", write_tree(bare, entries))}).decode()
        author = ("-c", "user.name=C", "-c", "user.email=c@example.com")
        parent = ["-p", run_git(bare, *author, "commit-tree", "-m", "m", *parent, root).decode().strip()]
    run_git(bare, "update-ref", "refs/heads/main", parent[1])
    run_git(bare, "repack", "-adq")
    return bare


@pytest.fixture(scope="module")
def expected(repository: Path) -> list[tuple[bytes, ...]]:
    rows = rows_of_git(repository, "first-parent")
    assert len(rows) == ENTRIES + 7 + 4
    return rows


@pytest.mark.parametrize(("budget", "spill_bytes", "streamed"), [
    (Budget(), None, False),
    (Budget(total_bytes=64 * MIB), None, False),
    (Budget(total_bytes=64 * MIB, trees=6 * MIB), None, True),
    (Budget(total_bytes=16 * MIB), None, True),
    (Budget(trees=MIB), None, True),
    (Budget(trees=10 * MIB), 0, False),
])  # fmt: skip
def test_rows_of_a_large_folder(
    repository: Path, expected: list[tuple[bytes, ...]], budget: Budget, spill_bytes: int | None, streamed: bool
) -> None:
    metrics = Metrics()
    with ObjectDatabase.open(repository, budget=budget, spill_bytes=spill_bytes) as db:
        lines = b"".join(iter_candidate_lines(db, CommitHistory.load(db), metrics=metrics))
        assert db.ledger.complete
    assert sorted(rows_of_lines(lines)) == expected
    assert (metrics.as_dict()["counts"]["trees.streamed"] > 0) == streamed
    assert budget.reserved("trees") == 0


def test_a_tree_that_fits_nowhere_is_in_the_ledger(repository: Path) -> None:
    for budget, spill_bytes in ((Budget(trees=MIB), 0), (Budget(object=MIB), None)):
        with ObjectDatabase.open(repository, budget=budget, spill_bytes=spill_bytes) as db:
            lines = b"".join(iter_candidate_lines(db, CommitHistory.load(db)))
            assert lines == b""
            assert db.ledger.counts() == {Reason.OVERSIZE: 2}  # of a pair the older one is told
        assert budget.reserved("trees") == 0
