"""Where decoded objects go that memory has no room for: one file without a name for each database, made at first need.

The file holds what can be made again: whoever finds no room in it makes the object anew or streams.  It is removed from
its folder before the first byte is written, so nothing stays behind, however the process ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

from siltstone._native.spill_arena import SpillArena, index_bytes
from siltstone.core.budget import GIB, KIB, MIB, Budget
from siltstone.core.errors import ConfigError

__all__ = ["SpillArena", "SpillPlace", "default_spill_bytes", "open_spill_arena"]

MOST_BYTES = 8 * GIB  # of a spill file whose size nobody chose
DEFAULT_ENTRIES = 1 << 18  # ids; 8 MiB of index
DEFAULT_ALLOWANCE = 8 * MIB  # of mapped pages that are in memory at a time
_SMALLEST_SHARE = 256 * KIB  # of the budget; with less there is no arena
_FRACTION = 8  # of the bound of all names together


def default_spill_bytes(folder: Path) -> int:
    """Return the smaller of 8 GiB and a quarter of what is free on the disk of *folder*."""
    return min(MOST_BYTES, shutil.disk_usage(folder).free // 4)


def open_spill_arena(
    folder: Path | None = None, *, size_bytes: int | None = None, entries: int = DEFAULT_ENTRIES, id_size: int = 20,
    allowance_bytes: int = DEFAULT_ALLOWANCE,
) -> SpillArena:  # fmt: skip
    """Return an arena in *folder* (the system's folder for temporary files) of at most *size_bytes*.

    The disk is asked for room in steps of 64 MiB as objects come; a full one refuses objects, which are counted.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    size = max(1, default_spill_bytes(place)) if size_bytes is None else size_bytes
    return SpillArena(
        os.fsencode(place), size_bytes=size, entries=entries, id_size=id_size, allowance_bytes=allowance_bytes
    )


class SpillPlace:
    """The one arena of a database: made when it is first asked for, its memory reserved from the budget ``spill``."""

    def __init__(self, budget: Budget, id_size: int, folder: Path | None, size_bytes: int | None) -> None:
        """*size_bytes* 0: there is none; None: `default_spill_bytes`."""
        if size_bytes is not None and size_bytes < 0:
            raise ConfigError(f"a spill file of {size_bytes} bytes cannot be", field="spill_bytes")
        self._budget, self._id_size, self._folder, self._size_bytes = budget, id_size, folder, size_bytes
        self._arena: SpillArena | None = None
        self._held = 0
        self._lock = threading.Lock()
        self._over = size_bytes == 0

    def arena(self) -> SpillArena | None:
        """Return the arena, or None where none is wanted, the budget has no room for its index, or it was closed."""
        with self._lock:
            if self._arena is None and not self._over:
                self._arena = self._open()
            return self._arena

    def _open(self) -> SpillArena | None:
        share = self._budget.available("spill")
        if self._budget.total_bytes is not None:
            share = min(share, self._budget.total_bytes // _FRACTION)
        if share < _SMALLEST_SHARE:
            return None
        slots = 1 << ((share // 2 // 16).bit_length() - 1)
        arena = open_spill_arena(
            self._folder, size_bytes=self._size_bytes, entries=slots - slots // 4 - 1, id_size=self._id_size,
            allowance_bytes=share // 4,
        )  # fmt: skip
        assert index_bytes(slots - slots // 4 - 1) == 16 * slots
        self._budget.reserve("spill", arena.held_bytes)
        self._held = arena.held_bytes
        return arena

    def close(self) -> None:
        """Give file and memory back; from now on there is no arena."""
        with self._lock:
            self._over = True
            if self._arena is not None:
                self._arena.close()
                self._budget.release("spill", self._held)
            self._arena, self._held = None, 0
