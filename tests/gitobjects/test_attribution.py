"""Attribution equals a brute force over every commit and every path."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import BudgetExceeded
from siltstone.gitobjects.attribution import Context, attribute
from siltstone.gitobjects.candidates import iter_candidates
from siltstone.gitobjects.commits import CommitHistory, walk_commits
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git


def blob_ids(repository: Path) -> list[ObjectId]:
    """Return every blob of the database, reachable or not."""
    printed = run_git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    return [ObjectId(bytes.fromhex(row.split()[0])) for row in printed.decode().splitlines() if row.endswith("blob")]


def by_brute_force(repository: Path, commits: list[ObjectId]) -> dict[ObjectId, Context]:
    """List every commit in order; the first that holds a blob wins, with its smallest path."""
    found: dict[ObjectId, Context] = {}
    for commit in commits:
        here: dict[ObjectId, bytes] = {}
        for row in run_git(repository, "ls-tree", "-r", "-z", "--full-tree", commit.hex()).split(b"\0")[:-1]:
            words, path = row.split(b"\t", 1)
            if b"commit" not in words:
                oid = ObjectId(bytes.fromhex(words.split()[2].decode()))
                here[oid] = min(path, here.get(oid, path))
        for oid, path in here.items():
            found.setdefault(oid, Context(commit, path))
    return found


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_attribution_equals_brute_force(tmp_path: Path, format_name: str, seed: int) -> None:
    repository = make_history(tmp_path / "bare", format_name, seed)
    run_git(repository, "hash-object", "-w", "--stdin", data=b"in no commit")
    blobs = blob_ids(repository)
    with open_database(repository) as db:
        expected = by_brute_force(repository, [record.oid for record in walk_commits(db, order="oldest")])
        assert attribute(db, blobs) == expected
        assert set(blobs) - set(expected)
        for blob in blobs[::7]:
            assert attribute(db, [blob]) == {oid: found for oid, found in expected.items() if oid == blob}
        assert db.ledger.complete


def by_candidates(db: ObjectDatabase, blobs: list[ObjectId], **options: Any) -> dict[ObjectId, Context]:
    """Take the least row of the full list of candidates."""
    history = CommitHistory.load(db, **options)
    places = {int(row): place for place, row in enumerate(history.ordered_rows("oldest"))}
    least: dict[ObjectId, tuple[int, bytes, ObjectId]] = {}
    for block in iter_candidates(db, history, threads=1):
        for row in range(len(block)):
            found = (places[int(block.commits[row])], block.path(row), history.oid(int(block.commits[row])))
            least[block.blob(row)] = min(found, least.get(block.blob(row), found))
    return {blob: Context(least[blob][2], least[blob][1]) for blob in blobs if blob in least}


@pytest.mark.parametrize("total", [None, 16 * MIB])
@pytest.mark.parametrize("seed", [31, 32, 33, 34])
def test_attribution_of_a_range_equals_the_least_candidates(tmp_path: Path, seed: int, total: int | None) -> None:
    repository = make_history(tmp_path / "bare", "sha1", seed)
    with open_database(repository) as db:
        blobs = [oid for block in db.walk_objects([Kind.BLOB]) for oid in map(block.oid, range(len(block)))]
        commits = [record.oid for record in walk_commits(db, order="oldest")]
    rng = random.Random(seed)
    again = 0
    for count in range(8):
        options: dict[str, Any] = {
            "exclude": rng.sample(commits, rng.randint(0, 2)),
            "tips": None if count % 2 else rng.sample(commits[len(commits) // 2 :], 2),
            "first_parent": count % 3 == 0,
        }
        with open_database(repository, budget=Budget(total_bytes=total)) as db:
            expected = by_candidates(db, blobs, **options)
            assert attribute(db, blobs, **options) == expected
            assert db.budget.reserved("history") == 0
            again += any(attribute(db, blobs, tips=options["exclude"]).keys() & expected.keys())
    assert again


def test_nothing_asked_is_nothing_read(tmp_path: Path) -> None:
    with open_database(make_bare(tmp_path / "bare", "sha1")) as db:
        assert attribute(db, []) == {}


def commit_tree(repository: Path, tree: str) -> None:
    commit = run_git(repository, "commit-tree", "-m", "m", tree).decode().strip()
    run_git(repository, "update-ref", "refs/heads/main", commit)


def make_tree(repository: Path, rows: str) -> str:
    return run_git(repository, "mktree", "--missing", data=rows.encode()).decode().strip()


def test_one_subtree_named_a_million_times_is_solved_once(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    blob = run_git(repository, "hash-object", "-w", "--stdin", data=b"bomb").decode().strip()
    tree = make_tree(repository, "".join(f"100644 blob {blob}\tf{i}\n" for i in range(10)))
    for _ in range(10):
        tree = make_tree(repository, "".join(f"040000 tree {tree}\td{i}\n" for i in range(10)))
    commit_tree(repository, tree)
    with open_database(repository) as db:
        found = attribute(db, [ObjectId(bytes.fromhex(blob))])
        assert [context.path for context in found.values()] == [b"d0/" * 10 + b"f0"]


def test_a_blob_too_deep_to_name_is_told(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    blob = run_git(repository, "hash-object", "-w", "--stdin", data=b"deep").decode().strip()
    tree = make_tree(repository, f"100644 blob {blob}\tf\n")
    for _ in range(260):
        tree = make_tree(repository, f"040000 tree {tree}\td\n")
    commit_tree(repository, tree)
    with open_database(repository) as db:
        assert attribute(db, [ObjectId(bytes.fromhex(blob))]) == {}
        assert db.ledger.counts() == {Reason.UNSUPPORTED: 1}


def test_missing_trees_become_gaps(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    blob = run_git(repository, "hash-object", "-w", "--stdin", data=b"here").decode().strip()
    commit_tree(repository, make_tree(repository, f"040000 tree {'12' * 20}\ta\n100644 blob {blob}\tf\n"))
    with open_database(repository) as db:
        absent = ObjectId(b"\x55" * 20)
        assert [context.path for context in attribute(db, [ObjectId(bytes.fromhex(blob)), absent]).values()] == [b"f"]
        assert db.ledger.counts() == {Reason.MISSING: 1}


@pytest.mark.oracle
def test_a_partial_clone_is_attributed_without_its_blobs(tmp_path: Path) -> None:
    origin = make_history(tmp_path / "origin", "sha1", 24)
    run_git(origin, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", origin.as_uri(), str(clone))
    blobs = blob_ids(origin)
    with open_database(origin) as whole, open_database(clone) as partial:
        assert attribute(partial, blobs) == attribute(whole, blobs)


def test_trees_over_the_budget_are_refused(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 25, commits=5)
    with open_database(repository, budget=Budget(history=40_000)) as db, pytest.raises(BudgetExceeded):
        attribute(db, blob_ids(repository))
