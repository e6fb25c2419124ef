"""When hashing is worth more than one thread: the total of bytes, the mean size of a piece, and the threads that are free.

The defaults are measured, on two quiet Zen 4 cores: the least work on which two threads are at least 1.2 times as fast as
one.  `python benchmarks/peers/hash_threads.py` repeats the measurement.  A file has one thread: reading it costs as much as
hashing it, and windows large enough to share leave the cache in between (64 MiB: 4.4 GB/s with one, 2.5 with two).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from siltstone.content.hashing import BLAKE3, SHA256
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError
from siltstone.core.ordered_map import THREADS_AT_MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class HashThreads:
    """The least work, in bytes, that is shared among threads; *maximum* 0 means all that are free."""

    minimum_total: int = 32 * MIB  # of a batch: 16 MiB in pieces of 64 KiB gain 1.18, 64 MiB 1.36
    minimum_mean: int = 64 * KIB  # of its pieces: at 16 KiB (4 us of work) handing over the interpreter costs as much
    minimum_single: int = 4 * MIB  # of one buffer, which BLAKE3 hashes as a tree: 4 MiB gain 1.65; its threads cost 0.1 ms
    maximum: int = 0

    def __post_init__(self) -> None:
        for name in ("minimum_total", "minimum_mean", "minimum_single", "maximum"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ConfigError(f"expected a number that is not negative, got {value!r}", field=name)
        if self.maximum > THREADS_AT_MOST:
            raise ConfigError(f"expected at most {THREADS_AT_MOST}, got {self.maximum}", field="maximum")

    def for_batch(self, total_bytes: int, count: int, *, free: int | None = None) -> int:
        """Return how many threads hash *count* pieces of *total_bytes* in all, where *free* are free (default: all)."""
        if count < 2 or total_bytes < self.minimum_total or total_bytes < self.minimum_mean * count:
            return 1
        return min(self._available(free), count)

    def for_one(self, size: int, *, free: int | None = None) -> int:
        """Return how many threads hash one buffer of *size* bytes."""
        return 1 if size < self.minimum_single else self._available(free)

    def _available(self, free: int | None) -> int:
        found = usable_threads() if free is None else free
        return max(1, min(found, self.maximum or THREADS_AT_MOST))


def usable_threads() -> int:
    """Return how many threads this process may run at once, by its affinity where the system tells it."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), THREADS_AT_MOST)
    return min(os.cpu_count() or 1, THREADS_AT_MOST)


AUTOMATIC = {BLAKE3: HashThreads(), SHA256: HashThreads(minimum_total=8 * MIB, minimum_mean=4 * KIB)}  # slower, so sooner
ONE_THREAD = HashThreads(maximum=1)
