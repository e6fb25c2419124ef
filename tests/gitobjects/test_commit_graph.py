"""Commit-graph files, against the commits they speak of; when they must not be used; histories cut and grafted."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest

from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.gitobjects.commit_graph import find_graph_files, parse_graph_layer, read_commit_graph
from siltstone.gitobjects.commits import ORDERS, CommitHistory
from siltstone.gitobjects.ids import ALGORITHMS, SHA1, ObjectId
from siltstone.gitobjects.ledger import Reason
from tests.gitobjects.histories import FORMATS, make_history, open_database, run_git


def rev_list(repository: Path, *words: str) -> list[str]:
    return run_git(repository, "--no-replace-objects", "rev-list", *words).decode().split()


def write_graph(repository: Path, *words: str, version: int = 2, commits: list[str] | None = None) -> None:
    which = ["--reachable"] if commits is None else ["--stdin-commits"]
    settings = ["-c", f"commitGraph.generationVersion={version}"]
    run_git(repository, *settings, "commit-graph", "write", "--no-progress", *which, *words,
            data="".join(f"{oid}\n" for oid in commits or ()).encode())


def ids(history: CommitHistory, order: str) -> list[str]:
    return [history.oid(row).hex() for row in history.ordered_rows(order).tolist()]


def assert_same(repository: Path, graph_commits: int | None) -> None:
    """The history by the graph is the history by the commits; *graph_commits* is how many the graph must give (None: all)."""
    with open_database(repository) as db:
        by_graph, by_commits = CommitHistory.load(db), CommitHistory.load(db, use_graph=False)
        assert by_graph.graph_commits == (len(by_commits) if graph_commits is None else graph_commits)
        assert by_commits.graph_commits == 0
        assert ids(by_graph, "date") == ids(by_commits, "date")
        for name in ("oids", "trees"):
            assert getattr(by_graph, name) == getattr(by_commits, name)
        for name in ("times", "parents", "parent_starts", "included"):
            assert np.array_equal(getattr(by_graph, name), getattr(by_commits, name))
        assert sorted(ids(by_graph, "topological")) == sorted(rev_list(repository, "--all"))
        assert db.ledger.complete


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("version", [1, 2])
def test_one_graph_gives_the_same_history(tmp_path: Path, format_name: str, version: int) -> None:
    repository = make_history(tmp_path / "bare", format_name, 40 + version, commits=120)
    run_git(repository, "repack", "-q", "-a", "-d")
    write_graph(repository, "--changed-paths", version=version)
    assert_same(repository, None)
    run_git(repository, "commit-graph", "verify")


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_chain_of_graphs_gives_the_same_history(tmp_path: Path, format_name: str) -> None:
    repository = make_history(tmp_path / "bare", format_name, 43, commits=90)
    every = rev_list(repository, "--all", "--topo-order", "--reverse")
    for count in (30, 55, 90):
        write_graph(repository, "--split=no-merge", commits=every[:count])
    chain = repository / "objects" / "info" / "commit-graphs"
    assert len(list(chain.glob("*.graph"))) == 3
    assert_same(repository, None)
    (chain / "commit-graph-chain").write_bytes(b"not a hash\n")
    assert_same(repository, 0)


@pytest.mark.oracle
def test_commits_younger_than_the_graph_are_read(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 44)
    every = rev_list(repository, "--all", "--topo-order", "--reverse")
    write_graph(repository, commits=every[:35])
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        assert history.graph_commits == len(rev_list(repository, *every[:35]))
        assert ids(history, "oldest") == ids(CommitHistory.load(db, use_graph=False), "oldest")
        assert sorted(ids(history, "date")) == sorted(every)


@pytest.mark.oracle
def test_tags_lead_to_commits_outside_the_graph(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 45)
    every = rev_list(repository, "--all", "--topo-order")
    write_graph(repository, commits=every[-10:])
    run_git(repository, "tag", "-a", "-m", "m", "inner", every[0])
    run_git(repository, "tag", "-a", "-m", "m", "outer", "inner")
    outer = ObjectId(bytes.fromhex(run_git(repository, "rev-parse", "outer").decode().strip()))
    with open_database(repository) as db:
        history = CommitHistory.load(db, [outer])
        assert history.graph_commits
        assert sorted(ids(history, "date")) == sorted(rev_list(repository, every[0]))


@pytest.mark.oracle
def test_a_graph_that_names_lost_commits_is_passed_over(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 46)
    write_graph(repository)
    names = run_git(repository, "for-each-ref", "--format=%(refname)").decode().split()
    run_git(repository, "update-ref", "-d", names[-1])
    run_git(repository, "reflog", "expire", "--expire=now", "--all")
    run_git(repository, "-c", "gc.writeCommitGraph=false", "repack", "-q", "-a", "-d")
    run_git(repository, "prune", "--expire=now")
    assert_same(repository, 0)


@pytest.mark.oracle
def test_damage_of_a_graph_costs_only_time(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 47)
    write_graph(repository)
    path = repository / "objects" / "info" / "commit-graph"
    data = path.read_bytes()
    path.chmod(0o644)
    for place in (0, 5, 60, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert_same(repository, 0)
    path.write_bytes(data[:-30])
    assert_same(repository, 0)


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_truncation_is_refused_and_every_change_gives_columns_or_an_error(tmp_path: Path, format_name: str) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 48, commits=25)
    write_graph(repository)
    data = (repository / "objects" / "info" / "commit-graph").read_bytes()
    for size in range(0, len(data), 7):
        with pytest.raises(CorruptDataError):
            parse_graph_layer(data[:size], ALGORITHMS[format_name], 0, [])
        if size < len(data) - 20:
            with pytest.raises(CorruptDataError):
                parse_graph_layer(sealed(data[:size]), ALGORITHMS[format_name], 0, [])
    rng = random.Random(48)
    path, parsed = tmp_path / "graph", 0
    for place in range(0, len(data) - 20, 11):
        body = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 : -20]
        path.write_bytes(sealed(body))
        try:
            graph = read_commit_graph([path], SHA1, limit_bytes=1 << 24)
        except CorruptDataError:
            continue
        parsed += 1
        assert len(graph.oids) == len(graph.trees) == 20 * len(graph)
        assert graph.parent_starts[-1] == len(graph.parents)
        assert all(0 <= parent < len(graph) for parent in graph.parents.tolist())
    assert parsed


def test_a_graph_larger_than_its_limit_is_not_read(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 49, commits=25)
    write_graph(repository)
    with pytest.raises(BudgetExceeded):
        read_commit_graph(find_graph_files([repository / "objects"], SHA1), SHA1, limit_bytes=4_000)


@pytest.mark.oracle
def test_grafts_count_as_in_git_and_switch_the_graph_off(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 50)
    write_graph(repository)
    every = rev_list(repository, "--all", "--topo-order")
    root, other = every[-1], every[-2]
    lines = [f"{every[5]}", f"{every[8]} {root}", f"{every[20]} {root} {other}", f"{every[8]}", "# word"]
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "grafts").write_text("\n".join(lines) + "\n")
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        assert history.graph_commits == 0
        assert sorted(ids(history, "date")) == sorted(rev_list(repository, "--all"))
        for line in run_git(repository, "rev-list", "--parents", "--all").decode().splitlines():
            oid, *parents = map(bytes.fromhex, line.split())
            assert list(history.record(history.find_row(ObjectId(oid))).parents) == parents
        first = CommitHistory.load(db, first_parent=True)
        assert sorted(ids(first, "date")) == sorted(rev_list(repository, "--all", "--first-parent"))


@pytest.mark.oracle
def test_replaced_commits_are_read_as_they_are(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 51)
    write_graph(repository)
    every = rev_list(repository, "--all", "--topo-order")
    run_git(repository, "replace", "--graft", every[3], every[-1])
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        assert history.graph_commits == 0
        assert sorted(ids(history, "date")) == sorted(rev_list(repository, "--all"))


@pytest.mark.oracle
def test_a_shallow_clone_has_no_use_for_a_graph(tmp_path: Path) -> None:
    origin = make_history(tmp_path / "origin", "sha1", 52)
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", "--bare", "--depth=3", "--no-single-branch", origin.as_uri(), str(clone))
    graphs = origin / "objects" / "info"
    write_graph(origin)
    (clone / "objects" / "info").mkdir(exist_ok=True)
    (clone / "objects" / "info" / "commit-graph").write_bytes((graphs / "commit-graph").read_bytes())
    with open_database(clone) as db:
        history = CommitHistory.load(db)
        assert history.graph_commits == 0
        assert sorted(ids(history, "date")) == sorted(rev_list(clone, "--all"))
        assert set(db.ledger.counts()) == {Reason.SHALLOW_BOUNDARY}


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("graph", [False, True])
def test_first_parents_and_ranges_equal_those_of_git(tmp_path: Path, format_name: str, graph: bool) -> None:
    repository = make_history(tmp_path / "bare", format_name, 53, commits=80, distinct_times=True)
    if graph:
        write_graph(repository)
    every = rev_list(repository, "--all")
    rng = random.Random(53)
    with open_database(repository) as db:
        for _ in range(6):
            old, new = rng.sample(every, 2)
            tips, hidden = [ObjectId(bytes.fromhex(new))], [ObjectId(bytes.fromhex(old))]
            for first_parent in (False, True):
                words = ["--first-parent"] * first_parent
                history = CommitHistory.load(db, tips, exclude=hidden, first_parent=first_parent)
                assert bool(history.graph_commits) == graph
                assert ids(history, "topological") == rev_list(repository, *words, "--topo-order", f"{old}..{new}")
                assert ids(history, "date") == rev_list(repository, *words, "--date-order", f"{old}..{new}")
                whole = CommitHistory.load(db, first_parent=first_parent)
                assert sorted(ids(whole, "oldest")) == sorted(rev_list(repository, *words, "--all"))
        for order in ORDERS:
            assert len(CommitHistory.load(db).ordered_rows(order)) == len(every)


def test_a_history_gives_back_what_it_reserved(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 54)
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        held = db.budget.reserved("history")
        assert 60 * len(history) < held < 90 * len(history)
        history.ordered_rows("oldest")
        assert db.budget.reserved("history") == held
        del history
        assert db.budget.reserved("history") == 0


@pytest.mark.parametrize("time", ["-5", "17179869184", "99999999999", "9223372036854775807"])
def test_times_that_a_graph_cuts_off_are_read_from_commits(tmp_path: Path, time: str) -> None:
    repository = make_history(tmp_path / "r", "sha1", seed=2, commits=8)
    tree, people = run_git(repository, "rev-parse", "HEAD^{tree}").decode(), "A <a@example.com>"
    text = f"tree {tree}author {people} 1 +0000\ncommitter {people} {time} +0000\n\nm\n"
    name = run_git(repository, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=text.encode()).decode()
    (repository / "refs/heads/far").write_text(name)
    write_graph(repository)
    assert_same(repository, 0)
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        assert history.times[history.find_row(ObjectId(bytes.fromhex(name)))] == int(time)


def test_a_graph_out_of_reach_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_history(tmp_path / "r", "sha1", seed=2, commits=8)

    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "denied")

    write_graph(repository)
    monkeypatch.setattr("siltstone.gitobjects.commit_loading.find_graph_files", refuse)
    assert_same(repository, 0)
