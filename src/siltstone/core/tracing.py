"""Sampled events about single pieces of work, for somebody who looks while it runs.

Off, the code that could trace does one attribute check and no call: ``if tracer.level: tracer.emit(...)``.  The level is
a plain attribute, so it changes at run time, from any thread, without a lock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from siltstone.core.errors import ConfigError

OFF, STREAMS, BLOCKS, CHUNKS = range(4)  # each level includes those before it
LEVELS = {"off": OFF, "streams": STREAMS, "blocks": BLOCKS, "chunks": CHUNKS}
_LOGGER = logging.getLogger("siltstone.trace")


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One thing that happened; *ordinal* counts the events of this name from 0, those that were not sampled as well."""

    name: str
    level: int
    ordinal: int
    fields: Mapping[str, Any]


def log_event(event: TraceEvent) -> None:
    """Write *event* to the logger ``siltstone.trace`` at DEBUG."""
    _LOGGER.debug("%s #%d %s", event.name, event.ordinal, " ".join(f"{key}={value}" for key, value in event.fields.items()))


class Tracer:
    """Hands every *every*-th event of each name to *receive*, if the level allows it. Threads may share it.

    *receive* is called in the thread that does the work, and outside any lock.
    """

    __slots__ = ("_every", "_lock", "_ordinals", "_receive", "level")

    def __init__(self, receive: Callable[[TraceEvent], None] = log_event, *, level: int = BLOCKS, every: int = 1) -> None:
        if every < 1:
            raise ConfigError(f"expected 1 or more, got {every!r}", field="every")
        if level not in LEVELS.values():
            raise ConfigError(f"expected {OFF} to {CHUNKS}, got {level!r}", field="level")
        self.level = level
        self._receive, self._every = receive, every
        self._ordinals: dict[str, int] = {}
        self._lock = threading.Lock()

    def emit(self, level: int, name: str, **fields: Any) -> None:
        """Hand over an event of *level*, where it is wanted and sampled."""
        if level > self.level:
            return
        with self._lock:
            ordinal = self._ordinals.get(name, 0)
            self._ordinals[name] = ordinal + 1
        if ordinal % self._every == 0:
            self._receive(TraceEvent(name, level, ordinal, fields))


class _NoTracer(Tracer):
    """Emits nothing; its level is a constant of the class, so nobody can switch on what is shared by all."""

    __slots__ = ()

    level = OFF  # shadows the slot, on purpose

    def __init__(self) -> None:
        """Keep nothing."""

    def emit(self, level: int, name: str, **fields: Any) -> None:
        """Do nothing."""


NO_TRACER: Tracer = _NoTracer()
