"""Files that are whole or absent, and reads of files that somebody else may change.

Writers: a temporary file in the same folder, fsync, rename, fsync of the folder.  Readers of foreign files use ``pread``
windows and never a mapping: a mapped file that shrinks kills the process.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from siltstone.core.errors import CorruptDataError

TEMPORARY_SUFFIX = ".partial"
_PRIVATE_FOLDER = 0o700


def sync_directory(path: Path) -> None:
    """Make the names in *path* durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644, sync: bool = True) -> Iterator[BinaryIO]:
    """Open *path* for writing so that it appears complete or not at all.

    The bytes go to a temporary file beside it; leaving the block without an error publishes it by rename.  With
    *sync* false the rename is still atomic, but a power cut may lose it: the caller syncs later.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
    try:
        with open(_create(temporary, path, mode), "wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if sync:
        sync_directory(path.parent)


def _create(temporary: Path, path: Path, mode: int) -> int:
    try:
        return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        error.filename = str(path)  # the temporary name would only puzzle
        raise


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write *data* to *path*, whole or not at all."""
    with atomic_writer(path, mode=mode) as file:
        file.write(data)


def make_private_directory(path: Path) -> Path:
    """Create *path* and its parents, the last one readable by the owner only; an existing folder is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=_PRIVATE_FOLDER)
    return path


class WindowedFile:
    """A file of somebody else, read by position; a read that the file cannot fill is a CorruptDataError.

    The size is taken once, at opening; a file that shrinks later gives an error, never a crash.  Reads take no lock
    and share no position, so threads may read at once.
    """

    __slots__ = ("_descriptor", "path", "size")

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> WindowedFile:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def fileno(self) -> int:
        """Return the descriptor, for a kernel that reads by position itself."""
        return self._descriptor

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly *size* bytes from *offset* (a copy). Raises CorruptDataError where the file ends before."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise CorruptDataError(f"{size} bytes are outside the file of {self.size}", source=str(self.path), offset=offset)
        pieces: list[bytes] = []
        missing, position = size, offset
        while missing:
            piece = os.pread(self._descriptor, min(missing, 1 << 30), position)
            if not piece:
                raise CorruptDataError("the file shrank while it was read", source=str(self.path), offset=position)
            pieces.append(piece)
            missing -= len(piece)
            position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_into(self, offset: int, room: memoryview) -> int:
        """Fill *room* with the bytes from *offset* on and return how many came: fewer only where the file ends, as opened.

        Raises CorruptDataError where the file ends before the size it had when it was opened.
        """
        wanted = min(len(room), self.size - offset)
        filled = 0
        while filled < wanted:
            count = os.preadv(self._descriptor, [room[filled:wanted]], offset + filled)
            if not count:
                raise CorruptDataError("the file shrank while it was read", source=str(self.path), offset=offset + filled)
            filled += count
        return filled

    def advise_sequential(self) -> None:
        """Tell the system that the file is read from its start to its end, where it takes such advice."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def windows(self, window_bytes: int) -> Iterator[bytes]:
        """Yield the file in order, *window_bytes* at a time."""
        for offset in range(0, self.size, window_bytes):
            yield self.read_at(offset, min(window_bytes, self.size - offset))
