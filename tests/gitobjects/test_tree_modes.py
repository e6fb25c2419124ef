"""Trees compared whole, as streams and from the spill arena: the same changes, and every byte given back."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import pytest

from siltstone.core.budget import KIB, MIB, Budget
from siltstone.core.errors import BudgetExceeded
from siltstone.core.metrics import Metrics
from siltstone.gitobjects.commits import walk_commits
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.tree_cache import SpilledTree, TreeCache, stream_threshold
from siltstone.gitobjects.tree_diff import TreeChange, TreeDiffer
from siltstone.gitobjects.trees import iter_tree_files
from tests.gitobjects.histories import FORMATS, make_bare, make_history, run_git

WHOLE, STREAMED = 1 << 40, 0
MODES = {
    "whole": (WHOLE, None), "spilled": (STREAMED, None), "no arena": (STREAMED, 0), "full arena": (STREAMED, 2_000),
    "some spilled": (120, None),
}  # fmt: skip


def all_changes(repository: Path, mode: str, folder: Path, metrics: Metrics) -> tuple[list[TreeChange], dict[Reason, int]]:
    stream_bytes, spill_bytes = MODES[mode]
    with ObjectDatabase.open(repository, spill_dir=folder, spill_bytes=spill_bytes) as db:
        trees = [record.tree for record in walk_commits(db, order="oldest")]
        with TreeDiffer(db, cache_bytes=1_500, stream_bytes=stream_bytes, metrics=metrics) as differ:
            found = [
                change for old, new in zip([None, *trees], [*trees, None], strict=True) for change in differ.diff(old, new)
            ]
        assert db.budget.reserved("trees") == 0
        return found, db.ledger.counts()


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_mode_gives_the_same_changes(tmp_path: Path, format_name: str) -> None:
    repository = make_history(tmp_path / "bare", format_name, 5, commits=60)
    metrics = {mode: Metrics() for mode in MODES}
    expected = all_changes(repository, "whole", tmp_path, metrics["whole"])
    assert len(expected[0]) > 100
    for mode in MODES:
        assert all_changes(repository, mode, tmp_path, metrics[mode]) == expected
    counted = {mode: (held.counter("trees.spilled") > 0, held.counter("trees.streamed") > 0) for mode, held in metrics.items()}
    assert counted == {
        "whole": (False, False), "spilled": (True, True), "no arena": (False, False), "full arena": (True, True),
        "some spilled": (True, True),
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == [tmp_path / "bare"]


def write_tree(repository: Path, rows: list[bytes]) -> ObjectId:
    printed = run_git(repository, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=b"".join(rows))
    return ObjectId(bytes.fromhex(printed.decode()))


def make_rows(seed: int, count: int) -> list[bytes]:
    source = random.Random(seed)
    return [b"100644 file-%05d\0" % number + source.randbytes(20) for number in range(count)]


@pytest.mark.parametrize("stream_bytes", [STREAMED, WHOLE])
def test_a_tree_of_many_changes_is_told_whole_or_not_at_all(tmp_path: Path, stream_bytes: int) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    rows = make_rows(1, 5_000)
    tree, other = write_tree(repository, rows), write_tree(repository, make_rows(2, 4_000))
    damaged = write_tree(repository, [*rows, b"100644 cut"])
    with ObjectDatabase.open(repository, spill_dir=tmp_path) as db, TreeDiffer(db, stream_bytes=stream_bytes) as differ:
        assert len(list(differ.diff(None, tree))) == 5_000
        assert len(list(differ.diff(tree, other))) == 5_000
        assert len(list(iter_tree_files(db, tree))) == 5_000
        assert db.ledger.complete
        assert list(differ.diff(None, damaged)) == list(differ.diff(damaged, None)) == []
        assert list(iter_tree_files(db, damaged)) == []
        assert db.ledger.counts() == {Reason.CORRUPT: 3}


def test_an_unfinished_comparison_holds_its_buffers_only_as_long_as_it_lives(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    tree = write_tree(repository, make_rows(1, 5_000))
    with ObjectDatabase.open(repository, spill_dir=tmp_path) as db:
        changes = TreeDiffer(db, stream_bytes=STREAMED).diff(None, tree)
        next(changes)
        assert db.budget.reserved("trees") == 32 * KIB
        del changes
        gc.collect()
        assert db.budget.reserved("trees") == 0


def test_kept_trees_are_paid_for_until_the_cache_goes(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    trees = [write_tree(repository, make_rows(seed, 100)) for seed in range(4)]
    size = len(b"".join(make_rows(0, 100)))
    with ObjectDatabase.open(repository, budget=Budget(trees=10 * size), spill_bytes=0) as db:
        cache = TreeCache(db, cache_bytes=3 * size)
        for tree in trees:
            assert isinstance(cache.find(tree), bytes)
        assert cache.held_bytes == db.budget.reserved("trees") == 3 * size
        with cache.hold(9 * size):
            assert cache.held_bytes == 10 * size
        assert cache.held_bytes == size
        with pytest.raises(BudgetExceeded), cache.hold(11 * size):
            pass
        assert db.budget.reserved("trees") == 0
        assert cache.find(None) == b""
        cache.find(trees[0])
        del cache
        gc.collect()
        assert db.budget.reserved("trees") == 0


def test_trees_that_do_not_fit_the_budget_are_gaps(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    tree = write_tree(repository, make_rows(1, 100))
    with ObjectDatabase.open(repository, budget=Budget(trees=1_000), spill_bytes=0) as db:
        with TreeDiffer(db) as differ:
            assert list(differ.diff(None, tree)) == []
        assert db.ledger.counts() == {Reason.OVERSIZE: 1}


def test_the_threshold_follows_the_budget() -> None:
    assert stream_threshold(Budget()) == 96 * KIB
    assert stream_threshold(Budget(total_bytes=64 * MIB)) == 64 * KIB
    assert stream_threshold(Budget(total_bytes=MIB)) == 16 * KIB
    assert stream_threshold(Budget(trees=8 << 30)) == MIB


def test_an_object_of_another_kind_in_the_arena_is_no_tree(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    rows = make_rows(1, 3)
    blob = ObjectId(bytes.fromhex(run_git(repository, "hash-object", "-w", "--stdin", data=b"".join(rows)).decode()))
    with ObjectDatabase.open(repository, spill_dir=tmp_path) as db:
        arena = db.spill
        assert arena is not None
        assert arena.put(blob, b"".join(rows))
        with TreeCache(db, stream_bytes=STREAMED) as cache:
            assert isinstance(cache.find(write_tree(repository, rows)), SpilledTree)
            assert cache.find(blob) is None
        assert db.ledger.counts() == {Reason.CORRUPT: 1}
