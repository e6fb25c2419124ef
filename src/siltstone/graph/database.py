"""Connections to ``graph.db``: pragmas, the lock of the one writer, and SQLite's failures as our errors.

A writer holds ``graph.lock`` (``flock``: it ends with its process, so a crash leaves no stale lock).  A reader takes no
lock file; it opens for writing where it may, because only then can SQLite roll back what a killed writer left behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from siltstone.core.errors import CorruptDataError, NotFoundError, SiltstoneError, StoreError

Connection = sqlite3.Connection  # for the modules beside this one, which import no sqlite3

LOCK_NAME = "graph.lock"
FIRST_SAFE_WAL = (3, 51, 3)  # before it two connections in WAL mode can lose committed pages (sqlite.org, WAL-reset bug)
_BUSY_SECONDS = 10.0
_CACHE_KIB = 64 << 10  # dirty pages above it spill early, and from then on readers wait for the commit


class WriterLock:
    """The right to write a store; held until `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        """Take the lock of *directory*. Raises StoreError, naming the process, where another holds it."""
        path = directory / LOCK_NAME
        self._descriptor = -1
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "another"
            os.close(descriptor)
            raise StoreError(f"locked by process {holder}", store=str(directory)) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    @property
    def released(self) -> bool:
        """Whether the lock was given back."""
        return self._descriptor < 0

    def release(self) -> None:
        """Let the next writer in; releasing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def journal_mode(version: tuple[int, int, int] = sqlite3.sqlite_version_info[:3]) -> str:
    """Return the journal that is safe with this SQLite: ``wal``, or ``delete`` before 3.51.3."""
    return "wal" if version >= FIRST_SAFE_WAL else "delete"


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open or create the database for the holder of the lock; transactions are begun by hand."""
    connection = _connect(path, "rwc")
    try:
        with translated(path):
            connection.execute(f"PRAGMA journal_mode = {journal_mode()}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database; usable from any thread, one at a time."""
    connection = _connect(path, "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro")
    try:
        with translated(path):
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if path.is_symlink():  # a repository could bring a link along that points out of the store
        raise StoreError("is a symbolic link; remove it, or choose another --output", store=str(path))
    if mode != "rwc" and not path.exists():
        raise NotFoundError("no graph; make one with `silt ingest`", name=str(path))
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"
    with translated(path):
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
        )
    try:
        with translated(path):
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the open transaction, if SQLite has not done so itself; the next opening does it where this fails."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn a failure of SQLite inside the block into one of `core.errors` or an OSError about *path*."""
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning(error, path) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Like `translated`; besides, a stored value of the wrong type or range is damage and becomes CorruptDataError."""
    try:
        with translated(path):
            yield
    except SiltstoneError:
        raise
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CorruptDataError(f"a stored value is damaged ({type(error).__name__})", source=str(path)) from error


def _meaning(error: sqlite3.Error, path: Path) -> Exception:
    """Return what *error* means; see sqlite.org/rescode.html for the primary result codes."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    name = str(path)
    if primary in _SYSTEM_ERRORS:
        number = _SYSTEM_ERRORS[primary]
        return OSError(number, os.strerror(number), name)
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError("locked: another process is writing it", store=name)
    if primary == sqlite3.SQLITE_CANTOPEN:
        return _why_not_opened(path)
    if primary == sqlite3.SQLITE_NOMEM:
        return MemoryError(str(error))
    return CorruptDataError(f"the database is damaged ({error})", source=name)


_SYSTEM_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}


def _why_not_opened(path: Path) -> OSError | StoreError:
    """Return the system's reason why *path* cannot be opened, found by asking again."""
    try:
        os.close(os.open(path if path.exists() else path.parent, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error
    if not os.access(path.parent, os.W_OK):
        return OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return StoreError("cannot be opened", store=str(path))
