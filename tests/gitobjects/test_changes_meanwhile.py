"""What is packed, pruned or moved by others after a repository was opened is still read, and read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.refs import References
from tests.gitobjects.histories import run_git


def commit(folder: Path, text: str) -> None:
    (folder / "file").write_text(text)
    run_git(folder, "add", "file")
    run_git(folder, "commit", "-q", "-m", text)


@pytest.fixture
def grown(repository: Path) -> Path:
    """A repository with a pack and loose objects."""
    commit(repository, "one")
    run_git(repository, "repack", "-adq")
    for text in ("two", "three"):
        commit(repository, text)
    return repository


def ids_of(folder: Path) -> list[bytes]:
    lines = run_git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    return sorted(bytes.fromhex(line.decode()) for line in lines)


def test_objects_packed_after_opening_are_all_walked(grown: Path) -> None:
    with ObjectDatabase.open(grown) as database:
        run_git(grown, "repack", "-adq")
        blocks = list(database.walk_objects(tuple(Kind)))
        assert sorted(block.oid(i) for block in blocks for i in range(len(block))) == ids_of(grown)
        assert sorted(database.iter_ids()) == ids_of(grown)
        assert database.count() == len(ids_of(grown))
        assert database.ledger.complete


def test_objects_packed_during_a_walk_come_once(grown: Path) -> None:
    with ObjectDatabase.open(grown) as database:
        ids = database.iter_ids()
        found = [next(ids)]
        run_git(grown, "repack", "-adq")
        assert sorted(found + list(ids)) == ids_of(grown)


def test_history_is_whole_when_commits_were_packed_after_opening(grown: Path) -> None:
    run_git(grown, "repack", "-adq")
    with ObjectDatabase.open(grown) as database:
        for text in ("four", "five"):
            commit(grown, text)
        run_git(grown, "repack", "-adq")
        assert len(CommitHistory.load(database)) == 5
        assert database.ledger.complete


@pytest.mark.parametrize("name", ["_packed", "_loose_below"])
def test_references_packed_while_they_are_read_are_found(
    grown: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git(grown, "branch", "other")
    read = getattr(References, name)

    def read_and_pack(self: References, *arguments: object) -> object:
        found = read(self, *arguments)
        found = found if isinstance(found, dict) else list(found)
        run_git(grown, "pack-refs", "--all")
        return found

    with ObjectDatabase.open(grown) as database:
        expected = (database.refs(), database.head())
        monkeypatch.setattr(References, name, read_and_pack)
        assert database.refs() == expected[0]
        assert len(expected[0]) == 2


def test_head_whose_branch_is_packed_while_it_is_read_is_found(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = References._packed

    def read_and_pack(self: References) -> dict[bytes, object]:
        found = packed(self)
        run_git(grown, "pack-refs", "--all")
        return dict(found)

    with ObjectDatabase.open(grown) as database:
        expected = database.head()
        monkeypatch.setattr(References, "_packed", read_and_pack)
        assert database.head() == expected is not None
