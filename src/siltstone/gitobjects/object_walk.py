"""Every object once, decoded once: the native walk of each pack, then what it could not decode, then loose objects.

An object that several sources hold is handed out once, by the first; where that copy is damaged the others are tried,
and only what no source can give goes to the coverage ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siltstone._native.inflate import capsule
from siltstone._native.pack_walk import PackWalker
from siltstone._native.spill_index import SpillIndex
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, CorruptDataError, SiltstoneError
from siltstone.core.files import WindowedFile
from siltstone.core.metrics import Metrics
from siltstone.core.progress import Progress
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_block import ObjectBlock, block_of_columns, gather_blocks
from siltstone.gitobjects.objects import GitObject
from siltstone.gitobjects.pack_file import PackFile

_FOREST_BYTES = 16  # bytes of the walk's tables per entry, reserved from the budget "pack_index"


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """What to hand out and where to tell about it."""

    kinds: frozenset[Kind]
    skip: SpillIndex | None
    block_bytes: int
    budget: Budget
    ledger: CoverageLedger
    progress: Progress
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class WalkSources:
    """What to walk: packs, a mark for each of their names that an earlier source holds, loose ids, and plain reading."""

    packs: list[PackFile]
    repeats: list[bytearray]
    loose: Callable[[], Iterator[ObjectId]]
    find: Callable[[ObjectId], GitObject | None]
    find_elsewhere: Callable[[ObjectId, PackFile], GitObject | None]
    id_size: int


def walk_sources(sources: WalkSources, options: WalkOptions) -> Iterator[ObjectBlock]:
    """Yield blocks of every object of the wanted kinds, in pack order along the delta trees, then loose ones by id."""
    options.progress.stage("objects", sum(len(pack) for pack in sources.packs))
    for pack, repeats in zip(sources.packs, sources.repeats, strict=True):
        yield from _walk_pack(pack, repeats, sources, options)
    loose = (oid for oid in sources.loose() if options.skip is None or oid not in options.skip)
    yield from _read_plainly(loose, sources, options)


def open_walker(pack: PackFile, file: WindowedFile, budget: Budget, live_bytes: int) -> PackWalker:
    """Return a native walker over *pack*; its entry headers are read at once."""
    index = pack.index
    return PackWalker(
        index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data,
        id_size=index.id_size, end=pack.end, descriptor=file.fileno(), limit_bytes=budget.limit("object"),
        live_bytes=live_bytes, inflate=capsule(),
    )  # fmt: skip


def kinds_by_name(pack: PackFile, budget: Budget) -> npt.NDArray[np.uint8]:
    """Return the kind of each entry by position among the names; 0 where the pack alone does not tell."""
    with WindowedFile(pack.path) as file:
        kinds = np.frombuffer(open_walker(pack, file, budget, 0).kinds(), np.uint8)
    by_name = np.empty(len(pack), np.uint8)
    by_name[pack.index.order] = kinds
    return by_name


def _walk_pack(
    pack: PackFile, repeats: bytearray, sources: WalkSources, options: WalkOptions
) -> Iterator[ObjectBlock]:
    chosen = _not_skipped(pack, repeats, options)
    budget = options.budget
    try:
        file = WindowedFile(pack.path)
    except FileNotFoundError:  # repacked meanwhile: its objects are elsewhere now
        names = (ObjectId(pack.index.name(position)) for position in np.flatnonzero(chosen).tolist())
        yield from _read_plainly(names, sources, options)
        return
    live_bytes = max(1, budget.limit("objects") - options.block_bytes)
    with file, budget.hold("pack_index", len(pack) * _FOREST_BYTES), options.metrics.timer("walk"):
        walker = open_walker(pack, file, budget, live_bytes)
        kinds = np.frombuffer(walker.kinds(), np.uint8)
        by_rank = chosen[pack.index.order]
        walker.select((by_rank & np.isin(kinds, list(options.kinds))).view(np.uint8).data)
        lost = [fault for fault in walker.faults() if by_rank[fault[0]]]
        yield from _run(walker, pack, lost, options)
        options.metrics.record_peak("walk.bases", walker.peak_bytes)
        options.metrics.count("walk.revived", walker.revived)
    based_elsewhere = (_name(pack, rank) for rank, _, elsewhere in lost if elsewhere)
    yield from _read_plainly(based_elsewhere, sources, options)
    damaged = ((_name(pack, rank), text) for rank, text, elsewhere in lost if not elsewhere)
    yield from gather_blocks(_iter_other_copies(damaged, pack, sources, options), sources.id_size, options.block_bytes)


def _name(pack: PackFile, rank: int) -> ObjectId:
    return ObjectId(pack.index.name(int(pack.index.order[rank])))


def _not_skipped(pack: PackFile, repeats: bytearray, options: WalkOptions) -> npt.NDArray[np.bool_]:
    """Return by position among the names what this pack hands out: no repeats, nothing to skip."""
    left_out = np.frombuffer(repeats, np.uint8)
    if options.skip is not None:
        left_out = left_out | np.frombuffer(options.skip.contains_many(pack.index.names), np.uint8)
    chosen: npt.NDArray[np.bool_] = left_out == 0
    return chosen


def _run(
    walker: PackWalker, pack: PackFile, lost: list[tuple[int, str, bool]], options: WalkOptions
) -> Iterator[ObjectBlock]:
    """Yield the blocks of one walk; what it could not decode joins *lost*, or the ledger where it is too large."""
    while True:
        columns = walker.next_block(options.block_bytes)
        for rank, text, too_large in walker.take_faults():
            if too_large:
                options.ledger.add(Reason.OVERSIZE, _name(pack, rank).hex(), text)
            else:
                lost.append((rank, text, False))
        if columns is None:
            return
        block = block_of_columns(*columns, pack.index.id_size)
        options.metrics.count("walk.objects", len(block))
        options.metrics.count("walk.bytes", block.size)
        options.progress.advance(len(block))
        yield block


def _iter_other_copies(
    damaged: Iterable[tuple[ObjectId, str]], pack: PackFile, sources: WalkSources, options: WalkOptions
) -> Iterator[GitObject]:
    """Yield the copies that other sources hold of what is damaged in *pack*; the rest goes to the ledger."""
    for oid, text in damaged:
        options.progress.advance()
        found = sources.find_elsewhere(oid, pack)
        if found is None:
            options.ledger.add(Reason.CORRUPT, oid.hex(), f"{pack.path.name}: {text}")
        elif found.kind in options.kinds:
            yield found


def _read_plainly(oids: Iterator[ObjectId], sources: WalkSources, options: WalkOptions) -> Iterator[ObjectBlock]:
    yield from gather_blocks(_iter_readable(oids, sources, options), sources.id_size, options.block_bytes)


def _iter_readable(oids: Iterator[ObjectId], sources: WalkSources, options: WalkOptions) -> Iterator[GitObject]:
    """Yield what can be read one by one; the rest goes to the ledger."""
    for oid in oids:
        options.progress.advance()
        failure: SiltstoneError | OSError
        try:
            found = sources.find(oid)
        except BudgetExceeded as error:
            reason, failure = Reason.OVERSIZE, error
        except CorruptDataError as error:
            reason, failure = Reason.CORRUPT, error
        except OSError as error:
            reason, failure = Reason.UNREADABLE, error
        else:
            if found is None:
                options.ledger.add(Reason.MISSING, oid.hex(), "vanished while it was read")
            elif found.kind in options.kinds:
                yield found
            continue
        options.ledger.add(reason, oid.hex(), str(failure))
