"""Fetching makes a bare copy, updates it, and leaves nothing behind when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone.core import Cancelled, ConfigError, Progress, StoreError
from siltstone.gitobjects.clone import fetch_bare, is_url, redact_url


def commit(git: Callable[..., bytes], folder: Path, name: str) -> None:
    (folder / name).write_text(name)
    git(folder, "add", name)
    git(folder, "commit", "-q", "-m", name)


def test_a_copy_holds_all_refs_and_can_be_updated(repository: Path, git: Callable[..., bytes], tmp_path: Path) -> None:
    commit(git, repository, "a")
    git(repository, "branch", "other")
    copy = fetch_bare(repository.as_uri(), tmp_path / "copy.git")
    assert git(copy, "rev-parse", "main", "other") == git(repository, "rev-parse", "main", "other")
    commit(git, repository, "b")
    git(repository, "branch", "-D", "other")
    fetch_bare(repository.as_uri(), copy)
    assert git(copy, "for-each-ref", "--format=%(objectname) %(refname)") == git(
        repository, "for-each-ref", "--format=%(objectname) %(refname)"
    )


def test_a_failed_clone_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        fetch_bare((tmp_path / "absent").as_uri(), tmp_path / "copy.git")
    assert os.listdir(tmp_path) == []


def test_a_stop_before_the_transfer_leaves_nothing(repository: Path, git: Callable[..., bytes], tmp_path: Path) -> None:
    commit(git, repository, "a")
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        fetch_bare(repository.as_uri(), tmp_path / "copy.git", progress=progress)
    assert not (tmp_path / "copy.git").exists()


def test_another_url_does_not_overwrite_a_copy(repository: Path, git: Callable[..., bytes], tmp_path: Path) -> None:
    commit(git, repository, "a")
    copy = fetch_bare(repository.as_uri(), tmp_path / "copy.git")
    with pytest.raises(ConfigError, match="holds a copy of"):
        fetch_bare("https://example.com/x.git", copy)


@pytest.mark.parametrize("url", ["https://user:pw@example.com/x", "https://token@example.com/x", "ext::sh -c id", "ext://x"])
def test_credentials_and_strange_transports_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        fetch_bare(url, tmp_path / "copy.git")
    assert "pw" not in str(caught.value)


def test_urls_are_told_from_folders() -> None:
    assert is_url("https://example.com/x.git")
    assert is_url("git@example.com:x/y.git")
    assert not is_url("./x")
    assert not is_url("C:repo")
    assert redact_url("https://u:p@example.com/x") == "https://example.com/x"
