"""All trees of a database as a graph of numbers: read once, along the deltas, by several threads, within the budget."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import IO

from siltstone._native.tree_graph import TreeGraph
from siltstone.core.budget import KIB, MIB, Reservation
from siltstone.core.memory import return_free_memory
from siltstone.core.progress import Progress
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase

Discover = Callable[[ObjectBlock], Collection[ObjectId]]

_TOTAL_FOR_THREADS = 256 * MIB  # with less for everything one thread reads, in small blocks: each part names most trees again
_SMALL_BLOCK = 128 * KIB
_LISTS = 16 * MIB  # of bases that are kept while trees are read
_SMALL_LISTS = MIB
_SOLUTION_BYTES = 6  # for each tree: its first root, whether it leads, whether it moved


def is_tight(db: ObjectDatabase) -> bool:
    """Whether the budget is so small that whatever can be set aside has to be."""
    total = db.budget.total_bytes
    return total is not None and total < _TOTAL_FOR_THREADS


class TreeGraphLoader:
    """Reads the trees of a database into one graph; its memory stays reserved from "history" until `close`."""

    def __init__(self, db: ObjectDatabase, targets: list[ObjectId], discover: Discover | None) -> None:
        """What *discover* names is appended to *targets*."""
        self._db, self._targets = db, _Targets(targets, discover)
        self._readers: list[_PartReader] = []
        self._more = Reservation(db.budget, "history")

    def load(self, threads: int, progress: Progress, began: Callable[[], None] = lambda: None) -> TreeGraph:
        """Return the graph, read by *threads*; *began* is called when all that the walk takes is reserved."""
        tight = is_tight(self._db)
        threads = 1 if tight else threads
        block_bytes = min(_SMALL_BLOCK, self._db.budget.limit("objects")) if tight else None
        parts = self._db.walk_parts((Kind.TREE,), threads, deltas=True, block_bytes=block_bytes, progress=progress)
        self._readers = [_PartReader(self._db, self._targets, tight=tight) for _ in parts]
        started = threading.Barrier(threads, began)
        with _open_spool() if tight else nullcontext() as spool:
            with ThreadPoolExecutor(threads, "siltstone-trees") as pool:
                reading = [
                    pool.submit(reader.read, part, spool, started) for reader, part in zip(self._readers, parts, strict=True)
                ]
            del parts
            for done in reading:
                done.result()
            del reading
            graph = self._readers[0].graph
            if spool is not None:
                return_free_memory()  # the tables of the walk
                graph.bring_back(spool)
        for reader in self._readers[1:]:
            graph.absorb(reader.graph)
        self.hold_solution(graph, 0)
        return graph

    def hold_solution(self, graph: TreeGraph, roots: int) -> None:
        """Reserve what the graph takes, and as much as a solution for *roots* bytes of ids needs."""
        for reader in self._readers:
            reader.held.set(0)
        self._more.set(graph.memory_bytes + (_SOLUTION_BYTES * len(graph) + roots if roots else 0))

    def close(self) -> None:
        """Give back what was reserved."""
        for reader in self._readers:
            reader.held.set(0)
        self._readers = []
        self._more.set(0)


def _open_spool() -> IO[bytes]:
    return tempfile.TemporaryFile()


class _Targets:
    """The blobs that are looked for: what was asked, and what *discover* finds on the way, for all parts of a walk."""

    def __init__(self, targets: list[ObjectId], discover: Discover | None) -> None:
        self._targets, self._discover = targets, discover
        self._lock = threading.Lock()

    def since(self, count: int, block: ObjectBlock | None = None) -> bytes:
        """Return the targets after the first *count*, end to end, those in *block* included."""
        if self._discover is None or block is None:
            return b"".join(self._targets[count:])
        found = self._discover(block)
        with self._lock:
            self._targets += found
            return b"".join(self._targets[count:])


class _PartReader:
    """Fills a graph from one part of the walk."""

    def __init__(self, db: ObjectDatabase, targets: _Targets, *, tight: bool) -> None:
        self._db, self._targets = db, targets
        packed = targets.since(0)
        self._count = len(packed) // db.algorithm.size
        self.held = Reservation(db.budget, "history")
        lists = _SMALL_LISTS if tight else _LISTS
        self.graph = TreeGraph(packed, db.algorithm.size, limit_bytes=self.held.most, list_bytes=lists)
        self.held.set(self.graph.memory_bytes)

    def read(self, blocks: Iterator[ObjectBlock], spool: IO[bytes] | None, started: threading.Barrier) -> None:
        """Enter every tree of *blocks*; the log goes to *spool*."""
        try:
            block = next(blocks, None)
        finally:
            started.wait()
        while block is not None:
            self._enter(block)
            if spool is not None:
                self.graph.set_aside(spool)
            self.held.set(self.graph.memory_bytes)
            del block  # the buffer serves the next one
            block = next(blocks, None)

    def _enter(self, block: ObjectBlock) -> None:
        fresh = self._targets.since(self._count, block)
        self._count += len(fresh) // self._db.algorithm.size
        self.graph.set_limit(self.held.most)
        self.graph.add_targets(fresh)
        deltas = block.deltas
        columns = None if deltas is None else (deltas.data, deltas.starts, deltas.ends, deltas.bases, deltas.children)
        for i in self.graph.add_trees(
            block.data, block.starts, block.ends, block.oids, first=block.first, deltas=columns):
            self._db.ledger.add(Reason.CORRUPT, block.oid(i).hex(), "tree")
