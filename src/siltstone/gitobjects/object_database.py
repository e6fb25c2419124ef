"""Every object of a repository, wherever it lies: packs, loose files, alternates.

One `ObjectDatabase` may be read from several threads. Nothing is written and no program is run. An object that several
sources hold is one object; where one copy is damaged another is used, as git does.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from siltstone._native.spill_index import SpillIndex, find_repeats
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, NotFoundError
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.alternates import find_object_folders
from siltstone.gitobjects.ids import HashAlgorithm, Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_copies import ObjectCopies
from siltstone.gitobjects.object_folder import ObjectFolder
from siltstone.gitobjects.object_walk import walk_in_parts, walk_sources
from siltstone.gitobjects.objects import GitObject
from siltstone.gitobjects.pack_file import DescriptorPool, PackFile
from siltstone.gitobjects.pack_share import WalkSources, kinds_by_name
from siltstone.gitobjects.refs import References
from siltstone.gitobjects.repository import Repository, open_repository
from siltstone.gitobjects.spill_arena import SpillArena, SpillPlace
from siltstone.gitobjects.substitutes import find_replacements, read_grafts
from siltstone.gitobjects.walk_options import WalkOrder, choose_options

__all__ = ["GitObject", "ObjectBlock", "ObjectDatabase"]

_LARGEST_CACHE = 96 * MIB  # bases kept by random reads, as git's core.deltaBaseCacheLimit


class ObjectDatabase:
    """The objects and references of one repository; a context manager."""

    def __init__(
        self, repository: Repository, budget: Budget, ledger: CoverageLedger, *, spill_dir: Path | None = None,
        spill_bytes: int | None = None, alternates: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        """Use `open`."""
        self.git_dir: Path = repository.git_dir
        self.common_dir: Path = repository.common_dir
        self.work_tree: Path | None = repository.work_tree
        self.algorithm: HashAlgorithm = repository.algorithm
        self.ledger = ledger
        self.budget = budget
        self._references = References(repository, ledger)
        self._replaces = repository.replaces
        self._lock = threading.RLock()
        self._spill = SpillPlace(budget, repository.algorithm.size, spill_dir, spill_bytes)
        self._pool = DescriptorPool(min(_LARGEST_CACHE, budget.limit("objects") // 4))
        self._folders = [
            ObjectFolder(path, repository.algorithm, budget, ledger, self._pool)
            for path in find_object_folders(repository.objects_dir, ledger, alternates)
        ]
        self._copies = ObjectCopies(self._folders)

    @classmethod
    def open(
        cls, path: Path | str, *, budget: Budget | None = None, ledger: CoverageLedger | None = None,
        spill_dir: Path | None = None, spill_bytes: int | None = None, alternates: Sequence[Path] = (),
    ) -> ObjectDatabase:  # fmt: skip
        """Open the repository at or around *path*: work tree, ``.git`` folder or file, linked worktree, bare.

        Raises NotFoundError where there is none, UnsupportedError for a repository format of the future. Cost: reads the index
        of each pack, about 36 bytes of memory per object, reserved from the budget ``pack_index``; where a multi-pack index
        covers packs, theirs are read at need.

        Objects that memory has no room for go to an unlinked file of at most *spill_bytes* (0: to none; None: the
        smaller of 8 GiB and a quarter of the free disk) in *spill_dir* (None: where temporary files go), at first need.

        *alternates* are object folders to read beside those that the repository itself borrows from.
        """
        return cls(
            open_repository(path), budget or Budget(), CoverageLedger() if ledger is None else ledger,
            spill_dir=spill_dir, spill_bytes=spill_bytes, alternates=alternates,
        )  # fmt: skip

    def __enter__(self) -> ObjectDatabase:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every file and give reserved memory back; closing twice is harmless."""
        with self._lock:
            self._pool.close()
            self._spill.close()
            for folder in self._folders:
                folder.close()
            self._copies.forget([])

    def packs(self) -> list[PackFile]:
        """Return the packs of this moment, own ones first, by name; those that wait behind a multi-pack index are opened."""
        with self._lock:
            self._rescan()
            packs = [pack for folder in self._folders for pack in folder.open_all()]
            if len(packs) != len(self._copies.packs):
                self._copies.forget(packs)
        return packs

    @property
    def spill(self) -> SpillArena | None:
        """The arena for objects that memory has no room for, or None where there is none; open as long as this is."""
        return self._spill.arena()

    @property
    def folders(self) -> tuple[ObjectFolder, ...]:
        """The object folders, the own one first, then alternates."""
        return tuple(self._folders)

    @property
    def partial(self) -> bool:
        """Whether this is a partial clone, where objects may be missing on purpose."""
        return any(folder.promisor for folder in self._folders)

    def absence(self, named_by: ObjectId | None = None) -> Reason:
        """Return why an object is not here: PROMISED where a partial clone left it out, else MISSING.

        Git's rule: what an object of a promisor pack names is promised. *named_by* is that object, or the commit through which
        it was reached; without it everything absent from a partial clone counts as promised.
        """
        with self._lock:
            if named_by is None:
                return Reason.PROMISED if self.partial else Reason.MISSING
            promised = any(named_by in pack for pack in self.packs() if pack.promisor)
        return Reason.PROMISED if promised else Reason.MISSING

    def read(self, oid: ObjectId) -> GitObject:
        """Return an object. Raises NotFoundError where it is absent, CorruptDataError where it is damaged, and
        BudgetExceeded where it is larger than the budget ``object``."""
        found = self.find(oid)
        if found is None:
            raise NotFoundError("not in this partial clone" if self.partial else "no such object", name=oid.hex())
        return found

    def find(self, oid: ObjectId) -> GitObject | None:
        """Return an object, or None where it is absent; raises as `read` does otherwise."""
        with self._lock:
            found = self._copies.read(oid)
            if found is None and self._rescan():
                found = self._copies.read(oid)
        return None if found is None else GitObject(oid, *found)

    def header(self, oid: ObjectId) -> tuple[Kind, int]:
        """Return the kind and size of an object; raises as `read` does, but a loose one may have any size."""
        found = self._loose_header(oid)
        if found is None:
            read = self.read(oid)
            found = read.kind, len(read.data)
        return found

    def _loose_header(self, oid: ObjectId) -> tuple[Kind, int] | None:
        for folder in self._folders:
            with suppress(CorruptDataError, OSError):  # another copy may be sound
                found = folder.loose.header(oid)
                if found is not None:
                    return found
        return None

    def __contains__(self, oid: object) -> bool:
        if not isinstance(oid, bytes) or len(oid) != self.algorithm.size:
            return False
        name = ObjectId(oid)
        with self._lock:
            return self._copies.holds(name) or (self._rescan() and self._copies.holds(name))

    def _rescan(self) -> bool:
        """Look for new packs, as after a concurrent ``git gc``; return whether there are any."""
        changed = [folder.rescan() for folder in self._folders]
        if any(changed):
            self._pool.close()
            self._copies.forget([pack for folder in self._folders for pack in folder.opened])
        return any(changed)

    def _find_elsewhere(self, oid: ObjectId, pack: PackFile) -> GitObject | None:
        with self._lock:
            found = self._copies.find_elsewhere(oid, pack)
        return None if found is None else GitObject(oid, *found)

    def iter_ids(self, kinds: Collection[Kind] | None = None) -> Iterator[ObjectId]:
        """Yield the id of every object once: packs by name, then loose objects; only those of *kinds* where given.

        With *kinds* the headers of each pack are read (a second for three million objects). What is of no known kind
        because it is damaged is left out; a walk tells about it.
        """
        packs, repeats = self._packs_and_repeats()
        for pack, repeated in zip(packs, repeats, strict=True):
            chosen = np.frombuffer(repeated, np.uint8) == 0
            by_name = None if kinds is None else self._kinds_by_name(pack)
            if by_name is not None and kinds is not None:
                chosen &= np.isin(by_name, [*kinds, 0])
            for position in np.flatnonzero(chosen).tolist():
                oid = ObjectId(pack.index.name(position))
                if by_name is None or by_name[position] or self._is_of(oid, kinds):
                    yield oid
        for oid in self._iter_unpacked_ids(packs):
            if kinds is None or self._is_of(oid, kinds):
                yield oid

    def _kinds_by_name(self, pack: PackFile) -> npt.NDArray[np.uint8]:
        try:
            return kinds_by_name(pack, self.budget)
        except FileNotFoundError:  # repacked meanwhile: ask object by object
            return np.zeros(len(pack), np.uint8)

    def _is_of(self, oid: ObjectId, kinds: Collection[Kind] | None) -> bool:
        try:
            return kinds is None or self.header(oid)[0] in kinds
        except (CorruptDataError, BudgetExceeded, NotFoundError):
            return False

    def _packs_and_repeats(self) -> tuple[list[PackFile], list[bytearray]]:
        """Return the packs of this moment, and a mark for each name that an earlier one holds."""
        packs = self.packs()
        return packs, find_repeats([pack.index.names for pack in packs], self.algorithm.size)

    def _iter_unpacked_ids(self, packs: Sequence[PackFile]) -> Iterator[ObjectId]:
        """Yield the objects that none of *packs* holds, once: loose ones, ascending within each object folder, then those
        of packs that came meanwhile, for a loose object may be packed and removed before it is met."""
        seen: set[ObjectId] = set()
        known = list(packs)
        for folder in self._folders:
            yield from _not_in(known, seen, folder.loose.iter_ids())
        while fresh := [pack for pack in self.packs() if pack not in known]:
            for pack in fresh:
                yield from _not_in(known, seen, (ObjectId(pack.index.name(at)) for at in range(len(pack))))
                known.append(pack)

    def ids_between(self, low: ObjectId, high: ObjectId) -> set[ObjectId]:
        """Return the ids from *low* to *high*, both included: what a short id may mean."""
        loose = (oid for folder in self._folders for oid in folder.loose.iter_ids(low[0], high[0]))
        found = {oid for oid in loose if low <= oid <= high}  # before packs: what is packed meanwhile is found there
        return found.union(ObjectId(name) for pack in self.packs() for name in pack.index.names_between(low, high))

    def count(self) -> int:
        """Return how many distinct objects there are."""
        packs, repeats = self._packs_and_repeats()
        return sum(len(marks) - sum(marks) for marks in repeats) + sum(1 for _ in self._iter_unpacked_ids(packs))

    def walk_objects(
        self, kinds: Collection[Kind], *, order: WalkOrder = "pack", threads: int | None = None, deltas: bool = False,
        skip: SpillIndex | None = None, block_bytes: int | None = None, progress: Progress = NO_PROGRESS,
        metrics: Metrics = NO_METRICS,
    ) -> Iterator[ObjectBlock]:  # fmt: skip
        """Yield every distinct object of *kinds* once, in blocks of about *block_bytes*, except the ids in *skip*.

        With the order "pack" packs come by name and objects along the delta trees in pack order, the same for any number
        of *threads* (None: one for each processor); with "any" as they are made, where each thread is a part of its own.
        *deltas*: blocks tell how objects come from their bases. Damaged and too large objects go to the ledger, and so do
        pointers of git-lfs. Blocks and bases are reserved from the budget ``objects``, with fewer threads where it is small;
        an object larger than *block_bytes* (up to 4 MiB unless given) has a block of its own, at most the budget ``object``.
        """
        if order not in get_args(WalkOrder):
            raise ConfigError(f"an order is one of {get_args(WalkOrder)}, got {order!r}", field="order")
        sources = self._walk_sources()
        options = choose_options(
            kinds, skip=skip, deltas=deltas, workers=threads, block_bytes=block_bytes, arena=self.spill,
            budget=self.budget, ledger=self.ledger, progress=progress, metrics=metrics, may_lower=True,
            largest_pack=max(map(len, sources.packs), default=0))
        return walk_sources(sources, options, in_order=order == "pack")

    def walk_parts(
        self, kinds: Collection[Kind], parts: int, *, deltas: bool = False, skip: SpillIndex | None = None,
        block_bytes: int | None = None, progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS,
    ) -> list[Iterator[ObjectBlock]]:  # fmt: skip
        """Return *parts* iterators of blocks that together yield what `walk_objects` does, each for a thread of its own.

        They take runs of delta trees from one queue, so they are done at the same time whatever their consumers cost; which
        objects come in which part differs from time to time. Within a part a base comes before what is based on it.
        """
        sources = self._walk_sources()
        options = choose_options(
            kinds, skip=skip, deltas=deltas, workers=parts, block_bytes=block_bytes, arena=self.spill,
            budget=self.budget, ledger=self.ledger, progress=progress, metrics=metrics, may_lower=False,
            largest_pack=max(map(len, sources.packs), default=0))
        return walk_in_parts(sources, options)

    def walk_copies(
        self, parts: int, ledger: CoverageLedger, *, progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS
    ) -> list[Iterator[ObjectBlock]]:
        """Return iterators as `walk_parts` does, *parts* at most, over every entry of every pack: all copies come.

        What is damaged in its pack goes to *ledger*, whoever else holds it. Loose objects do not come.
        """
        with self._lock:
            packs = self.packs()
        options = choose_options(
            tuple(Kind), skip=None, deltas=False, workers=parts, block_bytes=None, arena=self.spill, budget=self.budget,
            ledger=ledger, progress=progress, metrics=metrics, may_lower=True,
            largest_pack=max(map(len, packs), default=0))
        marks = [bytearray(len(pack)) for pack in packs]
        sources = WalkSources(
            packs, marks, lambda: iter(()), self.find, lambda _oid, _pack: None, self._loose_header, self.algorithm.size)
        return walk_in_parts(sources, options)

    def _walk_sources(self) -> WalkSources:
        packs, repeats = self._packs_and_repeats()
        rest = partial(self._iter_unpacked_ids, packs)
        return WalkSources(
            packs, repeats, rest, self.find, self._find_elsewhere, self._loose_header, self.algorithm.size)

    def refs(self) -> dict[bytes, ObjectId]:
        """Return every reference below ``refs/`` with its object, sorted by name.

        Raises UnsupportedError where they are kept as reftable and no git of 2.45 or later is installed to list them.
        """
        return self._references.all()

    def head(self) -> ObjectId | None:
        """Return the commit of HEAD, or None where its branch is not born."""
        return self._references.head()

    def shallow_commits(self) -> frozenset[ObjectId]:
        """Return the commits whose parents a shallow clone cut off."""
        return self._references.shallow_commits()

    def heads(self) -> dict[bytes, ObjectId]:
        """Return HEAD of this worktree and of every other, by git's names for them; what is not born is left out."""
        return self._references.heads()

    def grafts(self) -> dict[ObjectId, tuple[ObjectId, ...]]:
        """Return the parents that ``info/grafts`` gives to commits in place of their own."""
        return read_grafts(self.common_dir, self.algorithm, self.ledger)

    def replacements(self) -> dict[ObjectId, ObjectId]:
        """Return which object git shows in place of which (git-replace); none where ``core.useReplaceRefs`` is off."""
        return find_replacements(self.refs(), self.algorithm, self.ledger) if self._replaces else {}


def _not_in(packs: Sequence[PackFile], seen: set[ObjectId], oids: Iterable[ObjectId]) -> Iterator[ObjectId]:
    """Yield those of *oids* that no pack holds and that were not *seen*, where they are entered."""
    for oid in oids:
        if oid not in seen and not any(oid in pack for pack in packs):
            seen.add(oid)
            yield oid
