"""Where data goes: a file that appears whole or not at all, a device, or standard output."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from siltstone.core.errors import ConfigError
from siltstone.core.files import atomic_writer

STREAM = "-"


@contextmanager
def open_output(target: str, *, force: bool, field: str = "output") -> Iterator[BinaryIO]:
    """Open *target* for writing; a stream or a device is written as it is.

    Raises ConfigError, which names the option *field*, for a file that exists without *force*.
    """
    if target == STREAM:
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
    with atomic_writer(path) as file:
        yield file


def shown(text: str) -> str:
    """Return *text* so that any terminal can take it: bytes that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
