"""Every object once, decoded once: the native walk of each pack, then what it could not decode, then loose objects.

An object that several sources hold is handed out once, by the first; where that copy is damaged the others are tried,
and only what no source can give goes to the coverage ledger.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from siltstone._native.pack_walk import PackWalker
from siltstone.core.errors import BudgetExceeded, CorruptDataError, SiltstoneError
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock, gather_blocks, whole_columns
from siltstone.gitobjects.objects import GitObject
from siltstone.gitobjects.pack_file import PackFile
from siltstone.gitobjects.pack_share import PackShare, WalkSources, account, not_skipped
from siltstone.gitobjects.walk_options import WalkOptions
from siltstone.gitobjects.walk_threads import Made, WalkTeam, make_next

_WORTH_A_THREAD = 2000  # objects of a pack below which one worker is done before the others have started


def walk_sources(sources: WalkSources, options: WalkOptions, *, in_order: bool) -> Iterator[ObjectBlock]:
    """Yield blocks of every object of the wanted kinds: packs by name along the delta trees, then loose ones by id.

    *in_order*: objects and blocks come the same, however many workers there are.
    """
    options.progress.stage("objects", sum(len(pack) for pack in sources.packs))
    given = [0] * options.workers
    with options.budget.hold("objects", options.workers * options.worker_bytes):
        for pack, repeats in zip(sources.packs, sources.repeats, strict=True):
            yield from _walk_pack(pack, repeats, sources, options, given, in_order=in_order)
        yield from _numbered(_read_loose(sources, options), options, 0, given)


def walk_in_parts(sources: WalkSources, options: WalkOptions) -> list[Iterator[ObjectBlock]]:
    """Return an iterator for each of the workers; together they yield every object once."""
    parts = _Parts(sources, options)
    options.progress.stage("objects", sum(len(pack) for pack in sources.packs))
    return [parts.blocks(part) for part in range(options.workers)]


def _walk_pack(
    pack: PackFile, repeats: bytearray, sources: WalkSources, options: WalkOptions, given: list[int], *, in_order: bool
) -> Iterator[ObjectBlock]:
    """Yield the blocks of one pack; *given* counts the objects of each part."""
    try:
        share = PackShare(pack, repeats, options)
    except FileNotFoundError:
        yield from _numbered(_read_vanished(pack, repeats, sources, options), options, 0, given)
        return
    try:
        walkers = [share.walker() for _ in range(options.workers if share.count >= _WORTH_A_THREAD else 1)]
        with closing(_run(walkers, options, in_order=in_order)) as made_blocks:
            for made in made_blocks:
                part = 0 if in_order else made.worker
                block = share.block(made, part, given[part])
                del made  # the buffer must not live on while the next one is awaited
                if len(block):
                    given[part] += len(block)
                    yield block
                del block
        for walker in walkers:
            share.end(walker)
    finally:
        share.close()
    yield from _numbered(_read_lost(share, sources, options), options, 0, given)


def _run(walkers: list[PackWalker], options: WalkOptions, *, in_order: bool) -> Generator[Made, None, None]:
    if len(walkers) > 1:
        yield from WalkTeam(walkers, options.block_bytes, in_order=in_order).blocks()
        return
    while (made := make_next(walkers[0], 0, options.block_bytes, in_order=in_order)) is not None:
        yield made
        del made


class _Parts:
    """What the iterators of `walk_in_parts` share: one open pack at a time for each of them, and who reads the rest."""

    def __init__(self, sources: WalkSources, options: WalkOptions) -> None:
        self._sources, self._options = sources, options
        self._lock = threading.Lock()
        self._shares: list[PackShare | None] = [None] * len(sources.packs)
        self._inside = [0] * len(sources.packs)
        self._over = [False] * len(sources.packs)
        self._loose_taken = False

    def blocks(self, part: int) -> Iterator[ObjectBlock]:
        """Yield the blocks of one part."""
        given = [0] * self._options.workers
        with self._options.budget.hold("objects", self._options.worker_bytes):
            for place in range(len(self._shares)):
                yield from self._walk(place, part, given)
            if self._take_loose():
                yield from _numbered(_read_loose(self._sources, self._options), self._options, part, given)

    def _take_loose(self) -> bool:
        with self._lock:
            taken, self._loose_taken = self._loose_taken, True
            return not taken

    def _enter(self, place: int) -> PackShare | None:
        """Return the pack at *place*, opened by whoever comes first; None where the others are through with it."""
        with self._lock:
            if self._over[place]:
                return None
            share = self._shares[place]
            if share is None:
                share = self._shares[place] = PackShare(
                    self._sources.packs[place], self._sources.repeats[place], self._options)
            self._inside[place] += 1
            return share

    def _leave(self, place: int, share: PackShare) -> bool:
        """Return whether the caller is the last one, who reads what could not be decoded."""
        with self._lock:
            self._inside[place] -= 1
            last = self._inside[place] == 0
            if last:
                self._over[place] = True
                self._shares[place] = None
        if last:
            share.close()
        return last

    def _walk(self, place: int, part: int, given: list[int]) -> Iterator[ObjectBlock]:
        sources, options = self._sources, self._options
        try:
            share = self._enter(place)
        except FileNotFoundError:
            with self._lock:
                taken, self._over[place] = self._over[place], True
            if not taken:
                vanished = _read_vanished(sources.packs[place], sources.repeats[place], sources, options)
                yield from _numbered(vanished, options, part, given)
            return
        if share is None:
            return
        last = False
        try:
            walker = share.walker()
            while (made := make_next(walker, part, options.block_bytes, in_order=False)) is not None:
                block = share.block(made, part, given[part])
                del made
                given[part] += len(block)
                yield block
                del block
            share.end(walker)
        finally:
            last = self._leave(place, share)
        if last:
            yield from _numbered(_read_lost(share, sources, options), options, part, given)


def _numbered(
    blocks: Iterable[ObjectBlock], options: WalkOptions, part: int, given: list[int]
) -> Iterator[ObjectBlock]:
    """Yield blocks of objects that were read one by one as those of a part."""
    for block in blocks:
        account(block, options)
        deltas = whole_columns(len(block)) if options.deltas else None
        yield replace(block, part=part, first=given[part], deltas=deltas)
        given[part] += len(block)


def _read_vanished(
    pack: PackFile, repeats: bytearray, sources: WalkSources, options: WalkOptions
) -> Iterator[ObjectBlock]:
    """Yield the objects of a pack that was repacked meanwhile: they are elsewhere now."""
    chosen = np.flatnonzero(not_skipped(pack, repeats, options.skip)).tolist()
    return _read_plainly((ObjectId(pack.index.name(position)) for position in chosen), sources, options)


def _read_lost(share: PackShare, sources: WalkSources, options: WalkOptions) -> Iterator[ObjectBlock]:
    """Yield what a pack could not give: deltas against objects of other sources, and other copies of what is damaged."""
    lost = sorted(share.lost)
    based_elsewhere = (share.name(rank) for rank, _, elsewhere in lost if elsewhere)
    yield from _read_plainly(based_elsewhere, sources, options)
    damaged = ((share.name(rank), text) for rank, text, elsewhere in lost if not elsewhere)
    copies = _iter_other_copies(damaged, share.pack, sources, options)
    yield from gather_blocks(copies, sources.id_size, options.block_bytes)


def _read_loose(sources: WalkSources, options: WalkOptions) -> Iterator[ObjectBlock]:
    loose = (oid for oid in sources.loose() if options.skip is None or oid not in options.skip)
    return _read_plainly(loose, sources, options)


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
            header = sources.loose_header(oid)
            if header is not None and header[0] not in options.kinds:  # nobody asked for it
                continue
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
