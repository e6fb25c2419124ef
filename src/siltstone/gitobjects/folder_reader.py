"""Reads below one folder that cannot be led out of it: every step is opened by name relative to the folder before it.

A symlink on the way stops the read; pipes, sockets and devices are never opened for reading.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from siltstone.gitobjects.ignore import IgnoreRules
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.trees import DEPTH_LIMIT, PATH_LIMIT_BYTES

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not block the open
_OWN_FOLDERS = frozenset({b".git", b".siltstone"})
_IGNORE_FILE_LIMIT_BYTES = 1 << 20  # of one .gitignore; the largest published collections have 30 KB


class FolderReader:
    """One folder, held open; safe to use from several threads until it is closed."""

    def __init__(self, root: Path, ledger: CoverageLedger) -> None:
        self._descriptor = -1
        self._ledger = ledger
        self._lock = threading.Lock()
        self._last: tuple[bytes, int] = (b"", -1)  # the folder opened last: files come sorted, so it is the next one's too
        self._descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the folder; closing twice is harmless."""
        with self._lock:
            self._forget()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __del__(self) -> None:
        self.close()

    def _forget(self) -> None:
        if self._last[1] >= 0:
            os.close(self._last[1])
        self._last = (b"", -1)

    def _open_folder(self, path: bytes) -> int:
        """Return a descriptor of the folder *path* that this object keeps; the caller holds the lock."""
        if not path:
            return self._descriptor
        if self._last[1] >= 0 and self._last[0] == path:
            return self._last[1]
        here = self._descriptor
        try:
            for part in path.split(b"/"):
                if part in (b"", b".", b"..") or part.lower() == b".git":
                    raise OSError(errno.EINVAL, "not a path of the work tree", path)
                below = os.open(part, _FOLDER, dir_fd=here)
                if here != self._descriptor:
                    os.close(here)
                here = below
        except BaseException:
            if here != self._descriptor:
                os.close(here)
            raise
        self._forget()
        self._last = (path, here)
        return here

    def find_status(self, path: bytes) -> os.stat_result | None:
        """Return what ``lstat`` tells of *path*, or None where it is not there (or a symlink stands on the way).

        A path that the system refuses goes to the ledger.
        """
        folder, _, name = path.rpartition(b"/")
        try:
            with self._lock:
                return os.stat(name, dir_fd=self._open_folder(folder), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                self._refused(path, error)
            return None

    def read(self, path: bytes, limit_bytes: int) -> bytes | None:
        """Return the content of the regular file *path*, or None and a gap in the ledger."""
        folder, _, name = path.rpartition(b"/")
        try:
            with self._lock:
                descriptor = os.open(name, _FILE, dir_fd=self._open_folder(folder))
        except OSError as error:
            self._refused(path, error)
            return None
        try:
            return self._read_open(descriptor, path, limit_bytes)
        except OSError as error:
            self._refused(path, error)
            return None
        finally:
            os.close(descriptor)

    def _read_open(self, descriptor: int, path: bytes, limit_bytes: int) -> bytes | None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self._ledger.add(Reason.UNREADABLE, path, "not a regular file")
            return None
        pieces: list[bytes] = []
        size = 0
        while size <= limit_bytes and status.st_size <= limit_bytes:  # the file may grow while it is read
            piece = os.read(descriptor, min(limit_bytes - size, 1 << 24) + 1)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
        self._ledger.add(Reason.OVERSIZE, path, f"more than {limit_bytes} bytes")
        return None

    def _refused(self, path: bytes, error: OSError) -> None:
        detail = os.strerror(error.errno) if error.errno else str(error)
        self._ledger.add(Reason.UNREADABLE, path, detail)

    def walk(self, exclude_file: Path, modules: frozenset[bytes]) -> Iterator[tuple[bytes, os.stat_result]]:
        """Yield files and symlinks that git does not ignore, with their status, in no order that counts.

        *exclude_file* holds the repository's own patterns.  Folders that are repositories themselves go to the ledger as
        SUBMODULE unless they are among *modules*; ``.git`` and ``.siltstone`` are passed over.
        """
        try:
            base = IgnoreRules().below(0, exclude_file.read_bytes()[:_IGNORE_FILE_LIMIT_BYTES])
        except OSError:
            base = IgnoreRules()
        pending: list[tuple[tuple[bytes, ...], IgnoreRules]] = [((), base)]
        while pending:
            parts, rules = pending.pop()
            listed = self._list_folder(b"/".join(parts))
            if listed is None or self._is_repository(parts, listed, modules):
                continue
            own = listed.get(b".gitignore")
            readable = own is not None and stat.S_ISREG(own.st_mode)
            data = self.read(b"/".join((*parts, b".gitignore")), _IGNORE_FILE_LIMIT_BYTES) if readable else None
            rules = rules.below(len(parts), data)
            for name, status in listed.items():
                path, is_folder = (*parts, name), stat.S_ISDIR(status.st_mode)
                if name in _OWN_FOLDERS or rules.ignores(path, is_folder=is_folder):
                    continue
                if is_folder and self._within_limits(path):
                    pending.append((path, rules))
                elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    yield b"/".join(path), status

    def _is_repository(
        self, parts: tuple[bytes, ...], listed: dict[bytes, os.stat_result], modules: frozenset[bytes]
    ) -> bool:
        path = b"/".join(parts)
        if parts and path not in modules and b".git" in listed:
            self._ledger.add(Reason.SUBMODULE, path, "a repository of its own")
            return True
        return path in modules

    def _within_limits(self, path: tuple[bytes, ...]) -> bool:
        if len(path) <= DEPTH_LIMIT and sum(map(len, path)) + len(path) <= PATH_LIMIT_BYTES:
            return True
        self._ledger.add(Reason.UNSUPPORTED, b"/".join(path)[:200], "too deep")
        return False

    def _list_folder(self, path: bytes) -> dict[bytes, os.stat_result] | None:
        listed: dict[bytes, os.stat_result] = {}
        try:
            with self._lock:
                descriptor = self._open_folder(path)
                with os.scandir(descriptor) as names:
                    for name in names:
                        listed[os.fsencode(name.name)] = name.stat(follow_symlinks=False)
        except OSError as error:
            self._refused(path or b".", error)
            return None
        return listed
