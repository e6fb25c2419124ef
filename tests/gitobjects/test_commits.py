"""Walks over commits, against ``git rev-list``; histories that are cut."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from siltstone._native.commit_columns import parse_commit_links
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, NotFoundError
from siltstone.gitobjects.commits import ORDERS, CommitHistory, CommitRecord, walk_commits
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_names import resolve_name
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git


def rev_list(repository: Path, *words: str) -> list[str]:
    return run_git(repository, "rev-list", *words).decode().split()


def ids_of(records) -> list[str]:
    return [record.oid.hex() for record in records]


def oldest_first(records: list[CommitRecord]) -> list[ObjectId]:
    """The contract of the order, word by word: of the commits whose parents are out, the smallest (time, id)."""
    waiting = {record.oid: record for record in records}
    order = []
    while waiting:
        ready = [record for record in waiting.values() if not any(parent in waiting for parent in record.parents)]
        chosen = min(ready, key=lambda record: (record.committer_time, record.oid))
        order.append(chosen.oid)
        del waiting[chosen.oid]
    return order


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("seed", [11, 12])
def test_walks_show_the_commits_of_git_in_an_order_that_holds(tmp_path: Path, format_name: str, seed: int) -> None:
    repository = make_history(tmp_path / "bare", format_name, seed)
    expected = sorted(rev_list(repository, "--all"))
    with open_database(repository) as db:
        for order in ORDERS:
            records = list(walk_commits(db, order=order))
            assert sorted(ids_of(records)) == expected
            place = {record.oid: position for position, record in enumerate(records)}
            for record in records:
                for parent in record.parents:
                    assert (place[parent] < place[record.oid]) == (order == "oldest")
        assert [record.oid for record in walk_commits(db, order="oldest")] == oldest_first(records)
        assert db.ledger.complete


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
def test_orders_equal_those_of_git_where_no_times_tie(tmp_path: Path, format_name: str) -> None:
    repository = make_history(tmp_path / "bare", format_name, 13, distinct_times=True)
    with open_database(repository) as db:
        assert ids_of(walk_commits(db, order="date")) == rev_list(repository, "--date-order", "--all")
        assert ids_of(walk_commits(db, order="topological")) == rev_list(repository, "--topo-order", "--all")


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
def test_records_hold_tree_parents_and_time(tmp_path: Path, format_name: str) -> None:
    repository = make_history(tmp_path / "bare", format_name, 14)
    printed = run_git(repository, "log", "--all", "--format=%H %T %ct %P").decode().splitlines()
    with open_database(repository) as db:
        shown = {
            " ".join([record.oid.hex(), record.tree.hex(), str(record.committer_time), *map(bytes.hex, record.parents)])
            for record in walk_commits(db)
        }
    assert shown == {line.rstrip() for line in printed}


@pytest.mark.oracle
def test_excluded_history_is_left_out(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 15)
    every = rev_list(repository, "--all")
    for old in every[::9]:
        with open_database(repository) as db:
            shown = ids_of(walk_commits(db, order="date", exclude=[ObjectId(bytes.fromhex(old))]))
            assert sorted(shown) == sorted(rev_list(repository, "--all", "^" + old))
            tips = [ObjectId(bytes.fromhex(every[0]))]
            shown = ids_of(walk_commits(db, tips, order="oldest", exclude=[ObjectId(bytes.fromhex(old))]))
            assert sorted(shown) == sorted(rev_list(repository, every[0], "^" + old))


@pytest.mark.oracle
def test_tags_are_peeled_and_refs_to_other_objects_passed_over(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 16)
    tip = rev_list(repository, "--all")[0]
    run_git(repository, "tag", "-a", "-m", "one", "one", tip)
    run_git(repository, "tag", "-a", "-m", "two", "two", "one")
    run_git(repository, "tag", "tree", tip + "^{tree}")
    outer = ObjectId(bytes.fromhex(run_git(repository, "rev-parse", "two").decode().strip()))
    with open_database(repository) as db:
        assert ids_of(walk_commits(db, [outer])) == rev_list(repository, "--topo-order", tip)
        assert sorted(ids_of(walk_commits(db))) == sorted(rev_list(repository, "--all"))
        assert db.ledger.complete


@pytest.mark.oracle
def test_a_shallow_clone_says_where_it_was_cut(tmp_path: Path) -> None:
    origin = make_history(tmp_path / "origin", "sha1", 17)
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", "--bare", "--depth=2", "--no-single-branch", origin.as_uri(), str(clone))
    cut = (clone / "shallow").read_text().split()
    with open_database(clone) as db:
        for order in ORDERS:
            assert sorted(ids_of(walk_commits(db, order=order))) == sorted(rev_list(clone, "--all"))
        assert db.ledger.counts() == {Reason.SHALLOW_BOUNDARY: 3 * len(cut)}


def write_commit(repository: Path, text: str) -> ObjectId:
    printed = run_git(
        repository, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=text.encode(),
    )
    return ObjectId(bytes.fromhex(printed.decode()))


def test_missing_and_damaged_parents_become_gaps(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    tree, who = "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "C <c@example.com> 100 +0000"
    damaged = write_commit(repository, "no tree here\n")
    tip = write_commit(
        repository,
        f"tree {tree}\nparent {'12' * 20}\nparent {damaged.hex()}\nauthor {who}\ncommitter {who}\n\nmessage\n",
    )
    with open_database(repository) as db:
        records = list(walk_commits(db, [tip, ObjectId(b"\x09" * 20)]))
        assert records == [CommitRecord(tip, ObjectId(bytes.fromhex(tree)), (), 100)]
        assert db.ledger.counts() == {Reason.MISSING: 3, Reason.CORRUPT: 1}


def test_an_empty_repository_has_no_commits(tmp_path: Path) -> None:
    with open_database(make_bare(tmp_path / "bare", "sha256")) as db:
        for order in ORDERS:
            assert list(walk_commits(db, order=order)) == []
        assert len(CommitHistory.load(db)) == 0


def test_an_unknown_order_is_refused(tmp_path: Path) -> None:
    with open_database(make_bare(tmp_path / "bare", "sha1")) as db, pytest.raises(ConfigError):
        walk_commits(db, order="newest")


def test_history_over_its_budget_is_refused(tmp_path: Path) -> None:
    with open_database(make_bare(tmp_path / "bare", "sha1"), budget=Budget(history=1_000)) as db:
        with pytest.raises(BudgetExceeded):
            CommitHistory.load(db)
    repository = make_history(tmp_path / "more", "sha1", 18, commits=400)
    with open_database(repository, budget=Budget(history=25_000)) as db, pytest.raises(BudgetExceeded):
        CommitHistory.load(db)


@pytest.mark.parametrize(("line", "time"), [
    ("committer C <c@example.com> 1700000000 +0000", 1_700_000_000),
    ("committer C <c@example.com> -5 +0000", -5),
    ("committer C <c@example.com>", 0),
    ("committer C <c@example.com> soon", 0),
    ("committer C > D <c@example.com> 7 +0000", 7),
])
def test_committer_time_is_read_as_git_does(line: str, time: int) -> None:
    text = f"tree {'ab' * 20}\nparent {'cd' * 20}\nauthor A <a@example.com> 1 +0000\n{line}\n\ncommitter X <x> 9 +0000\n"
    assert parse_commit_links(text.encode(), 20) == (b"\xab" * 20, b"\xcd" * 20, time)


@pytest.mark.parametrize("data", [b"", b"tree ", b"tree " + b"ab" * 19 + b"\n", b"parent " + b"ab" * 20 + b"\n"])
def test_a_commit_without_tree_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptDataError):
        parse_commit_links(data, 20)


def test_a_small_budget_gives_the_same_history(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 19, commits=300)
    with open_database(repository) as db, open_database(repository, budget=Budget(total_bytes=1 << 20)) as small:
        ample, tight = CommitHistory.load(db, use_graph=False), CommitHistory.load(small, use_graph=False)
        assert (tight.oids, tight.trees) == (ample.oids, ample.trees)
        for order in ORDERS:
            assert tight.ordered_rows(order).tolist() == ample.ordered_rows(order).tolist()
        assert small.budget.peak("history") < 1 << 20


def test_gaps_are_told_alike_in_a_small_budget(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    tree, who = "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "C <c@example.com> 100 +0000"
    damaged = write_commit(repository, "no tree here\n")
    text = f"tree {tree}\nparent {'12' * 20}\nparent {damaged.hex()}\nauthor {who}\ncommitter {who}\n\nmessage\n"
    tip = write_commit(repository, text)
    told = []
    for budget in (Budget(), Budget(total_bytes=1 << 20)):
        with open_database(repository, budget=budget) as db:
            assert [record.oid for record in walk_commits(db, [tip])] == [tip]
            told.append(db.ledger.as_dict())
    assert told[0] == told[1]


def nested_tags(repository: Path, target: str, depth: int) -> str:
    for number in range(depth):
        kind = "tag" if number else "commit"
        text = f"object {target}\ntype {kind}\ntag t{number}\ntagger A <a@example.com> 1 +0000\n\nt\n"
        target = run_git(repository, "mktag", data=text.encode()).decode().strip()
    return target


def test_a_long_chain_of_tags_leads_to_its_commit(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "r", "sha1")
    commit = write_commit(repository, f"tree {'0' * 40}\ncommitter C <c@example.com> 1 +0000\n\nm\n")
    run_git(repository, "update-ref", "refs/tags/deep", nested_tags(repository, commit.hex(), 70))
    with open_database(repository) as db:
        assert ids_of(walk_commits(db)) == [commit.hex()] == rev_list(repository, "--all")
        assert resolve_name(db, "deep^{commit}") == commit
        assert db.ledger.complete


@pytest.mark.parametrize(("text", "problem"), [
    (b"object %s\ntype tag\ntag t\n\n", "tags lead in a circle"), (b"objekt\n", "tag names no object"),
])
def test_a_tag_that_leads_nowhere_is_told(tmp_path: Path, text: bytes, problem: str) -> None:
    repository, name = make_bare(tmp_path / "r", "sha1"), "ab" * 20
    text = text.replace(b"%s", name.encode())
    path = repository / "objects" / name[:2] / name[2:]
    path.parent.mkdir()
    path.write_bytes(zlib.compress(b"tag %d\0" % len(text) + text))
    (repository / "refs/tags/t").write_text(name + "\n")
    with open_database(repository) as db:
        assert list(walk_commits(db)) == []
        assert [(gap.reason, gap.detail) for gap in db.ledger.examples()] == [(Reason.CORRUPT, problem)]
        with pytest.raises((NotFoundError, CorruptDataError)):
            resolve_name(db, "t^{commit}")
