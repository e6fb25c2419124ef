"""Candidates against ``git log --raw``, for any number of threads and any budget; what is left out is in the ledger."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from siltstone.cli.main import main
from siltstone.core.budget import KIB, Budget
from siltstone.core.errors import ConfigError, IncompleteError
from siltstone.core.metrics import Metrics
from siltstone.gitobjects import candidates
from siltstone.gitobjects.candidates import MERGES, iter_candidate_lines, iter_candidates
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.path_names import path_of_fields, unquote_path
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git

_GIT = ("log", "--all", "--raw", "--no-abbrev", "--no-renames", "--root", "--format=oneline", "--no-abbrev-commit")
_MODES = {"first-parent": "--diff-merges=first-parent", "all-parents": "-m"}
_HEAD = re.compile(rb"([0-9a-f]{40,64}) (?:\(from ([0-9a-f]{40,64})\) )?")


def rows_of_git(repository: Path, merges: str, *words: str) -> list[tuple[bytes, ...]]:
    """Return what git prints, without deletions, gitlinks and unchanged ids, sorted."""
    listed = run_git(repository, "rev-list", "--all", "--parents").splitlines()
    parents = {line.split()[0]: (*line.split()[1:2], b"")[0] for line in listed}
    rows, commit, parent = [], b"", b""
    for line in run_git(repository, *_GIT, _MODES[merges], *words).splitlines():
        head = _HEAD.match(line)
        if head:
            commit, parent = head[1], head[2] or parents[head[1]]
        elif line.startswith(b":"):
            facts, _, path = line[1:].partition(b"\t")
            _, mode, old, new, letter = facts.split(b" ")
            if letter != b"D" and mode != b"160000" and old != new:
                rows.append((commit, parent, b"add" if letter == b"A" else b"modify", mode, new, unquote_path(path)))
    return sorted(rows)


def rows_of_lines(text: bytes) -> list[tuple[bytes, ...]]:
    """Return our lines in the same shape, in their order."""
    found = []
    for line in text.splitlines():
        row = json.loads(line)
        words = (row["commit"], row["parent"] or "", row["change"], row["mode"], row["blob"])
        found.append((*(word.encode() for word in words), path_of_fields(row)))
    return found


def lines_of_database(db: ObjectDatabase, **options: object) -> bytes:
    return b"".join(iter_candidate_lines(db, CommitHistory.load(db), **options))


def lines_of(repository: Path, budget: Budget | None = None, **options: object) -> bytes:
    with open_database(repository, budget) as db:
        return lines_of_database(db, **options)


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("merges", MERGES)
@pytest.mark.parametrize("packed", [False, True])
def test_rows_equal_those_of_git(tmp_path: Path, format_name: str, merges: str, packed: bool) -> None:
    repository = make_history(tmp_path / "bare", format_name, 7, commits=80)
    if packed:
        run_git(repository, "repack", "-adfq", "--depth=20")
    assert sorted(rows_of_lines(lines_of(repository, merges=merges))) == rows_of_git(repository, merges)


@pytest.mark.oracle
@pytest.mark.parametrize("merges", MERGES)
def test_first_parents_are_followed_as_git_does(tmp_path: Path, capfd: pytest.CaptureFixture[str], merges: str) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 13, commits=90)
    for branch in ("b2", "b3"):  # their commits are then those of side lines alone
        run_git(repository, "update-ref", "-d", f"refs/heads/{branch}")
    words = ["history", "candidates", "--repo", str(repository), "--quiet", "--first-parent", "--merges", merges]
    assert main(words) == 0
    expected = rows_of_git(repository, merges, "--first-parent")
    assert sorted(rows_of_lines(capfd.readouterr().out.encode())) == expected
    assert expected != rows_of_git(repository, "first-parent")
    assert main([*words, "--ref", "b1", "--since", "b0"]) == 0
    chosen = run_git(repository, "rev-list", "--first-parent", "b1", "^b0").split()
    one = [row for row in expected if row[0] in chosen]
    assert sorted(rows_of_lines(capfd.readouterr().out.encode())) == one


def test_threads_and_budgets_do_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 3, commits=80)
    run_git(repository, "repack", "-adfq", "--depth=50")
    expected = lines_of(repository, merges="all-parents", threads=1)
    assert expected.count(b"\n") > 100
    monkeypatch.setattr(candidates, "_RANGE_COMMITS", 7)
    for threads in (1, 2, 5):
        assert lines_of(repository, merges="all-parents", threads=threads) == expected
        small = Budget(trees=700 * KIB)
        assert lines_of(repository, small, merges="all-parents", threads=threads) == expected
        assert small.reserved("trees") == 0


def test_blocks_tell_what_the_lines_do(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha256", 2, commits=40)
    metrics = Metrics()
    with open_database(repository) as db:
        history = CommitHistory.load(db)
        rows = [block.candidate(row) for block in iter_candidates(db, history, metrics=metrics) for row in range(len(block))]
    shown = [
        (row.commit.hex(), row.parent.hex() if row.parent else "", row.change.name.lower(), f"{row.mode:06o}", row.blob.hex())
        for row in rows
    ]
    found = rows_of_lines(lines_of(repository))
    assert [(*(word.encode() for word in words), row.path) for words, row in zip(shown, rows, strict=True)] == found
    assert metrics.as_dict()["counts"]["trees.diffs"] == len(history)


def test_submodules_and_missing_trees_are_in_the_ledger_once(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    stream = b"".join(
        b"commit refs/heads/main\nmark :%d\ncommitter C <c@example.com> %d +0000\ndata 0\n\n"
        b"M 100644 inline gone/f\ndata 2\n%d\nM 100644 inline kept\ndata 2\n%d\n%s\n"
        % (number, number, number, number, b"M 160000 " + b"1" * 40 + b" sub\n" if number == 2 else b"")
        for number in range(1, 4)
    )
    run_git(repository, "-c", "fastimport.unpackLimit=1000", "fast-import", "--quiet", data=stream)  # each object a file
    middle = run_git(repository, "rev-parse", "main~1:gone").decode().strip()
    (repository / "objects" / middle[:2] / middle[2:]).unlink()
    with open_database(repository) as db:
        rows = rows_of_lines(b"".join(iter_candidate_lines(db, CommitHistory.load(db))))
        assert [row[5] for row in rows] == [b"gone/f", b"kept", b"kept", b"kept"]
        assert db.ledger.counts() == {Reason.MISSING: 1, Reason.SUBMODULE: 1}


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with open_database(make_bare(tmp_path / "bare", "sha1")) as db, pytest.raises(ConfigError):
        next(iter_candidates(db, CommitHistory.load(db), merges="some"))


@pytest.mark.oracle
def test_missing_trees_of_a_partial_clone_are_promised(tmp_path: Path) -> None:
    origin = make_history(tmp_path / "origin", "sha1", 14, commits=20)
    run_git(origin, "config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "-q", "--bare", "--filter=tree:0", origin.as_uri(), "clone")
    with open_database(tmp_path / "clone") as db:
        assert lines_of_database(db) == b""
        assert db.ledger.counts()[Reason.PROMISED] > 5
        assert Reason.MISSING not in db.ledger.counts()


def test_the_command_prints_rows_of_chosen_commits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 11, commits=30)
    words = ["history", "candidates", "--repo", str(repository), "--quiet"]
    assert main(words) == 0
    everything = capfd.readouterr().out.encode()
    assert everything == lines_of(repository)
    chosen = run_git(repository, "rev-list", "b0", "^b0~1").decode().split()
    assert main([*words, "--ref", "b0", "--since", "b0~1", "--format", "raw", "--stats"]) == 0
    shown = capfd.readouterr()
    assert {line[:40] for line in shown.out.splitlines()} <= {*chosen}
    assert f"trees.diffs {len(chosen)}\n" in shown.err
    target = tmp_path / "rows.jsonl"
    assert main([*words, "--output", str(target), "--threads", "2", "--max-memory-mb", "64"]) == 0
    assert target.read_bytes() == everything
    assert main([*words, "--require-complete"]) in (0, IncompleteError.exit_code)


def test_the_command_gives_one_row_a_blob_and_a_summary(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    repository = make_history(tmp_path / "bare", "sha1", 15, commits=30)
    target = tmp_path / "rows.jsonl"
    words = ["history", "candidates", "--repo", str(repository), "--quiet", "--output", str(target), "--json", "--unique"]
    assert main(words) == 0
    summary = json.loads(capfd.readouterr().out)["summary"]
    rows = target.read_bytes().splitlines(keepends=True)
    blobs = [json.loads(row)["blob"] for row in rows]
    assert summary["rows"] == len(rows) == len({*blobs}) > 0
    assert {*rows} <= {*lines_of(repository).splitlines(keepends=True)}
    for wrong in ([], ["--force", "--ref", "nothing"], ["--force", "--since", "b0^{tree}"]):  # the file stays as it was
        assert main([*words, *wrong]) == ConfigError.exit_code
        assert "error" in json.loads(capfd.readouterr().out)
        assert target.read_bytes() == b"".join(rows)
    assert main([*words, "--force", "--format", "raw"]) == 0
    assert [line.split()[4].decode() for line in target.read_bytes().splitlines()] == blobs
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["rows.jsonl"]
