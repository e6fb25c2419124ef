"""Files of an index, of HEAD and of a walk, against git; reads that cannot be led astray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, UnsupportedError
from siltstone.gitobjects.git_index import parse_git_index, read_git_index
from siltstone.gitobjects.ids import ALGORITHMS, SHA1, Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.worktree import WorkFile, WorkTree
from tests.gitobjects.histories import FORMATS, STRANGE_NAMES, make_history, run_git


def make_checkout(folder: Path, format_name: str = "sha1") -> Path:
    """Return a work tree with one commit of strange names, a symlink, an executable and a submodule."""
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main", f"--object-format={format_name}")
    for depth, name in enumerate(STRANGE_NAMES):
        path = os.path.join(os.fsencode(folder), *[b"level"] * (depth % 3), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"content of " + name)
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "empty").write_bytes(b"")
    (folder / "link").symlink_to("run.sh")
    (folder / "long" / ("n" * 200)).mkdir(parents=True)
    (folder / "long" / ("n" * 200) / ("m" * 250)).write_bytes(b"a name over 4095 bits of length field? no, 455 bytes")
    run_git(folder, "add", "-A")
    module = "12" * ALGORITHMS[format_name].size
    (folder / "module").mkdir()
    run_git(folder, "update-index", "--add", "--cacheinfo", f"160000,{module},module")
    run_git(folder, "commit", "-q", "-m", "one")
    return folder


def make_old(folder: Path) -> None:
    """Let every file be older than the index, so that no time is in doubt."""
    for path in folder.rglob("*"):
        if ".git" not in path.parts and path.is_file():
            os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    run_git(folder, "update-index", "--refresh")


def listed_by_git(folder: Path) -> list[tuple[bytes, int, bytes, int]]:
    rows = []
    for row in run_git(folder, "ls-files", "-s", "-z").split(b"\0")[:-1]:
        words, path = row.split(b"\t", 1)
        mode, oid, stage = words.split()
        rows.append((path, int(mode, 8), bytes.fromhex(oid.decode()), int(stage)))
    return rows


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("version", [2, 3, 4])
def test_index_equals_git_ls_files(tmp_path: Path, format_name: str, version: int) -> None:
    folder = make_checkout(tmp_path / "checkout", format_name)
    if version == 3:
        (folder / "later").write_bytes(b"")
        run_git(folder, "add", "-N", "later")
    else:
        run_git(folder, "update-index", "--index-version", str(version))
    assert (folder / ".git" / "index").read_bytes()[7] == version
    entries = read_git_index(folder / ".git" / "index", ALGORITHMS[format_name])
    assert [(entry.path, entry.mode, entry.oid, entry.stage) for entry in entries] == listed_by_git(folder)
    assert [entry.path for entry in entries if entry.intent_to_add] == ([b"later"] if version == 3 else [])


@pytest.mark.oracle
def test_stages_of_a_conflict_are_told_apart(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    for branch, text in (("one", b"1\n"), ("two", b"2\n")):
        run_git(folder, "checkout", "-q", "-b", branch, "main")
        (folder / "both").write_bytes(text)
        run_git(folder, "add", "both")
        run_git(folder, "commit", "-q", "-m", branch)
    with pytest.raises(AssertionError):
        run_git(folder, "merge", "-q", "one")
    entries = read_git_index(folder / ".git" / "index", SHA1)
    assert [(entry.path, entry.mode, entry.oid, entry.stage) for entry in entries] == listed_by_git(folder)
    with ObjectDatabase.open(folder) as db, WorkTree(db) as tree:
        assert [file.oid for file in tree.list_files() if file.path == b"both"] == [None]


@pytest.mark.oracle
@pytest.mark.parametrize("cone", [True, False])
def test_a_sparse_checkout_is_read_whole(tmp_path: Path, cone: bool) -> None:
    folder = make_checkout(tmp_path / "checkout")
    with ObjectDatabase.open(folder) as db, WorkTree(db, "head") as tree:
        whole = {file.path: tree.read(file) for file in tree.list_files()}
    words = ["--cone", "--sparse-index", "long"] if cone else ["--no-cone", "/long/"]
    run_git(folder, "sparse-checkout", "set", *words)
    assert not (folder / "level").exists()
    with ObjectDatabase.open(folder) as db, WorkTree(db) as tree:
        assert {file.path: tree.read(file) for file in tree.list_files()} == whole
        assert db.ledger.counts() == {Reason.SUBMODULE: 1}


@pytest.mark.oracle
@pytest.mark.parametrize("format_name", FORMATS)
def test_index_and_head_hold_the_same_files(tmp_path: Path, format_name: str) -> None:
    folder = make_checkout(tmp_path / "checkout", format_name)
    make_old(folder)
    with ObjectDatabase.open(folder) as db, WorkTree(db) as index, WorkTree(db, "head") as head:
        assert (index.source, head.source) == ("index", "head")
        tracked, committed = index.list_files(), head.list_files()
        expected = [row for row in listed_by_git(folder) if row[1] != 0o160000]
        assert [(file.path, file.mode, file.oid) for file in committed] == [row[:3] for row in expected]
        assert [(file.path, file.mode, file.oid) for file in tracked] == [row[:3] for row in expected]
        for left, right in zip(tracked, committed, strict=True):
            assert index.read(left) == head.read(right)
            if left.path != b"link":
                assert db.algorithm.object_id(Kind.BLOB, index.read(left) or b"") == left.oid
                assert left.size == len(index.read(left) or b"")
        assert db.ledger.counts() == {Reason.SUBMODULE: 2}


@pytest.mark.oracle
def test_a_linked_work_tree_has_an_index_of_its_own(tmp_path: Path) -> None:
    folder, linked = make_checkout(tmp_path / "checkout"), tmp_path / "linked"
    run_git(folder, "worktree", "add", "-q", "-b", "other", str(linked))
    run_git(linked, "rm", "-q", "plain")
    expected = [row[0] for row in listed_by_git(linked) if row[1] != 0o160000]
    with ObjectDatabase.open(linked) as db, WorkTree(db) as tree:
        assert [file.path for file in tree.list_files()] == expected
        assert all(tree.read(file) is not None for file in tree.list_files() if file.path != b"link")


@pytest.mark.oracle
def test_blobs_left_out_by_a_partial_clone_are_told(tmp_path: Path) -> None:
    origin = make_history(tmp_path / "origin", "sha1", 32)
    run_git(origin, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", origin.as_uri(), str(clone))
    with ObjectDatabase.open(clone) as db, WorkTree(db) as tree:
        files = [file for file in tree.list_files() if file.mode != 0o120000]
        assert files
        assert [tree.read(file) for file in files] == [None] * len(files)
        assert db.ledger.counts()[Reason.PROMISED] == len(files)


def test_an_index_over_its_budget_is_refused(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    with ObjectDatabase.open(folder, budget=Budget(index=100)) as db, pytest.raises(BudgetExceeded):
        WorkTree(db).list_files()


@pytest.mark.oracle
def test_a_bare_repository_is_read_from_head(tmp_path: Path) -> None:
    repository = make_history(tmp_path / "bare", "sha256", 31)
    with ObjectDatabase.open(repository) as db, WorkTree(db) as tree:
        assert tree.source == "head"
        rows = run_git(repository, "ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]
        expected = [row.split(b"\t", 1)[1] for row in rows if not row.startswith(b"160000")]
        assert [file.path for file in tree.list_files()] == expected
        with pytest.raises(ConfigError):
            WorkTree(db, "index")


def test_changed_files_lose_their_id_and_deleted_ones_go(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    make_old(folder)
    (folder / "empty").write_bytes(b"no more")
    (folder / "run.sh").unlink()
    with ObjectDatabase.open(folder) as db, WorkTree(db) as tree:
        files = {file.path: file for file in tree.list_files()}
        assert files[b"empty"] == WorkFile(b"empty", 0o100644, 7, None)
        assert b"run.sh" not in files
        assert files[b"plain"].oid is not None
        assert tree.read(files[b"empty"]) == b"no more"


def test_a_repository_without_commits_has_no_files(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    run_git(folder, "init", "-q")
    (folder / "new").write_bytes(b"")
    with ObjectDatabase.open(folder) as db:
        assert WorkTree(db, "index").list_files() == WorkTree(db, "head").list_files() == []
        assert [file.path for file in WorkTree(db, "walk").list_files()] == [b"new"]
        with pytest.raises(ConfigError):
            WorkTree(db, "sideways")


@pytest.mark.oracle
def test_a_walk_lists_what_git_lists(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    for name in ("a.log", "level/b.log", "level/keep.log", "build/x/y.c", "build/tracked.c", "deep/er/c.tmp", "deep/d.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / ".gitignore").write_bytes(b"*.log\n/build/\n")
    (folder / "level" / ".gitignore").write_bytes(b"!keep.log\n")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_bytes(b"*.tmp\n")
    run_git(folder, "add", "-f", "build/tracked.c")
    (folder / "nested").mkdir()
    run_git(folder / "nested", "init", "-q")
    (folder / "nested" / "file").write_bytes(b"")
    run_git(folder / "nested", "add", "file")
    run_git(folder / "nested", "commit", "-q", "-m", "m")
    (folder / "module" / "inside").write_bytes(b"")
    (folder / ".siltstone").mkdir()
    (folder / ".siltstone" / "graph.db").write_bytes(b"")
    (folder / "outside").symlink_to("/")
    os.mkfifo(folder / "pipe")
    printed = run_git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(b"\0")[:-1]
    expected = {path for path in printed if path not in (b"module", b"nested/", b".siltstone/graph.db", b"pipe")}
    with ObjectDatabase.open(folder) as db, WorkTree(db, "walk") as tree:
        assert {file.path for file in tree.list_files()} == expected
        assert db.ledger.counts() == {Reason.SUBMODULE: 2}


def read_one(folder: Path, path: bytes, budget: Budget | None = None) -> tuple[bytes | None, dict[Reason, int]]:
    with ObjectDatabase.open(folder, budget=budget) as db, WorkTree(db) as tree:
        return tree.read(WorkFile(path, 0o100644, 1, None)), db.ledger.counts()


def test_reads_do_not_leave_the_work_tree(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    (tmp_path / "secret").write_bytes(b"outside")
    (folder / "out").symlink_to(tmp_path)
    (folder / "file").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    for path in (b"out/secret", b"file", b"../secret", b"pipe", b".git/config", b"level", b"gone", b"plain/x", b"a//b"):
        assert read_one(folder, path) == (None, {Reason.UNREADABLE: 1}), path


def test_large_files_and_lfs_pointers_are_told(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
    (folder / "pointer.bin").write_bytes(pointer)
    (folder / "large").write_bytes(bytes(2_000))
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-q", "-m", "two")
    assert read_one(folder, b"pointer.bin") == (None, {Reason.LFS_POINTER: 1})
    assert read_one(folder, b"large", Budget(file=1_999)) == (None, {Reason.OVERSIZE: 1})
    assert read_one(folder, b"large", Budget(file=2_000)) == (bytes(2_000), {})
    with ObjectDatabase.open(folder, budget=Budget(file=1_999)) as db, WorkTree(db, "head") as tree:
        files = {file.path: file for file in tree.list_files()}
        assert tree.read(files[b"large"]) is None
        assert tree.read(files[b"pointer.bin"]) is None
        assert db.ledger.counts() == {Reason.SUBMODULE: 1, Reason.OVERSIZE: 1, Reason.LFS_POINTER: 1}


UNREADABLE_SCRIPT = """
import os, sys
from siltstone.gitobjects.folder_reader import FolderReader
from siltstone.gitobjects.ledger import CoverageLedger
from pathlib import Path
os.setgid(65534)
os.setuid(65534)
ledger = CoverageLedger()
reader = FolderReader(Path(sys.argv[1]), ledger)
assert reader.read(b"closed", 100) is None
assert reader.find_status(b"shut/inside") is None
assert reader.read(b"open", 100) == b"text"
assert [path for path, _ in reader.walk(Path("/nonexistent"), frozenset())].sort() is None
sys.stdout.write(str(ledger.as_dict()["counts"]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed, and only root can become one")
def test_what_the_system_refuses_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "shut").mkdir(parents=True)
    (folder / "open").write_bytes(b"text")
    (folder / "closed").write_bytes(b"text")
    (folder / "closed").chmod(0)
    (folder / "shut").chmod(0)
    for path in (folder, *folder.parents[:3]):
        path.chmod(path.stat().st_mode | 0o755)
    done = subprocess.run(
        [sys.executable, "-c", UNREADABLE_SCRIPT, str(folder)], capture_output=True, text=True, timeout=60, check=False,
    )
    assert (done.stdout, done.returncode) == ("{'unreadable': 3}", 0), done.stderr


def index_bytes(folder: Path) -> bytes:
    return (folder / ".git" / "index").read_bytes()


def with_checksum(body: bytes) -> bytes:
    import hashlib

    return body + hashlib.sha1(body).digest()


def test_every_damage_of_an_index_is_found(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    data = index_bytes(folder)
    for size in range(0, len(data), 7):
        with pytest.raises(CorruptDataError):
            parse_git_index(data[:size], SHA1)
    for place in range(0, len(data), 11):
        damaged = bytearray(data)
        damaged[place] ^= 0x40
        with pytest.raises((CorruptDataError, UnsupportedError)):
            parse_git_index(bytes(damaged), SHA1)


@pytest.mark.parametrize(("signature", "error"), [
    (b"link", UnsupportedError), (b"zzzz", UnsupportedError), (b"sdir", None), (b"ZZZZ", None),
])
def test_mandatory_extensions_are_refused(tmp_path: Path, signature: bytes, error: type[Exception] | None) -> None:
    folder = make_checkout(tmp_path / "checkout")
    data = with_checksum(index_bytes(folder)[:-20] + signature + bytes(4))
    if error is None:
        assert parse_git_index(data, SHA1) == parse_git_index(index_bytes(folder), SHA1)
    else:
        with pytest.raises(error):
            parse_git_index(data, SHA1)


@pytest.mark.oracle
def test_a_split_index_is_refused(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    run_git(folder, "update-index", "--split-index")
    with ObjectDatabase.open(folder) as db, pytest.raises(UnsupportedError):
        WorkTree(db).list_files()


@pytest.mark.parametrize("path", [b"../x", b"/x", b"a//b", b".git/config", b"a/.GIT/x", b"a/./b", b""])
def test_an_index_that_points_outside_is_corrupt(path: bytes) -> None:
    entry = bytes(24) + (0o100644).to_bytes(4, "big") + bytes(12) + bytes(20) + len(path).to_bytes(2, "big") + path
    entry += bytes(8 - len(entry) % 8)
    data = with_checksum(b"DIRC" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + entry)
    with pytest.raises(CorruptDataError):
        parse_git_index(data, SHA1)


def test_an_index_without_checksum_is_read(tmp_path: Path) -> None:
    folder = make_checkout(tmp_path / "checkout")
    entries = parse_git_index(index_bytes(folder), SHA1)
    assert parse_git_index(index_bytes(folder)[:-20] + bytes(20), SHA1) == entries
    assert entries[0].oid == ObjectId(bytes(entries[0].oid))
