"""Native walkers over one database, one for each thread, and what they ask or tell: odd trees, and gaps.

The result of a range of commits depends on its trees alone, never on which walker took it or what that one keeps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siltstone._native.candidates import CandidateWalker
from siltstone._native.inflate import capsule
from siltstone._native.tree_entries import IdSet
from siltstone.core.errors import BudgetExceeded
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.pack_file import PackFile
from siltstone.gitobjects.trees import DEPTH_LIMIT, PATH_LIMIT_BYTES, find_tree_bytes

Columns = tuple[bytearray, ...]

_MOST_PACKS = 256  # read natively, the largest first; trees of further packs are asked for one by one
_ROW_BYTES = 96  # of a block for each row: its columns and a usual path
_CACHE_PARTS = 256  # a spilled tree of more than one part of the cache is read through a buffer, else it comes back whole
_SUBMODULE, _LIMIT, _OLD_DAMAGED, _NEW_DAMAGED = 1, 2, 3, 4  # kinds of notes, as in candidate_rows.pxd


@dataclass(frozen=True, slots=True)
class WalkRoom:
    """Memory of a walk in bytes: all of it, kept trees of one thread, one block; and how many threads."""

    threads: int
    total_bytes: int
    cache_bytes: int
    block_bytes: int


class CandidateWalk:
    """Compares ranges of commits, from any thread; a context manager that holds the packs open."""

    def __init__(self, db: ObjectDatabase, history: CommitHistory, room: WalkRoom, *, all_parents: bool) -> None:
        self._db, self._history, self._room, self._all_parents = db, history, room, all_parents
        self._limit_bytes = max(1, min(db.budget.limit("object"), room.cache_bytes // 3))
        self._idle: list[CandidateWalker] = []
        self._walkers: list[CandidateWalker] = []
        self._lock = threading.Lock()
        self._absent, self._damaged = (
            IdSet(db.algorithm.size, limit_bytes=db.budget.limit("history")) for _ in range(2))
        self._spill = db.spill
        self._arena = None if self._spill is None else self._spill.capsule()
        self._more_bytes = 0  # beside the room, for trees that are larger than it allows and that the arena refused
        self._files = ExitStack()
        self._packs = self._open_packs()

    def __enter__(self) -> CandidateWalk:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._walkers, self._idle = [], []
        self._files.close()
        self._db.budget.release("trees", self._more_bytes)
        self._more_bytes = 0

    def compare(self, rows: npt.NDArray[np.int64]) -> Iterator[Columns]:
        """Yield the columns of the candidates of *rows*, in their order, at most a block at a time."""
        walker = self._take()
        walker.begin(rows)
        done = False
        while not done:
            done, columns, notes = walker.next_block()
            for note in notes:
                self._tell(*note)
            yield columns
        with self._lock:
            self._idle.append(walker)

    def counters(self) -> dict[str, int]:
        """Return what all walkers did, by name."""
        totals: dict[str, int] = {}
        for walker in self._walkers:
            for name, count in walker.counters.items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def peak_bytes(self) -> int:
        """Return the most bytes of trees that all walkers together may have kept at once."""
        return sum(walker.peak_bytes for walker in self._walkers)

    def _open_packs(self) -> list[tuple[object, ...]]:
        packs = sorted(self._db.packs(), key=len, reverse=True)[:_MOST_PACKS]
        return [columns for pack in packs if (columns := self._open(pack)) is not None]

    def _open(self, pack: PackFile) -> tuple[object, ...] | None:
        try:
            file = self._files.enter_context(WindowedFile(pack.path))
        except FileNotFoundError:  # repacked meanwhile: its trees are asked for
            return None
        index = pack.index
        return (
            index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, pack.end, file.fileno(),
        )  # fmt: skip

    def _take(self) -> CandidateWalker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            history, block = self._history, self._room.block_bytes
            walker = CandidateWalker(
                self._packs, history.trees, history.parents, history.parent_starts, id_size=self._db.algorithm.size,
                all_parents=self._all_parents, limit_bytes=self._limit_bytes, cache_bytes=self._room.cache_bytes,
                rows=max(1, block // _ROW_BYTES), path_bytes=max(2 * PATH_LIMIT_BYTES, block // 2),
                stream_bytes=self._room.cache_bytes // _CACHE_PARTS, find=self._find, inflate=capsule(), arena=self._arena,
            )  # fmt: skip
            self._walkers.append(walker)
            return walker

    def _find(self, raw: bytes) -> bytes | bool | None:
        """Return a tree that no walker decodes, True once the arena has it, or None once the ledger has: one gap each."""
        oid = ObjectId(raw)
        with self._lock:
            if oid in self._absent:
                return None
            if oid == self._db.algorithm.object_id(Kind.TREE, b""):
                return b""  # git knows it without having it
            data = find_tree_bytes(self._db, oid)
            if data is not None and len(data) > self._limit_bytes:
                if self._spill is not None and self._spill.put(oid, data):
                    return True
                data = self._if_room(oid, data)
            if data is None:
                self._absent.add(oid)
            return data

    def _if_room(self, oid: ObjectId, data: bytes) -> bytes | None:
        """Return a large tree where two such have room in memory, in every thread; else None, and a gap."""
        more = self._room.threads * max(0, 2 * len(data) - self._room.cache_bytes)
        try:
            if more > self._more_bytes:
                self._db.budget.reserve("trees", more - self._more_bytes)
                self._more_bytes = more
        except BudgetExceeded:
            self._db.ledger.add(Reason.OVERSIZE, oid.hex(), f"tree of {len(data)} bytes")
            return None
        return data

    def _tell(self, kind: int, raw: bytes, path: bytes, offset: int, text: str) -> None:
        ledger = self._db.ledger
        if kind == _SUBMODULE:
            ledger.add(Reason.SUBMODULE, path, raw.hex())
        elif kind == _LIMIT:
            ledger.add(
                Reason.UNSUPPORTED, path[:200], f"path over {PATH_LIMIT_BYTES} bytes or {DEPTH_LIMIT} folders deep")
        else:
            with self._lock:
                known = len(self._damaged)
                if self._damaged.add(raw) == known:
                    ledger.add(Reason.CORRUPT, raw.hex(), f"{text} at byte {offset}")
