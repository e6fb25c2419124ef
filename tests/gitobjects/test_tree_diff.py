"""Trees and their differences, against ``git ls-tree`` and ``git diff-tree``."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.commits import walk_commits
from siltstone.gitobjects.ids import SHA1, Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.tree_diff import ChangeKind, TreeDiffer, diff_trees
from siltstone.gitobjects.trees import TreeEntry, TreeFile, iter_tree_files, parse_tree
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git

EMPTY_TREE = SHA1.object_id(Kind.TREE, b"")


def raw_rows(changes, id_size: int) -> list[bytes]:
    """Return changes as ``git diff-tree --raw -z`` prints them."""
    none = "0" * (2 * id_size)
    letters = {ChangeKind.ADD: "A", ChangeKind.DELETE: "D", ChangeKind.MODIFY: "M"}
    rows = []
    for change in changes:
        typed = change.kind is ChangeKind.MODIFY and change.old_mode >> 12 != change.new_mode >> 12
        sides = [oid.hex() if oid else none for oid in (change.old_oid, change.new_oid)]
        letter = "T" if typed else letters[change.kind]
        rows += [f":{change.old_mode:06o} {change.new_mode:06o} {sides[0]} {sides[1]} {letter}".encode(), change.path]
    return rows


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_diffs_equal_git_diff_tree(tmp_path: Path, format_name: str, seed: int) -> None:
    repository = make_history(tmp_path / "bare", format_name, seed, commits=40)
    with open_database(repository) as db:
        differ = TreeDiffer(db, cache_bytes=2_000)
        size = db.algorithm.size
        records = list(walk_commits(db, order="oldest"))
        pairs = [(db_tree(db, record.parents[0]) if record.parents else None, record.tree) for record in records]
        asked = [(old.hex() if old else empty_tree(db).hex()) + " " + new.hex() for old, new in pairs]
        words = ("diff-tree", "--stdin", "-r", "--raw", "--no-renames", "-z", "--no-abbrev")
        for (old, new), line in zip(pairs, asked, strict=True):
            printed = run_git(repository, *words, data=(line + "\n").encode()).split(b"\0")
            expected = printed[:-1]
            if expected:
                expected[0] = expected[0].split(b"\n", 1)[-1]
            assert raw_rows(differ.diff(old, new), size) == [row for row in expected if row != line.encode() + b"\n"]
            backwards = list(differ.diff(new, old))
            assert [change.path for change in backwards] == [change.path for change in diff_trees(db, old, new)]
        assert db.ledger.complete


def db_tree(db, commit: ObjectId) -> ObjectId:
    return ObjectId(bytes.fromhex(db.read(commit).data[5 : 5 + 2 * db.algorithm.size].decode()))


def empty_tree(db) -> ObjectId:
    return db.algorithm.object_id(Kind.TREE, b"")


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
def test_files_of_a_tree_equal_git_ls_tree(tmp_path: Path, format_name: str) -> None:
    repository = make_history(tmp_path / "bare", format_name, 7)
    with open_database(repository) as db:
        for record in walk_commits(db):
            printed = run_git(repository, "ls-tree", "-r", "-z", record.tree.hex())
            expected = []
            for row in printed.split(b"\0")[:-1]:
                words, path = row.split(b"\t", 1)
                mode, _, oid = words.split()
                expected.append(TreeFile(path, int(mode, 8), ObjectId(bytes.fromhex(oid.decode()))))
            assert list(iter_tree_files(db, record.tree)) == expected


def hash_tree(repository: Path, records: bytes) -> ObjectId:
    """Store *records* as a tree, whatever they hold."""
    printed = run_git(repository, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=records)
    return ObjectId(bytes.fromhex(printed.decode()))


def test_old_modes_are_kept_in_entries_and_canonical_in_files(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    record = b"100664 file\0" + bytes(19) + b"\x01"
    tree = hash_tree(repository, record)
    with open_database(repository) as db:
        assert parse_tree(db.read(tree).data, 20) == [TreeEntry(0o100664, b"file", ObjectId(bytes(19) + b"\x01"))]
        assert [file.mode for file in iter_tree_files(db, tree)] == [0o100644]
        other = hash_tree(repository, record.replace(b"100664", b"100644"))
        with open_database(repository) as fresh:
            assert list(diff_trees(fresh, tree, other)) == []


def test_missing_and_damaged_trees_become_gaps(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    damaged = hash_tree(repository, b"100644 cut\0short")
    root = hash_tree(repository, b"40000 bad\0" + damaged + b"40000 gone\0" + b"\x07" * 20 + b"100644 here\0" + b"\x01" * 20)
    with open_database(repository) as db:
        with pytest.raises(CorruptDataError) as caught:
            parse_tree(db.read(damaged).data, 20)
        assert caught.value.offset == 0
        assert [file.path for file in iter_tree_files(db, root)] == [b"here"]
        assert db.ledger.counts() == {Reason.CORRUPT: 1, Reason.MISSING: 1}
    with open_database(repository) as db:
        assert [change.path for change in diff_trees(db, None, root)] == [b"here"]
        assert db.ledger.counts() == {Reason.CORRUPT: 1, Reason.MISSING: 1}


def test_an_object_that_is_no_tree_is_a_gap(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    blob = ObjectId(bytes.fromhex(run_git(repository, "hash-object", "-w", "--stdin", data=b"text").decode()))
    with open_database(repository) as db:
        assert list(iter_tree_files(db, blob)) == []
        assert list(diff_trees(db, blob, None)) == []
        assert db.ledger.counts() == {Reason.CORRUPT: 2}


def test_a_tree_of_300_levels_is_told_and_not_followed(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha1")
    tree = hash_tree(repository, b"100644 f\0" + b"\x01" * 20)
    for _ in range(300):
        tree = hash_tree(repository, b"40000 d\0" + tree)
    with open_database(repository) as db:
        assert list(iter_tree_files(db, tree)) == []
        assert list(diff_trees(db, None, tree)) == []
        assert db.ledger.counts() == {Reason.UNSUPPORTED: 2}
