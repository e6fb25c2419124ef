"""Time and peak memory of each stage of a run, over the process tree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from siltstone.core.memory import TreeMemory
from siltstone.core.metrics import Metrics
from siltstone.core.progress import Progress
from siltstone.ingestion.summary import Stage


class Stages:
    """Measures stages that run one after the other."""

    def __init__(self, progress: Progress, metrics: Metrics) -> None:
        self._progress, self._metrics = progress, metrics
        self._start = time.perf_counter()
        self._done: list[Stage] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Announce the stage *name* and measure the block."""
        self._progress.stage(name)
        start = time.perf_counter()
        with TreeMemory() as memory, self._metrics.timer(name):
            yield
        self._metrics.record_peak(name, memory.peak_bytes)
        self._done.append(Stage(name, round(time.perf_counter() - start, 6), memory.peak_bytes))

    def done(self) -> tuple[Stage, ...]:
        """Return the finished stages, in their order."""
        return tuple(self._done)

    def seconds(self) -> float:
        """Return the seconds since the run began."""
        return round(time.perf_counter() - self._start, 6)

    def peak_bytes(self) -> int:
        """Return the largest peak of all finished stages."""
        return max((stage.peak_bytes for stage in self._done), default=0)
