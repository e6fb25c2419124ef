"""Verification finds what git finds in files that only make reading faster, in references, and in partial clones."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_stats import count_objects
from siltstone.gitobjects.small_files import read_small_file, read_start
from siltstone.gitobjects.verify import ObjectsReport, verify_objects
from tests.conftest import GIT_ENVIRONMENT
from tests.gitobjects.histories import open_database, run_git

HEADERS = {"info/commit-graph": 8, "pack/multi-pack-index": 12}


def report_of(folder: Path) -> ObjectsReport:
    with open_database(folder) as db:
        return verify_objects(db, links=True)


def git_is_content(folder: Path) -> bool:
    done = subprocess.run(["git", "fsck", "--no-dangling"], cwd=folder, capture_output=True, check=False,
                          env=GIT_ENVIRONMENT, timeout=60)
    return done.returncode == 0


def commit(folder: Path, text: str) -> str:
    (folder / "file").write_text(text)
    run_git(folder, "add", "file")
    run_git(folder, "commit", "-q", "-m", text)
    return run_git(folder, "rev-parse", "HEAD").decode().strip()


@pytest.fixture
def accelerated(repository: Path) -> Path:
    """Two packs under a multi-pack index, four commits in a commit-graph, one of them a merge."""
    for text in ("one", "two", "three"):
        commit(repository, text)
        run_git(repository, "repack", "-dq")
    run_git(repository, "checkout", "-q", "-b", "side", "HEAD~2")
    run_git(repository, "commit", "-q", "--allow-empty", "-m", "side")
    run_git(repository, "merge", "-q", "-s", "ours", "-m", "merge", "main")
    run_git(repository, "commit-graph", "write", "--reachable")
    run_git(repository, "multi-pack-index", "write")
    return repository


def forge(path: Path, chunk: bytes, offset: int, change: Callable[[int], int]) -> None:
    """Change a number of four bytes in a chunk, and make the checksum fit."""
    data, header = bytearray(path.read_bytes()), HEADERS[f"{path.parent.name}/{path.name}"]
    row = next(at for at in range(header, len(data), 12) if data[at : at + 4] == chunk)
    at = int.from_bytes(data[row + 4 : row + 12], "big") + offset
    data[at : at + 4] = (change(int.from_bytes(data[at : at + 4], "big"))).to_bytes(4, "big")
    data[-20:] = hashlib.sha1(data[:-20], usedforsecurity=False).digest()
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "chunk", "offset", "what"), [
    ("info/commit-graph", b"CDAT", 32, "another time"), ("info/commit-graph", b"CDAT", 0, "another tree"),
    ("info/commit-graph", b"CDAT", 20, ""), ("pack/multi-pack-index", b"OOFF", 4, "not where it says"),
    ("pack/multi-pack-index", b"OIDL", 16, "not where it says"), ("pack/multi-pack-index", b"OOFF", 0, ""),
])
def test_forged_accelerators_are_found(accelerated: Path, name: str, chunk: bytes, offset: int, what: str) -> None:
    assert report_of(accelerated).problems == []
    forge(accelerated / ".git/objects" / name, chunk, offset, lambda number: number ^ 1)
    assert not git_is_content(accelerated)
    problems = report_of(accelerated).problems
    assert [Path(problem.place).name for problem in problems] == [Path(name).name]
    assert what in problems[0].what


@pytest.mark.oracle
def test_a_graph_of_commits_that_are_gone_is_a_problem(repository: Path) -> None:
    first, second = commit(repository, "one"), commit(repository, "two")
    run_git(repository, "commit-graph", "write", "--reachable", "--split")
    run_git(repository, "reset", "-q", "--hard", first)
    run_git(repository, "reflog", "expire", "--expire=all", "--all")
    run_git(repository, "prune", "--expire=now")
    assert not git_is_content(repository)
    assert [problem.what for problem in report_of(repository).problems] == [f"commit {second} is not there"]


@pytest.mark.oracle
def test_locks_and_leftovers_of_writers_are_no_damage(accelerated: Path) -> None:
    commit(accelerated, "four")
    run_git(accelerated, "commit-graph", "write", "--reachable", "--split")
    for name in ("pack/multi-pack-index.lock", "info/commit-graphs/commit-graph-chain.lock", "info/commit-graphs/tmp_graph_a"):
        (accelerated / ".git/objects" / name).touch()
    assert git_is_content(accelerated)
    assert report_of(accelerated).problems == []


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["refs/heads/junk", "packed-refs", "HEAD"])
def test_references_that_do_not_parse_are_problems(accelerated: Path, name: str) -> None:
    (accelerated / ".git" / name).write_text("junk\n")
    assert not git_is_content(accelerated)
    assert len(report_of(accelerated).problems) == 1


@pytest.mark.oracle
def test_what_takes_the_place_of_objects_is_a_problem(repository: Path) -> None:
    name = commit(repository, "one")
    path = repository / ".git/objects" / name[:2] / name[2:]
    path.unlink()
    path.mkdir()
    assert not git_is_content(repository)
    assert [problem.what for problem in report_of(repository).problems] == ["loose: not a file"]
    path.rmdir()
    objects = repository / ".git/objects"
    path.parent.rmdir() if not any(path.parent.iterdir()) else None
    free = next(f"{number:02x}" for number in range(256) if not (objects / f"{number:02x}").exists())
    (objects / free).symlink_to(free)
    assert str(objects / free) in {problem.place for problem in report_of(repository).problems}


@pytest.mark.oracle
def test_a_lost_object_of_ones_own_is_not_promised(tmp_path: Path, repository: Path) -> None:
    commit(repository, "given")
    run_git(repository, "config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "partial")
    clone = tmp_path / "partial"
    own = run_git(clone, "hash-object", "-w", "--stdin", data=b"own").decode().strip()
    entries = run_git(clone, "ls-tree", "HEAD") + b"100644 blob " + own.encode() + b"\town\n"
    tree = run_git(clone, "mktree", "--missing", data=entries).decode().strip()
    name = run_git(clone, "commit-tree", "-p", "HEAD", "-m", "m", tree).decode().strip()
    run_git(clone, "update-ref", "HEAD", name)
    assert git_is_content(clone)
    assert report_of(clone).problems == []
    assert report_of(clone).promised == 1
    (clone / ".git/objects" / own[:2] / own[2:]).unlink()
    assert not git_is_content(clone)
    assert [(problem.place, problem.what) for problem in report_of(clone).problems] == [
        (own, "missing, another object names it")]


def test_files_that_the_system_refuses_to_open_are_told(accelerated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = run_git(accelerated, "hash-object", "-w", "--stdin", data=b"loose").decode().strip()
    graph, refused = accelerated / ".git/objects/info/commit-graph", {"commit-graph", "main", name[2:]}

    def guard(read: Callable[..., object]) -> Callable[..., object]:
        def read_or_refuse(path: Path, *arguments: object) -> object:
            if path.name in refused:
                raise PermissionError(13, "denied", str(path))
            return read(path, *arguments)

        return read_or_refuse

    for module in ("loose", "refs"):
        monkeypatch.setattr(f"siltstone.gitobjects.{module}.read_small_file", guard(read_small_file))
    monkeypatch.setattr("siltstone.gitobjects.loose.read_start", guard(read_start))
    for module in ("commit_graph", "file_checks"):
        monkeypatch.setattr(f"siltstone.gitobjects.{module}.WindowedFile", guard(WindowedFile))
    problems = report_of(accelerated).problems
    assert sorted(problem.place for problem in problems) == sorted([str(graph), name, "references"])
    with open_database(accelerated) as db:
        assert count_objects(db).ledger.counts() == {Reason.UNREADABLE: 1}


@pytest.mark.oracle
def test_a_pack_that_is_gone_from_under_its_index_is_a_problem(accelerated: Path) -> None:
    run_git(accelerated, "pack-objects", "-q", "--all", ".git/objects/pack/pack")
    for path in sorted((accelerated / ".git/objects/pack").glob("pack-*.pack")):
        if path.stem.encode() in (accelerated / ".git/objects/pack/multi-pack-index").read_bytes():
            path.unlink()
            path.with_suffix(".idx").unlink()
            break
    assert not git_is_content(accelerated)
    assert "which is not there" in report_of(accelerated).problems[0].what


@pytest.mark.oracle
def test_layers_of_a_commit_graph_may_be_borrowed(tmp_path: Path, accelerated: Path) -> None:
    (accelerated / ".git/objects/info/commit-graph").unlink()
    run_git(accelerated, "commit-graph", "write", "--reachable", "--split")
    run_git(tmp_path, "clone", "-q", "-s", str(accelerated), "borrower")
    commit(tmp_path / "borrower", "more")
    run_git(tmp_path / "borrower", "commit-graph", "write", "--reachable", "--split=no-merge")
    chain = tmp_path / "borrower/.git/objects/info/commit-graphs/commit-graph-chain"
    assert len(chain.read_bytes().splitlines()) == 2
    assert len(list(chain.parent.glob("*.graph"))) == 1
    assert report_of(tmp_path / "borrower").problems == []
    chain.write_text("ab" * 20 + "\n")
    assert "line 1 names a layer that is not there" in {problem.what for problem in report_of(tmp_path / "borrower").problems}
