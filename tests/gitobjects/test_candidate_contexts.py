"""One context for each blob: the minimum over the full list, whatever the threads, packs, budgets and blocks."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from siltstone.core.budget import KIB, Budget
from siltstone.core.errors import BudgetExceeded
from siltstone.gitobjects import candidate_contexts as module
from siltstone.gitobjects import candidates
from siltstone.gitobjects.attribution import attribute
from siltstone.gitobjects.candidate_contexts import canonical_contexts
from siltstone.gitobjects.candidates import MERGES, Candidate, iter_candidates
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.object_names import resolve_name
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git


def brute_force(db: ObjectDatabase, history: CommitHistory, merges: str) -> list[Candidate]:
    """Return the least row of each blob over the whole list, sorted."""
    places = {int(row): place for place, row in enumerate(history.ordered_rows("oldest"))}
    least: dict[bytes, tuple[tuple[object, ...], Candidate]] = {}
    for block in iter_candidates(db, history, merges=merges, threads=1):
        for row in range(len(block)):
            found = block.candidate(row)
            key = (places[int(block.commits[row])], found.path, int(block.indexes[row]), int(found.change), found.mode)
            least[found.blob] = min(least.get(found.blob, (key, found)), (key, found), key=lambda pair: pair[0])
    return [found for _, found in sorted(least.values(), key=lambda pair: pair[0])]


def contexts_of(db: ObjectDatabase, history: CommitHistory, merges: str, threads: int = 1) -> list[Candidate]:
    blocks = canonical_contexts(db, history, merges=merges, threads=threads)
    return [block.candidate(row) for block in blocks for row in range(len(block))]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("merges", MERGES)
def test_contexts_are_the_minimum_over_the_full_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str, merges: str
) -> None:
    repository = make_history(tmp_path / "bare", format_name, 31, commits=120)
    with open_database(repository) as db:
        expected = brute_force(db, CommitHistory.load(db), merges)
    assert len(expected) == len({found.blob for found in expected}) > 30
    monkeypatch.setattr(candidates, "_RANGE_COMMITS", 7)
    for packed in (False, True):
        if packed:
            run_git(repository, "repack", "-adfq", "--depth=50")
        for threads, budget in ((1, None), (3, None), (2, Budget(trees=700 * KIB))):
            with open_database(repository, budget) as db:
                assert contexts_of(db, CommitHistory.load(db), merges, threads) == expected


def split(block: candidates.CandidateBlock, rng: random.Random) -> list[candidates.CandidateBlock]:
    cuts = sorted({0, len(block), *(rng.randrange(len(block)) for _ in range(len(block) // 3))})
    return [module.take_rows(block, np.arange(start, end)) for start, end in pairwise(cuts)]


@pytest.mark.parametrize("merges", MERGES)
def test_where_blocks_end_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merges: str) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 32, commits=100)
    rng = random.Random(1)
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        expected = brute_force(db, history, merges)
        whole = list(iter_candidates(db, history, merges=merges))
        for early in (1 << 16, 1):
            monkeypatch.setattr(module, "_EARLY_ROWS", early)
            for _ in range(4):
                parts = [part for block in whole for part in split(block, rng)]
                monkeypatch.setattr(module, "iter_candidates", lambda *_args, parts=parts, **_options: (part for part in parts))
                assert contexts_of(db, history, merges) == expected


def test_the_least_path_wins_also_where_trees_are_out_of_order(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    blob = run_git(repository, "hash-object", "-w", "--stdin", data=b"twice").strip()
    raw = b"".join(b"100644 %s\0" % name + bytes.fromhex(blob.decode()) for name in (b"z", b"b", b"k"))
    tree = run_git(repository, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=raw).decode().strip()
    text = f"tree {tree}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n".encode()
    commit = run_git(repository, "hash-object", "-w", "-t", "commit", "--stdin", data=text).decode().strip()
    run_git(repository, "update-ref", "refs/heads/main", commit)
    with open_database(repository) as db:
        assert [row.path for row in contexts_of(db, CommitHistory.load(db), "first-parent")] == [b"b"]


def test_attribution_gives_the_same(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 33, commits=150)
    for tips in (None, ["b0"], ["b1", "b2"]):
        with open_database(repository) as db:
            chosen = None if tips is None else [resolve_name(db, tip) for tip in tips]
            found = contexts_of(db, CommitHistory.load(db, chosen), "first-parent", 2)
            everything = {row.blob for row in contexts_of(db, CommitHistory.load(db), "first-parent")}
            attributed = attribute(db, everything, tips=chosen)
            assert {row.blob: (row.commit, row.path) for row in found} == {
                blob: (context.commit, context.path) for blob, context in attributed.items()}


def test_more_than_may_wait_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    stream = [
        b"commit refs/heads/%s\nmark :%d\ncommitter C <c@example.com> %d +0000\ndata 0\n\n%s"
        b"M 100644 inline %s\ndata 1\n%s\nM 100644 inline %s2\ndata 2\n%s2\n\n" % (name, mark, mark, more, *[name] * 4)
        for mark, (name, more) in enumerate([(b"a", b""), (b"b", b""), (b"m", b"from :1\nmerge :2\n")], 1)
    ]
    run_git(repository, "fast-import", "--quiet", data=b"".join(stream))
    monkeypatch.setattr(module, "_MOST_WAITING", 10)
    budget = Budget()
    with open_database(repository, budget) as db:
        sides = [resolve_name(db, name) for name in ("a", "b")]
        history = CommitHistory.load(db, [resolve_name(db, "m")], exclude=sides)
        held = budget.reserved("history")
        in_order = contexts_of(db, history, "first-parent")  # nothing has to wait
        assert [row.path for row in in_order] == [b"m", b"m2"]
        with pytest.raises(BudgetExceeded):
            contexts_of(db, history, "all-parents")
        assert budget.reserved("history") == held
        monkeypatch.setattr(module, "_MOST_WAITING", 1 << 20)
        assert contexts_of(db, history, "all-parents") == brute_force(db, history, "all-parents")
