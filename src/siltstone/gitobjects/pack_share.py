"""One pack in the course of a walk: its forest, what is handed out of it, and what has to be read another way."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siltstone._native.inflate import capsule
from siltstone._native.pack_walk import PackForest, PackWalker
from siltstone._native.spill_index import SpillIndex
from siltstone.core.budget import Budget, Reservation
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.lfs_pointers import find_lfs_pointers
from siltstone.gitobjects.object_block import ObjectBlock, delta_columns
from siltstone.gitobjects.objects import GitObject
from siltstone.gitobjects.pack_file import PackFile
from siltstone.gitobjects.walk_options import FOREST_BYTES, SEQUENCE_BYTES, WalkOptions, plan_bytes, planned_bytes
from siltstone.gitobjects.walk_threads import Made


@dataclass(frozen=True, slots=True)
class WalkSources:
    """What to walk: packs, a mark for each of their names that an earlier source holds, loose ids, and plain reading."""

    packs: list[PackFile]
    repeats: list[bytearray]
    loose: Callable[[], Iterator[ObjectId]]
    find: Callable[[ObjectId], GitObject | None]
    find_elsewhere: Callable[[ObjectId, PackFile], GitObject | None]
    loose_header: Callable[[ObjectId], tuple[Kind, int] | None]
    id_size: int


def open_forest(pack: PackFile, file: WindowedFile) -> PackForest:
    """Return the forest of *pack*; its entry headers are read at once, unless another walk of it has them."""
    index = pack.index
    forest = PackForest(
        index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data,
        id_size=index.id_size, end=pack.end, descriptor=file.fileno(), headers=None if pack.forest is None else pack.forest(),
    )  # fmt: skip
    pack.forest = weakref.ref(forest)
    return forest


def kinds_by_name(pack: PackFile, budget: Budget) -> npt.NDArray[np.uint8]:
    """Return the kind of each entry by position among the names; 0 where the pack alone does not tell."""
    with budget.hold("pack_index", len(pack) * FOREST_BYTES), WindowedFile(pack.path) as file:
        kinds = np.frombuffer(open_forest(pack, file).kinds(), np.uint8)
    by_name = np.empty(len(pack), np.uint8)
    by_name[pack.index.order] = kinds
    return by_name


class PackShare:
    """A pack that one or several workers walk. Opening raises FileNotFoundError where the pack has vanished.

    ``lost`` grows with what cannot be decoded here: rank, text, and whether only its base lies elsewhere.
    """

    def __init__(self, pack: PackFile, repeats: bytearray, options: WalkOptions) -> None:
        self.pack, self._options = pack, options
        self._lock = threading.Lock()
        self._peak = 0
        with ExitStack() as stack:
            file = stack.enter_context(WindowedFile(pack.path))
            tables = Reservation(options.budget, "pack_index")
            stack.callback(tables.set, 0)
            tables.set(len(pack) * plan_bytes(options.deltas))
            stack.enter_context(options.metrics.timer("walk"))
            chosen = not_skipped(pack, repeats, options.skip)[pack.index.order]
            self._forest = open_forest(pack, file)
            self.lost = [fault for fault in self._forest.faults() if chosen[fault[0]]]
            of_kinds = np.isin(np.frombuffer(self._forest.kinds(), np.uint8), list(options.kinds))
            wanted = chosen & of_kinds
            self.count = int(np.count_nonzero(wanted))
            self._forest.select(
                wanted.view(np.uint8).data, segment_bytes=options.segment_bytes, children=options.deltas)
            tables.set(len(pack) * planned_bytes(options.deltas) + int(np.count_nonzero(of_kinds)) * SEQUENCE_BYTES)
            self._open = stack.pop_all()

    def close(self) -> None:
        """Close the file and give reserved memory back."""
        self._options.metrics.record_peak("walk.bases", self._peak)
        self._open.close()

    def walker(self) -> PackWalker:
        """Return one more worker."""
        options = self._options
        return PackWalker(
            self._forest, limit_bytes=options.budget.limit("object"), live_bytes=options.live_bytes, inflate=capsule(),
            arena=None if options.arena is None else options.arena.capsule(), deltas=options.deltas)

    def block(self, made: Made, part: int, given: int) -> ObjectBlock:
        """Return what a walker made as a block of a part that has given *given* objects so far."""
        buffer, starts, ends, kinds, oids, first, _, deltas = made.columns
        self._note(made.faults)
        block = ObjectBlock(
            memoryview(buffer), np.frombuffer(starts, np.int64), np.frombuffer(ends, np.int64),
            np.frombuffer(kinds, np.uint8), oids, self.pack.index.id_size, part, given,
            None if deltas is None else delta_columns(*deltas, given - first),
        )  # fmt: skip
        account(block, self._options)
        self._options.progress.advance(len(block))
        return block

    def _note(self, faults: list[tuple[int, str, bool]]) -> None:
        for rank, text, too_large in faults:
            if too_large:
                self._options.ledger.add(Reason.OVERSIZE, self.name(rank).hex(), text)
            else:
                with self._lock:
                    self.lost.append((rank, text, False))

    def end(self, walker: PackWalker) -> None:
        """Take note of what a walker did that has nothing left to do."""
        self._note(walker.take_faults())
        with self._lock:
            self._peak += walker.peak_bytes
        metrics = self._options.metrics
        metrics.count("walk.revived", walker.revived)
        metrics.count("walk.spilled", walker.spilled)
        metrics.count("walk.spill_reads", walker.spill_reads)

    def name(self, rank: int) -> ObjectId:
        """Return the id of an entry by its place in the pack."""
        return ObjectId(self.pack.index.name(int(self.pack.index.order[rank])))


def account(block: ObjectBlock, options: WalkOptions) -> None:
    """Count a block, and note the blobs whose content is kept elsewhere."""
    options.metrics.count("walk.objects", len(block))
    options.metrics.count("walk.bytes", block.size)
    if Kind.BLOB in options.kinds:
        for oid in find_lfs_pointers(block):
            options.ledger.add(Reason.LFS_POINTER, oid.hex())


def not_skipped(pack: PackFile, repeats: bytearray, skip: SpillIndex | None) -> npt.NDArray[np.bool_]:
    """Return by position among the names what a pack hands out: no repeats, nothing to skip."""
    left_out = np.frombuffer(repeats, np.uint8)
    if skip is not None:
        left_out = left_out | np.frombuffer(skip.contains_many(pack.index.names), np.uint8)
    chosen: npt.NDArray[np.bool_] = left_out == 0
    return chosen
