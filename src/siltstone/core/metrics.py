"""Counters and stage timers that cost nothing when they are off.

`NO_METRICS` has the same methods and keeps nothing; it is the default everywhere, so no caller tests for None.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from siltstone.core.latency import LatencyHistogram


class Metrics:
    """Named counts and named durations, safe to share between threads."""

    __slots__ = ("_counts", "_latencies", "_lock", "_peaks", "_seconds")

    enabled = True

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._peaks: dict[str, int] = {}
        self._latencies: dict[str, LatencyHistogram] = {}
        self._lock = threading.Lock()

    def count(self, name: str, amount: int = 1) -> None:
        """Add *amount* to the counter *name*."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + amount

    def add(self, *, counts: Mapping[str, int] | None = None, seconds: Mapping[str, float] | None = None) -> None:
        """Add many counts and stage times at once, and each of *seconds* to the histogram of its stage: one lock in all."""
        with self._lock:
            for name, amount in (counts or {}).items():
                self._counts[name] = self._counts.get(name, 0) + amount
            for name, spent in (seconds or {}).items():
                self._seconds[name] = self._seconds.get(name, 0.0) + spent
                histogram = self._latencies.get(name)
                if histogram is None:
                    histogram = self._latencies[name] = LatencyHistogram()
                histogram.record(spent)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            with self._lock:
                self._seconds[name] = self._seconds.get(name, 0.0) + elapsed

    def timer(self, name: str) -> AbstractContextManager[None]:
        """Return a ``with`` block whose wall time is added to the stage *name*."""
        return self._timed(name)

    def record_peak(self, name: str, size: int) -> None:
        """Keep the largest *size* in bytes seen under *name*."""
        with self._lock:
            self._peaks[name] = max(self._peaks.get(name, 0), size)

    def counter(self, name: str) -> int:
        """Return the value of a counter, 0 where it was never touched."""
        return self._counts.get(name, 0)

    def seconds(self, name: str) -> float:
        """Return the seconds spent in a stage so far."""
        return self._seconds.get(name, 0.0)

    def latencies(self) -> dict[str, dict[str, Any]]:
        """Return count, total, p50, p90, p99 and max of every stage whose single times were given, sorted by name."""
        with self._lock:
            return {name: histogram.as_dict() for name, histogram in sorted(self._latencies.items())}

    def as_dict(self) -> dict[str, Any]:
        """Return ``counts``, ``seconds`` and ``peak_bytes``, each sorted by name."""
        with self._lock:
            return {
                "counts": dict(sorted(self._counts.items())),
                "seconds": {name: round(value, 6) for name, value in sorted(self._seconds.items())},
                "peak_bytes": dict(sorted(self._peaks.items())),
            }


class _NoMetrics(Metrics):
    """Keeps nothing: `Metrics` switched off."""

    __slots__ = ()

    enabled = False
    _nothing: AbstractContextManager[None] = nullcontext()

    def count(self, name: str, amount: int = 1) -> None:
        """Do nothing."""

    def add(self, *, counts: Mapping[str, int] | None = None, seconds: Mapping[str, float] | None = None) -> None:
        """Do nothing."""

    def timer(self, name: str) -> AbstractContextManager[None]:
        """Return a ``with`` block that measures nothing."""
        return self._nothing

    def record_peak(self, name: str, size: int) -> None:
        """Do nothing."""


NO_METRICS: Metrics = _NoMetrics()
