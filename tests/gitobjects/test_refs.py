"""References against ``git for-each-ref``; damaged ones are told, dangerous ones not followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone.core.errors import CorruptDataError, UnsupportedError
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

Git = Callable[..., bytes]


def listed(git: Git, folder: Path) -> dict[bytes, bytes]:
    lines = git(folder, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    return {line[line.index(b" ") + 1 :]: bytes.fromhex(line.split()[0].decode()) for line in lines}


def head_of(git: Git, folder: Path) -> bytes:
    return bytes.fromhex(git(folder, "rev-parse", "HEAD").strip().decode())


@pytest.fixture
def branches(repository: Path, git: Git) -> Path:
    for number in range(3):
        git(repository, "commit", "-q", "--allow-empty", "-m", str(number))
        git(repository, "branch", f"topic/{number}")
        git(repository, "tag", "-am", "annotated", f"v{number}")
    return repository


def agrees(git: Git, folder: Path) -> None:
    with ObjectDatabase.open(folder) as database:
        assert database.refs() == listed(git, folder)
        assert list(database.refs()) == sorted(database.refs())
        assert database.head() == head_of(git, folder)
        assert database.ledger.complete


@pytest.mark.oracle
def test_loose_packed_mixed_and_symbolic(branches: Path, git: Git) -> None:
    agrees(git, branches)
    git(branches, "pack-refs", "--all")
    agrees(git, branches)
    git(branches, "commit", "-q", "--allow-empty", "-m", "after")
    git(branches, "branch", "-D", "topic/1")
    git(branches, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/topic/0")
    git(branches, "symbolic-ref", "refs/remotes/origin/unborn", "refs/heads/none")
    agrees(git, branches)
    git(branches, "checkout", "-q", "--detach", "HEAD~1")
    agrees(git, branches)


@pytest.mark.oracle
def test_a_linked_worktree_has_references_of_its_own(branches: Path, tmp_path: Path, git: Git) -> None:
    git(branches, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "HEAD~1")
    git(tmp_path / "linked", "update-ref", "refs/worktree/mark", "HEAD")
    git(branches, "update-ref", "refs/worktree/other", "HEAD")
    for folder in (branches, tmp_path / "linked"):
        agrees(git, folder)


def test_an_unborn_head_is_none(repository: Path) -> None:
    with ObjectDatabase.open(repository) as database:
        assert database.head() is None
        assert database.refs() == {}
        assert database.count() == 0
        assert list(database.iter_ids()) == []
        assert list(database.walk_objects([])) == []


@pytest.mark.oracle
def test_shallow_commits_are_known(branches: Path, tmp_path: Path, git: Git) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{branches}", "shallow")
    with ObjectDatabase.open(tmp_path / "shallow") as database:
        assert database.shallow_commits() == {head_of(git, tmp_path / "shallow")}
    with ObjectDatabase.open(branches) as database:
        assert database.shallow_commits() == frozenset()
    (tmp_path / "shallow" / ".git" / "shallow").write_text("nonsense\n")
    with ObjectDatabase.open(tmp_path / "shallow") as database, pytest.raises(CorruptDataError):
        database.shallow_commits()


@pytest.mark.parametrize("text", ["", "zz", "a" * 39, "a" * 41, "é" * 20])
def test_damaged_references_are_told(branches: Path, text: str) -> None:
    (branches / ".git" / "refs" / "heads" / "bad").write_text(text)
    with (branches / ".git" / "packed-refs").open("a") as file:
        file.write("not a line\n")
    with ObjectDatabase.open(branches) as database:
        assert b"refs/heads/bad" not in database.refs()
        assert b"refs/heads/main" in database.refs()
        assert database.ledger.counts()[Reason.CORRUPT] >= 2


@pytest.mark.parametrize("target", ["../../../secret", "/etc/hostname", "refs//x", "refs/heads/loop", ""])
def test_symbolic_references_stay_inside(branches: Path, target: str) -> None:
    (branches.parent / "secret").write_text("a" * 40)
    (branches / ".git" / "refs" / "heads" / "loop").write_text(f"ref: {target}\n")
    with ObjectDatabase.open(branches) as database:
        assert b"refs/heads/loop" not in database.refs()


def test_a_pipe_among_the_references_does_not_block(branches: Path) -> None:
    os.mkfifo(branches / ".git" / "refs" / "heads" / "pipe")
    with ObjectDatabase.open(branches) as database:
        assert b"refs/heads/pipe" not in database.refs()
        assert database.ledger.counts() == {Reason.CORRUPT: 1}


def test_a_head_of_nothing_is_corrupt(branches: Path) -> None:
    (branches / ".git" / "HEAD").write_text("nothing\n")
    with ObjectDatabase.open(branches) as database, pytest.raises(CorruptDataError):
        database.head()


def test_reftable_is_refused_but_objects_are_read(branches: Path, git: Git) -> None:
    git(branches, "config", "core.repositoryformatversion", "1")
    git(branches, "config", "extensions.refStorage", "reftable")
    with ObjectDatabase.open(branches) as database:
        for call in (database.refs, database.head):
            with pytest.raises(UnsupportedError, match="reftable"):
                call()
        assert database.count() > 0


def test_references_are_read_as_git_reads_them(branches: Path, git: Git) -> None:
    git(branches, "pack-refs", "--all")
    git(branches, "symbolic-ref", "refs/heads/topic/0", "refs/heads/nowhere")  # hides the packed one
    (branches / ".git/refs/heads/more").write_bytes(git(branches, "rev-parse", "HEAD").strip() + b"\tand words\n")
    agrees(git, branches)
    assert b"refs/heads/topic/0" not in listed(git, branches)


@pytest.mark.parametrize("packed", [False, True])
def test_names_that_references_cannot_have_are_left_out(branches: Path, git: Git, packed: bool) -> None:
    digits = git(branches, "rev-parse", "HEAD").strip()
    bad = [b"refs/heads/" + name for name in (b"a..b", b"a b", b"a~", b"a\x7f", b"a@{b", b"end.", b"in.lock/x", b"back\\")]
    if packed:
        lines = git(branches, "for-each-ref", "--format=%(objectname) %(refname)") + digits + b" " + bad[0] + b"\n"
        (branches / ".git/packed-refs").write_bytes(lines)
        bad = bad[:1]
    for name in [b"refs/heads/.hidden", *([] if packed else bad)]:
        path = branches / ".git" / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(digits + b"\n")
    if not packed:
        (branches / ".git/refs/heads/zero").write_bytes(b"0" * len(digits) + b"\n")
    with ObjectDatabase.open(branches) as database:
        assert database.refs() == listed(git, branches)
        assert database.ledger.counts() == {Reason.CORRUPT: len(bad) + (not packed)}
