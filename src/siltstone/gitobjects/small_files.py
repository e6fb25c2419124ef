"""Small files of a repository that somebody else wrote: regular, bounded, or not read at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from siltstone.core.errors import CorruptDataError


def read_small_file(path: Path, limit_bytes: int = 1 << 16) -> bytes | None:
    """Return the content of *path*, or None where there is no such file.

    Never blocks on a pipe or a device. Raises CorruptDataError for one of those, and for more than *limit_bytes*.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise CorruptDataError("not a regular file", source=os.fsdecode(path))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(min(limit_bytes, status.st_size) + 1)  # a read takes memory for all it asks for
    finally:
        os.close(descriptor)
    if len(data) > limit_bytes:
        raise CorruptDataError(f"larger than {limit_bytes:,} bytes", source=os.fsdecode(path))
    return data
