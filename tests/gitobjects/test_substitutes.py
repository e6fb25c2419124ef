"""Grafts, replace references and the HEADs of other worktrees, held to what git follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

pytestmark = pytest.mark.oracle
Git = Callable[..., bytes]


def commits(git: Git, folder: Path, count: int) -> list[str]:
    """Return new commits, oldest first."""
    names = []
    for number in range(count):
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
        names.append(git(folder, "rev-parse", "HEAD").decode().strip())
    return names


def oid(name: str) -> ObjectId:
    return ObjectId(bytes.fromhex(name))


@pytest.fixture(params=["sha1", "sha256"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, git: Git) -> Path:
    path = tmp_path / "repository"
    git(tmp_path, "init", "-q", f"--object-format={request.param}", str(path))
    return path


def test_grafts_are_read_as_git_reads_them(folder: Path, git: Git) -> None:
    names = commits(git, folder, 5)
    lines = [
        "# a remark", "", f"{names[4]} {names[1]} {names[0]}", f"{names[4]} {names[3]}", f"{names[2]}", f"{names[1]} nonsense",
        f"{names[3]}  {names[0]}", f"{names[3][:-1]}",
    ]
    (folder / ".git" / "info" / "grafts").write_text("\n".join(lines) + "\r\n")
    with ObjectDatabase.open(folder) as database:
        grafts = database.grafts()
        assert grafts == {oid(names[4]): (oid(names[1]), oid(names[0])), oid(names[2]): ()}
        assert database.ledger.counts() == {Reason.CORRUPT: 3}
    shown = git(folder, "rev-list", "--all", "--parents").decode().split("\n")
    assert [names[4], names[1], names[0]] in [line.split() for line in shown]
    (folder / ".git" / "info" / "grafts").unlink()
    with ObjectDatabase.open(folder) as database:
        assert database.grafts() == {}


def test_replacements_are_led_to_their_end(folder: Path, git: Git) -> None:
    names = commits(git, folder, 8)
    git(folder, "replace", names[0], names[1])
    git(folder, "replace", names[1], names[2])
    git(folder, "update-ref", "refs/replace/nonsense", names[0])
    with ObjectDatabase.open(folder) as database:
        found = database.replacements()
        assert found == {oid(names[0]): oid(names[2]), oid(names[1]): oid(names[2])}
        assert database.ledger.counts() == {Reason.CORRUPT: 1}
    git(folder, "update-ref", "-d", "refs/replace/nonsense")
    for number in range(2, 7):
        git(folder, "update-ref", f"refs/replace/{names[number]}", names[number + 1])
    with ObjectDatabase.open(folder) as database:
        found = database.replacements()
    for number in range(7):  # git refuses what leads too far
        try:
            shown = git(folder, "cat-file", "-p", names[number])
        except AssertionError:
            assert oid(names[number]) not in found
            continue
        assert shown == git(folder, "--no-replace-objects", "cat-file", "-p", found[oid(names[number])].hex())
    assert 0 < len(found) < 7
    git(folder, "config", "core.useReplaceRefs", "false")
    with ObjectDatabase.open(folder) as database:
        assert database.replacements() == {}


def test_heads_of_all_worktrees_are_where_git_starts(folder: Path, tmp_path: Path, git: Git) -> None:
    names = commits(git, folder, 3)
    for number in range(2):
        linked = tmp_path / f"linked{number}"
        git(folder, "worktree", "add", "-q", "--detach", str(linked), names[number])
        git(linked, "commit", "-q", "--allow-empty", "-m", f"only in worktree {number}")
    git(folder, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (folder / ".git" / "worktrees" / "linked1" / "HEAD").write_text("nonsense")
    with ObjectDatabase.open(folder) as database:
        heads = database.heads()
        assert list(heads) == [b"HEAD", b"worktrees/linked0/HEAD", b"worktrees/side/HEAD"]
        assert database.ledger.counts() == {Reason.CORRUPT: 1}
        starts = {found.hex() for found in {*heads.values(), *database.refs().values()}}
    reached = set(git(folder, "rev-list", *sorted(starts)).split())
    assert reached == set(git(folder, "rev-list", "--all").split())
    assert len(reached) == 4
    with ObjectDatabase.open(tmp_path / "linked0") as database:
        assert list(database.heads()) == [b"HEAD", b"main-worktree/HEAD", b"worktrees/side/HEAD"]


def test_a_head_that_is_a_symbolic_link(folder: Path, git: Git) -> None:
    names = commits(git, folder, 1)
    head = folder / ".git" / "HEAD"
    head.unlink()
    head.symlink_to("refs/heads/main")
    (folder / ".git" / "refs" / "heads" / "link").symlink_to("refs/heads/main")
    with ObjectDatabase.open(folder) as database:
        assert database.head() == oid(names[0])
        assert database.refs()[b"refs/heads/link"] == oid(names[0])
    assert git(folder, "rev-parse", "HEAD", "refs/heads/link").split() == [names[0].encode()] * 2
    head.unlink()
    head.symlink_to("refs/heads/unborn")
    with ObjectDatabase.open(folder) as database:
        assert database.head() is None
