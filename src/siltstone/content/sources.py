"""Where the bytes of a stream come from: anything that can fill memory, and files read by position.

A foreign file is read through windows, never mapped: one that shrinks while it is read is a CorruptDataError with the offset,
one that grows is read up to the size it had when it was opened.  Mapping is for files that nobody else can truncate.
"""

from __future__ import annotations

import io
import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from siltstone.content.buffers import align_up
from siltstone.core.errors import ConfigError
from siltstone.core.files import WindowedFile


class ByteSource(Protocol):
    """What a reader needs of its input."""

    def read_into(self, room: memoryview, /) -> int | None:
        """Write up to ``len(room)`` bytes and return how many: 0 at the end, None where there is nothing yet."""

    def close(self) -> None:
        """Close what the source itself has opened."""


def source_of(file: Any) -> ByteSource:
    """Return a source over *file*: a raw, buffered or in-memory file, a socket, or any object with ``read(size)``.

    It is read from where it stands and not closed.  Short reads are fine; None, or BlockingIOError, says that nothing is
    there yet.
    """
    if isinstance(file, (io.BufferedReader, io.BufferedRandom)):
        # Returns as soon as there is something.  What other classes inherit under this name copies once more.
        return _FillingSource(file.readinto1)
    for name in ("readinto", "recv_into"):
        method = getattr(file, name, None)
        if callable(method):
            return _FillingSource(method)
    if callable(getattr(file, "read", None)):
        return _GivingSource(file.read)
    raise ConfigError(f"expected a file, a socket or an object with read(), got {type(file).__name__}", field="file")


class _FillingSource:
    """Has a method that fills memory."""

    __slots__ = ("_fill",)

    def __init__(self, fill: Callable[[memoryview], int | None]) -> None:
        self._fill = fill

    def read_into(self, room: memoryview, /) -> int | None:
        try:
            count = self._fill(room)
        except BlockingIOError:
            return None
        if count is not None and not 0 <= count <= len(room):
            raise ConfigError(f"a read into {len(room)} bytes says it gave {count}", field="file")
        return count

    def close(self) -> None:
        """Leave the file to the caller."""


class _GivingSource:
    """Has a method that returns bytes: one copy more."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[int], Any]) -> None:
        self._read = read

    def read_into(self, room: memoryview, /) -> int | None:
        try:
            data = self._read(len(room))
        except BlockingIOError:
            return None
        if data is None:
            return None
        view = memoryview(data).cast("B")
        if len(view) > len(room):
            raise ConfigError(f"a read of {len(room)} bytes gave {len(view)}", field="file")
        room[:len(view)] = view
        return len(view)

    def close(self) -> None:
        """Leave the file to the caller."""


class FileSource:
    """A regular file of somebody else, read from its start to the size it had when it was opened."""

    __slots__ = ("_file", "_position")

    def __init__(self, file: WindowedFile) -> None:
        self._file = file
        self._position = 0
        file.advise_sequential()

    def read_into(self, room: memoryview, /) -> int | None:
        """Fill *room*, or what of it the file still has. Raises CorruptDataError where the file shrank."""
        count = self._file.read_into(self._position, room)
        self._position += count
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _OpenedSource(_FillingSource):
    """A pipe, a device or another file without a size of its own, opened here."""

    __slots__ = ("_file",)

    def __init__(self, path: Path) -> None:
        self._file = io.FileIO(path)
        super().__init__(self._file.readinto)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_source(path: str | os.PathLike[str]) -> ByteSource:
    """Return a source over the file at *path*; a file that tells no size (a pipe, a device, /proc) is read to its end."""
    return FileSource(WindowedFile(Path(path))) if tells_size(path) else _OpenedSource(Path(path))


def tells_size(path: str | os.PathLike[str]) -> bool:
    """Return whether the file at *path* is a regular one that says how long it is: not empty, and none of /proc."""
    status = os.stat(path)
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


class MappedFile:
    """A regular file that we own, mapped a window at a time; windows overlap as the reader wishes.

    The process dies of SIGBUS where somebody truncates the file while it is read: only for files that nobody else writes.
    """

    __slots__ = ("_file", "_view", "_window", "_window_bytes", "size")

    def __init__(self, path: Path, *, window_bytes: int) -> None:
        self._file = WindowedFile(path)
        self._window: mmap.mmap | None = None
        self._window_bytes = align_up(window_bytes, mmap.ALLOCATIONGRANULARITY)
        self.size = self._file.size
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.close()
            raise ConfigError("only a regular file can be mapped", field="mapped")

    def window(self, offset: int) -> memoryview:
        """Return a view from *offset* on, to the end of the file or about the size of a window; the one before goes.

        Where something still looks at the one before, its memory stays mapped until that is gone.
        """
        self._unmap()
        first = offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        size = min(self._window_bytes, self.size - first)
        self._window = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ, offset=first)
        if hasattr(self._window, "madvise"):
            self._window.madvise(mmap.MADV_SEQUENTIAL)
        self._view = memoryview(self._window)[offset - first:]
        return self._view

    def close(self) -> None:
        """Unmap what nobody looks at, and close the file."""
        self._unmap()
        self._file.close()

    def _unmap(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            self._view.release()
            try:
                window.close()
            except BufferError:  # somebody looks at it still: it goes with the last view
                return
