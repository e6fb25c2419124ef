"""Named byte limits that whatever grows with the input must reserve from.

Invariant: for every name, 0 <= reserved <= limit.  A reservation that does not fit raises `BudgetExceeded` and changes
nothing; the caller then spills, streams, waits, or lets the error through.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from siltstone.core.errors import BudgetExceeded, ConfigError

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

DEFAULT_LIMITS: Mapping[str, int] = MappingProxyType({
    "objects": 256 * MIB,  # live delta bases and decoded blocks of the object walk
    "trees": 96 * MIB,  # trees kept and in use while histories are compared
    "spill": 32 * MIB,  # memory of the spill file: its index, and its pages that are mapped at a time
    "object": 512 * MIB,  # one decoded object; a larger one goes to the coverage ledger as oversize
    "pack_index": 1 * GIB,  # object id tables of all packs together (linux: 300 MB)
    "history": 1 * GIB,  # commits as columns, trees as a graph (git/git: 110 MB)
    "findings": 128 * MIB,  # findings held until they are written
    "index": 1 * GIB,  # entities, edges and unresolved names held until they are written
    "file": 32 * MIB,  # one source file; a larger one goes to the coverage ledger as oversize
    "scip_document": 512 * MIB,  # one SCIP document
    "pipeline": 80 * MIB,  # blocks, payloads and queues of one content pipeline; above the soft limit its reader waits
    "chunk_index": 1 * GIB,  # the table of all chunks of one store: 60 bytes each, so 17 million chunks
    "graph": 2 * GIB,  # the compressed sparse rows in memory
})

_OBJECT_SHARE = 4  # one part in four of a total for one object; with all of it, four objects of 55 MB took 206 MB of 64


class Budget:
    """Byte limits by name, and for all names together, safe to share between threads.

    A name without a limit of its own is refused: a budget that is silently unlimited is none.
    """

    __slots__ = ("_held", "_limits", "_lock", "_peak", "_reserved", "_soft_limits", "_total_bytes")

    def __init__(self, limits: Mapping[str, int] | None = None, /, *, total_bytes: int | None = None,
                 soft_limits: Mapping[str, int] | None = None, **more: int) -> None:
        """Start from `DEFAULT_LIMITS`, overridden by *limits* and keyword limits, all in bytes.

        *total_bytes* bounds the sum over all names (None: no bound); no name may then have more than all of it,
        and one object not more than a quarter unless *limits* say so: it lies in memory compressed, as a delta and whole.

        *soft_limits* are asked about, never enforced: who can wait does so above them. Without one, three quarters of
        the limit is the soft limit.
        """
        self._limits = {**DEFAULT_LIMITS, **(limits or {}), **more}
        for name, limit in self._limits.items():
            if not isinstance(limit, int) or limit <= 0:
                raise ConfigError(f"a budget is a positive number of bytes, got {limit!r}", field=name)
        if total_bytes is not None:
            if not isinstance(total_bytes, int) or total_bytes <= 0:
                raise ConfigError(f"a budget is a positive number of bytes, got {total_bytes!r}", field="total_bytes")
            self._limits = {name: min(limit, total_bytes) for name, limit in self._limits.items()}
            if "object" not in {**(limits or {}), **more}:
                self._limits["object"] = min(self._limits["object"], max(1, total_bytes // _OBJECT_SHARE))
        self._total_bytes = total_bytes
        self._held = 0
        self._soft_limits = {name: limit - limit // 4 for name, limit in self._limits.items()}
        for name, soft in (soft_limits or {}).items():
            if not isinstance(soft, int) or not 0 < soft <= self.limit(name):
                raise ConfigError(f"a soft limit is 1 to {self.limit(name)} bytes, got {soft!r}", field=name)
            self._soft_limits[name] = soft
        self._reserved = dict.fromkeys(self._limits, 0)
        self._peak = dict.fromkeys(self._limits, 0)
        self._lock = threading.Lock()

    def limit(self, name: str) -> int:
        """Return the limit of *name* in bytes. Raises ConfigError for a name that has none."""
        try:
            return self._limits[name]
        except KeyError:
            raise ConfigError("no such budget", field=name) from None

    def soft_limit(self, name: str) -> int:
        """Return the soft limit of *name* in bytes: who can wait does so above it."""
        self.limit(name)
        return self._soft_limits[name]

    def has_room(self, name: str, size: int) -> bool:
        """Return whether *size* bytes more stay within the soft limit; reserves nothing."""
        return self.reserved(name) + size <= self._soft_limits[name]

    def available(self, name: str) -> int:
        """Return the bytes that `reserve` would grant under *name* now: what a cache may choose as its size."""
        limit = self.limit(name)
        with self._lock:
            room = limit - self._reserved[name]
            return room if self._total_bytes is None else min(room, self._total_bytes - self._held)

    @property
    def total_bytes(self) -> int | None:
        """The bound of all names together, or None."""
        return self._total_bytes

    def reserved(self, name: str) -> int:
        """Return the bytes now reserved under *name*."""
        self.limit(name)
        return self._reserved[name]

    def peak(self, name: str) -> int:
        """Return the most bytes that were ever reserved at once under *name*."""
        self.limit(name)
        return self._peak[name]

    def reserve(self, name: str, size: int) -> None:
        """Take *size* bytes. Raises BudgetExceeded, and takes nothing, where a limit would be passed."""
        if size < 0:
            raise ConfigError(f"cannot reserve {size} bytes", field=name)
        limit = self.limit(name)
        with self._lock:
            needed = self._reserved[name] + size
            if needed > limit:
                raise BudgetExceeded(name, limit_bytes=limit, needed_bytes=needed)
            if self._total_bytes is not None and self._held + size > self._total_bytes:
                raise BudgetExceeded(
                    f"{name} within the total", limit_bytes=self._total_bytes, needed_bytes=self._held + size)
            self._held += size
            self._reserved[name] = needed
            self._peak[name] = max(self._peak[name], needed)

    def release(self, name: str, size: int) -> None:
        """Give back *size* bytes; giving back more than was taken is our own bug."""
        with self._lock:
            assert 0 <= size <= self._reserved[name], f"release of {size} bytes that {name} does not hold"
            self._reserved[name] -= size
            self._held -= size

    @contextmanager
    def hold(self, name: str, size: int) -> Iterator[None]:
        """Reserve for the length of a ``with`` block."""
        self.reserve(name, size)
        try:
            yield
        finally:
            self.release(name, size)

    def check(self, name: str, size: int) -> None:
        """Raise BudgetExceeded where one item of *size* bytes passes the limit of *name*; reserves nothing."""
        if size > self.limit(name):
            raise BudgetExceeded(name, limit_bytes=self.limit(name), needed_bytes=size)


class Reservation:
    """Bytes of one budget name, adjusted as they change."""

    __slots__ = ("_budget", "_held", "_name")

    def __init__(self, budget: Budget, name: str) -> None:
        self._budget, self._name, self._held = budget, name, 0

    @property
    def most(self) -> int:
        """What this reservation could rise to now."""
        return self._held + self._budget.available(self._name)

    def set(self, size: int) -> None:
        """Hold *size* bytes. Raises BudgetExceeded, and holds what it held, where a limit would be passed."""
        if size > self._held:
            self._budget.reserve(self._name, size - self._held)
        else:
            self._budget.release(self._name, self._held - size)
        self._held = size
