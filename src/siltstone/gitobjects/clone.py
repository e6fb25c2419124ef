"""Fetches a repository into a bare folder of ours, with libgit2: no hook, filter or helper program of anybody runs.

The only module that imports pygit2.  Credentials come from a callback, never from an argument; user information in a URL
is refused, because it would end up in logs and process lists.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from siltstone.core.errors import ConfigError, StoreError
from siltstone.core.progress import NO_PROGRESS, Progress

Credentials = Callable[[str], tuple[str, str] | None]  # URL without user information -> (user name, secret)

_SCHEMES = ("https", "http", "git", "ssh", "file")
_SCP_LIKE = re.compile(r"^[\w.-]+@[\w.-]+:[^/\\]")


def is_url(text: str) -> bool:
    """Return whether *text* names a repository elsewhere rather than a folder."""
    return "://" in text or bool(_SCP_LIKE.match(text))


def redact_url(url: str) -> str:
    """Return *url* without the user information, fit for messages and for keeping."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, parts.fragment))


def fetch_bare(
    url: str, folder: Path, *, credentials: Credentials | None = None, progress: Progress = NO_PROGRESS
) -> Path:
    """Clone *url* into the bare repository *folder*, or update what is there; return *folder*.

    A clone that fails or is interrupted leaves nothing behind; an update that fails leaves the repository as it was.
    Raises ConfigError for a URL of an unknown form and StoreError where the other side cannot be reached.
    """
    check_url(url)
    progress.stage("fetch")
    if (folder / "HEAD").exists():
        _fetch(url, folder, credentials, progress)
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _create(url, partial)
        _fetch(url, partial, credentials, progress)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def check_url(url: str) -> None:
    """Raise ConfigError for a URL of an unknown form, or one that holds credentials."""
    if _SCP_LIKE.match(url):
        return
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"expected one of {', '.join(_SCHEMES)}, got {parts.scheme!r}", field="url")
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise ConfigError("credentials do not belong into a URL: it is shown in logs and process lists", field="url")


def _callbacks(url: str, credentials: Credentials | None, progress: Progress) -> Any:
    import pygit2

    class Callbacks(pygit2.RemoteCallbacks):  # type: ignore[misc]
        def transfer_progress(self, stats: Any) -> None:
            progress.check()

        def sideband_progress(self, _text: str) -> None:
            progress.check()

        def credentials(self, _url: str, _name: str | None, _allowed: Any) -> Any:
            pair = credentials(redact_url(url)) if credentials else None
            if pair is None:
                raise StoreError("credentials are needed", store=redact_url(url))
            return pygit2.UserPass(*pair)

    return Callbacks()


def _create(url: str, folder: Path) -> None:
    import pygit2

    pygit2.init_repository(str(folder), bare=True).remotes.create("origin", url, "+refs/*:refs/*")


def _fetch(url: str, folder: Path, credentials: Credentials | None, progress: Progress) -> None:
    import pygit2

    callbacks = _callbacks(url, credentials, progress)
    try:
        repository = pygit2.Repository(str(folder))
        remote = repository.remotes["origin"]
        if remote.url != url:
            raise ConfigError(f"{folder} holds a copy of {redact_url(remote.url or '')}", field="url")
        with progress.deferred():
            remote.fetch(prune=pygit2.enums.FetchPrune.PRUNE, callbacks=callbacks)
        progress.check()
        head = next((entry.symref_target for entry in remote.list_heads(callbacks=callbacks) if entry.name == "HEAD"), None)
        if head:
            repository.set_head(head)
    except (pygit2.GitError, KeyError) as error:
        progress.check()  # libgit2 ends with an error of its own where a callback stopped it
        raise StoreError(f"cannot be fetched: {_reason(error, url)}", store=redact_url(url)) from error


def _reason(error: Exception, url: str) -> str:
    return str(error).replace(url, redact_url(url)) or type(error).__name__
