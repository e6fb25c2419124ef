"""References kept as reftable, listed by the installed git; and nothing of a hostile repository is run on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.core.errors import UnsupportedError
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.gitobjects.newer_git import require_git, run_newer

pytestmark = pytest.mark.oracle


@pytest.fixture(params=["sha1", "sha256"])
def reftable(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = require_git(2, 45)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    folder = tmp_path / "repository"
    run_newer(tmp_path, "init", "-q", "--ref-format=reftable", f"--object-format={request.param}", str(folder))
    return folder


def fill(folder: Path) -> None:
    for number in range(3):
        run_newer(folder, "commit", "-q", "--allow-empty", "-m", str(number))
        run_newer(folder, "branch", f"topic/{number}")
        run_newer(folder, "tag", "-am", "annotated", f"v{number}")
    run_newer(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/topic/0")
    run_newer(folder, "symbolic-ref", "refs/remotes/origin/unborn", "refs/heads/none")


def agrees(folder: Path) -> None:
    lines = run_newer(folder, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    with ObjectDatabase.open(folder) as database:
        assert {name: oid.hex().encode() for name, oid in database.refs().items()} == {
            line.partition(b" ")[2]: line.partition(b" ")[0] for line in lines
        }
        head = database.head()
        assert head is not None
        assert head.hex().encode() == run_newer(folder, "rev-parse", "HEAD").strip()
        assert database.ledger.complete


def test_references_and_heads_of_worktrees(reftable: Path, tmp_path: Path) -> None:
    with ObjectDatabase.open(reftable) as database:
        assert database.head() is None
        assert database.refs() == {}
        assert database.heads() == {}
    fill(reftable)
    agrees(reftable)
    linked = tmp_path / "linked"
    run_newer(reftable, "worktree", "add", "-q", "--detach", str(linked), "HEAD~1")
    run_newer(linked, "update-ref", "refs/worktree/mark", "HEAD")
    run_newer(reftable, "pack-refs", "--all")
    agrees(reftable)
    agrees(linked)
    with ObjectDatabase.open(linked) as database:
        assert list(database.heads()) == [b"HEAD", b"main-worktree/HEAD"]
    with ObjectDatabase.open(reftable) as database:
        assert list(database.heads()) == [b"HEAD", b"worktrees/linked/HEAD"]
        assert database.heads()[b"worktrees/linked/HEAD"] != database.head()


def test_a_missing_object_behind_a_reference_is_no_obstacle(reftable: Path) -> None:
    fill(reftable)
    blob = run_newer(reftable, "hash-object", "-w", "--stdin", data=b"gone").strip().decode()
    run_newer(reftable, "update-ref", "refs/tags/blob", blob)
    (reftable / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with ObjectDatabase.open(reftable) as database:
        names = set(database.refs())
    assert names >= {b"refs/heads/main", b"refs/heads/topic/1", b"refs/tags/v2"}


def test_nothing_that_the_repository_names_is_run(reftable: Path, tmp_path: Path) -> None:
    fill(reftable)
    trace = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\n: > {trace}\nexit 1\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "pager.for-each-ref", "core.sshCommand", "core.editor", "gpg.program",
                "alias.for-each-ref", "credential.helper", "diff.external", "core.askPass"):
        run_newer(reftable, "config", key, f"!{script}" if key.startswith("alias") else str(script))
    run_newer(reftable, "config", "remote.evil.url", f"ext::{script}")
    run_newer(reftable, "config", "remote.evil.promisor", "true")
    run_newer(reftable, "config", "protocol.ext.allow", "always")
    run_newer(reftable, "config", "extensions.partialClone", "evil")
    hooks = reftable / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-index-change", "fsmonitor-watchman", "pre-auto-gc"):
        (hooks / name).write_text(script.read_text())
        (hooks / name).chmod(0o755)
    blob = run_newer(reftable, "hash-object", "--stdin", data=b"never stored").strip().decode()
    (reftable / "list").write_text(blob)
    with ObjectDatabase.open(reftable) as database:
        assert b"refs/heads/main" in database.refs()
        assert database.head() is not None
    assert not trace.exists()


def test_without_git_it_is_unsupported_and_says_so(
    reftable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(reftable)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    with ObjectDatabase.open(reftable) as database:
        for ask in (database.refs, database.head):
            with pytest.raises(UnsupportedError, match=r"reftable.*no git is installed"):
                ask()
        assert database.count() > 3


def test_a_git_that_cannot_read_them_is_quoted(
    reftable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "git").write_text("#!/bin/sh\necho 'fatal: unknown repository extension found: refstorage' >&2\nexit 128\n")
    (old / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(old))
    with ObjectDatabase.open(reftable) as database, pytest.raises(UnsupportedError, match="unknown repository extension"):
        database.refs()
