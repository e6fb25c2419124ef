"""How long work tells how far it is, and how it is told to stop.

A `Progress` is passed down; the work calls `stage`, `advance` and, through them, `check`.  What is drawn is the business
of a renderer given from outside: this module writes to no terminal and reads no environment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from siltstone.core.errors import Cancelled

_DRAW_INTERVAL_SECONDS = 0.1  # ten pictures a second: smooth to the eye, invisible in a profile


@dataclass(frozen=True, slots=True)
class ProgressState:
    """One picture of the work: *total* is 0 where it is not known; *percent* covers all stages."""

    stage: str
    done: int
    total: int
    percent: int
    finished: bool


class Progress:
    """Counts work through weighted stages, hands pictures to *render*, and carries the wish to stop.

    Stages not named in *weights* share the bar without moving it.  Percent never falls.
    """

    def __init__(
        self, render: Callable[[ProgressState], None] | None = None, *, weights: Mapping[str, float] | None = None
    ) -> None:
        self._render = render
        self._weights = weights or {}
        self._total_weight = sum(self._weights.values()) or 1.0
        self._before = 0.0  # weight of the stages that are finished
        self._stage, self._done, self._total, self._percent = "", 0, 0, 0
        self._next_draw = 0.0
        self._cancelled = threading.Event()
        self.deferring = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Mark a block in which a stop must wait for the next `check`: a foreign library swallows exceptions there."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False

    def cancel(self) -> None:
        """Ask the work to stop at its next `check`; may be called from any thread or a signal handler."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise Cancelled where a stop was asked for."""
        if self._cancelled.is_set():
            raise Cancelled

    def stage(self, name: str, total: int = 0) -> None:
        """Begin the stage *name* of *total* units (0: not known), which ends the one before."""
        self.check()
        self._before += self._weights.get(self._stage, 0.0)
        self._stage, self._done, self._total = name, 0, total
        self._draw(force=True)

    def advance(self, count: int = 1) -> None:
        """Add *count* finished units to the current stage."""
        self._done += count
        self.check()
        if self._render is not None:
            self._draw(force=False)

    def finish(self) -> None:
        """Draw the last picture: 100 percent."""
        self._stage, self._percent = "done", 100
        self._draw(force=True, finished=True)

    def _draw(self, *, force: bool, finished: bool = False) -> None:
        if self._render is None:
            return
        now = time.monotonic()
        if not force and now < self._next_draw:
            return
        self._next_draw = now + _DRAW_INTERVAL_SECONDS
        share = min(1.0, self._done / self._total) if self._total else 0.0
        weight = self._before + share * self._weights.get(self._stage, 0.0)
        self._percent = max(self._percent, min(100, int(100 * weight / self._total_weight)))
        self._render(ProgressState(self._stage, self._done, self._total, self._percent, finished))


class _NoProgress(Progress):
    """Draws nothing and is never cancelled; safe to share because it keeps no state."""

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Do nothing."""
        yield

    def cancel(self) -> None:
        raise AssertionError("NO_PROGRESS is shared: pass a Progress of your own to be able to cancel")

    def check(self) -> None:
        """Do nothing."""

    def stage(self, name: str, total: int = 0) -> None:
        """Do nothing."""

    def advance(self, count: int = 1) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


NO_PROGRESS: Progress = _NoProgress()
