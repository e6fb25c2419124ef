"""Trees by id for whoever compares many: small ones are kept in memory, large ones go to the spill arena and are streamed.

Every byte held is reserved from the budget ``trees`` for as long as it is held, and no longer: kept trees until they
leave, buffers of streams and trees in use for the length of a ``with`` block.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from siltstone._native.spill_arena import SpillArena
from siltstone._native.tree_stream import RING_BYTES, TreeStream
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import BudgetExceeded
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.trees import find_tree_bytes

DEFAULT_CACHE = 16 * MIB  # trees of the last commits: the old side of the next diff is nearly always among them
_LARGEST_STREAMED = MIB  # bytes of a tree that is streamed however large the budget is
_FRACTION = 1_024  # of the budget: a larger tree is streamed. 96 MiB: 96 KiB; what 64 MiB leave on git/git: 30 KiB


@dataclass(frozen=True, slots=True)
class SpilledTree:
    """Where a tree lies in the arena."""

    offset: int
    size: int


@dataclass(slots=True)
class _Held:
    """What a cache has reserved; apart from it, so that it can be given back when nobody closed the cache."""

    budget: Budget
    size: int = 0
    trees: OrderedDict[ObjectId, bytes] = field(default_factory=OrderedDict)

    def take(self, size: int) -> bool:
        try:
            self.budget.reserve("trees", size)
        except BudgetExceeded:
            return False
        self.size += size
        return True

    def give_back(self, size: int) -> None:
        self.size -= size
        self.budget.release("trees", size)

    def drop_oldest(self) -> None:
        self.give_back(len(self.trees.popitem(last=False)[1]))

    def close(self) -> None:
        while self.trees:
            self.drop_oldest()


def stream_threshold(budget: Budget) -> int:
    """Return the size above which a tree is streamed: by what the budget ``trees`` has left, 16 KiB at least."""
    return max(RING_BYTES, min(_LARGEST_STREAMED, budget.available("trees") // _FRACTION))


class TreeCache:
    """The trees of one database, for one thread at a time; a context manager."""

    def __init__(
        self, db: ObjectDatabase, *, cache_bytes: int | None = None, stream_bytes: int | None = None,
        metrics: Metrics = NO_METRICS,
    ) -> None:  # fmt: skip
        """Keep at most *cache_bytes* of trees (16 MiB, or half of what the budget has left) and stream those of more than
        *stream_bytes* (see `stream_threshold`)."""
        self._db, self._metrics = db, metrics
        self._limit = min(DEFAULT_CACHE, db.budget.available("trees") // 2) if cache_bytes is None else cache_bytes
        self.stream_bytes = stream_threshold(db.budget) if stream_bytes is None else stream_bytes
        self._held = _Held(db.budget)
        self._finish = weakref.finalize(self, self._held.close)
        self._arena: SpillArena | None = None  # from the first tree on that is spilled
        self._capsule: object = None

    def __enter__(self) -> TreeCache:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every tree and give the budget back; a cache that is dropped does so too."""
        self._finish()
        self._arena = self._capsule = None

    @property
    def held_bytes(self) -> int:
        """Bytes now reserved: kept trees, and those in use."""
        return self._held.size

    def find(self, oid: ObjectId | None) -> bytes | SpilledTree | None:
        """Return a tree, or where it lies in the arena; None, and a gap in the ledger, where it cannot be read.

        No id is the empty tree.
        """
        if oid is None:
            return b""
        kept = self._held.trees.get(oid)
        if kept is not None:
            self._held.trees.move_to_end(oid)
            return kept
        place = None if self._arena is None else self._arena.find(oid, kind=Kind.TREE)
        return self._load(oid) if place is None else SpilledTree(*place)

    def _load(self, oid: ObjectId) -> bytes | SpilledTree | None:
        data = find_tree_bytes(self._db, oid)
        if data is None:
            return None
        spilled = self._spill(oid, data) if len(data) > self.stream_bytes else None
        if spilled is not None:
            return spilled
        if len(data) <= self._limit:
            self._keep(oid, data)
        return data

    def _spill(self, oid: ObjectId, data: bytes) -> SpilledTree | None:
        """Move a tree to the arena; None where there is none, or it is full."""
        if self._arena is None:
            self._arena = self._db.spill
            self._capsule = None if self._arena is None else self._arena.capsule()
        if self._arena is None or not self._arena.put(oid, data, kind=Kind.TREE):
            return None
        place = self._arena.find(oid, kind=Kind.TREE)
        if place is None:
            return None
        self._metrics.count("trees.spilled")
        return SpilledTree(*place)

    def _keep(self, oid: ObjectId, data: bytes) -> None:
        while self._held.trees and self._held.size + len(data) > self._limit:
            self._held.drop_oldest()
        if self._held.take(len(data)):
            self._held.trees[oid] = data
            self._metrics.record_peak("trees.held", self._held.size)

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Reserve *size* bytes for the length of a ``with`` block; kept trees leave where it does not fit else.

        Raises BudgetExceeded where it does not fit at all.
        """
        while not self._held.take(size):
            if not self._held.trees:
                raise BudgetExceeded("trees", limit_bytes=self._db.budget.available("trees"), needed_bytes=size)
            self._held.drop_oldest()
        self._metrics.record_peak("trees.held", self._held.size)
        try:
            yield
        finally:
            self._held.give_back(size)

    def open(self, tree: bytes | SpilledTree) -> TreeStream:
        """Return the records of what `find` gave, through a buffer of RING_BYTES."""
        id_size = self._db.algorithm.size
        if isinstance(tree, bytes):
            return TreeStream(tree, id_size)
        assert self._capsule is not None, "a spilled tree outlived its cache"
        self._metrics.count("trees.streamed")
        return TreeStream(self._capsule, id_size, offset=tree.offset, size=tree.size)
