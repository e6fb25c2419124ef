"""Where data comes from and goes: files that appear whole or not at all, devices, standard input and output."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from siltstone.cli import render
from siltstone.core.errors import ConfigError
from siltstone.core.files import atomic_writer

STREAM = "-"


@contextmanager
def open_input(source: str) -> Iterator[tuple[BufferedReader, int]]:
    """Open *source* and yield it with its size, 0 where that is not known."""
    if source == STREAM:
        yield cast(BufferedReader, sys.stdin.buffer), 0
        return
    with open(source, "rb") as file:
        status = os.fstat(file.fileno())
        yield file, status.st_size if stat.S_ISREG(status.st_mode) else 0


@contextmanager
def open_output(target: str, *, force: bool, field: str = "output", mode: int = 0o644) -> Iterator[BinaryIO]:
    """Open *target* for writing; a stream or a device is written as it is, a file gets *mode* less the umask.

    Raises ConfigError, which names the option *field*, for a file that exists without *force*.
    """
    if target == STREAM:
        if sys.stdout is None:  # closed by the caller (>&-): nobody listens
            with open(os.devnull, "wb") as nowhere:
                yield nowhere
            return
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with open(path, "wb") as device:
            yield device
        return
    if os.path.lexists(path) and not force:
        raise ConfigError(f"{shown(target)} exists: --force replaces it", field=field)
    with atomic_writer(path, mode=mode) as file:
        yield file


def shown(text: str) -> str:
    """Return *text* so that any terminal can take it: bytes that are no UTF-8 and control characters are escaped."""
    return render.printable(text.encode("utf-8", "backslashreplace").decode())
