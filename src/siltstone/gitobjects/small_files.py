"""Files of a repository that somebody else wrote: regular, small ones bounded, or not read at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from siltstone.core.errors import CorruptDataError


def require_regular(path: Path) -> None:
    """Raise CorruptDataError where *path* is no regular file: to open a pipe would wait for ever. Follows links."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise CorruptDataError("not a regular file", source=os.fspath(path))


def path_named_in(text: bytes, folder: Path, source: Path) -> Path:
    """Return the path that the file *source* names, relative to *folder*. Raises CorruptDataError for one with a NUL."""
    if b"\0" in text:
        raise CorruptDataError("a path with a NUL", source=os.fspath(source), offset=text.index(b"\0"))
    return folder / os.fsdecode(text)


def read_small_file(path: Path, limit_bytes: int = 1 << 16) -> bytes | None:
    """Return the content of *path*, or None where there is no such file.

    Never blocks on a pipe or a device. Raises CorruptDataError for one of those, and for more than *limit_bytes*.
    """
    data = read_start(path, limit_bytes + 1)
    if data is not None and len(data) > limit_bytes:
        raise CorruptDataError(f"larger than {limit_bytes:,} bytes", source=os.fsdecode(path))
    return data


def read_start(path: Path, size_bytes: int) -> bytes | None:
    """Return the first *size_bytes* of *path* at most, or None where there is no such file; else as `read_small_file`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise CorruptDataError("links that lead to each other", source=os.fsdecode(path)) from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise CorruptDataError("not a regular file", source=os.fsdecode(path))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(min(size_bytes, status.st_size + 1))  # a read takes memory for all it asks for
    finally:
        os.close(descriptor)
