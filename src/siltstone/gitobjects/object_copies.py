"""One object from whichever source has a copy that can be read: packs, loose files, alternates.

Where one copy is damaged the next is tried; where what it is built on is damaged, other copies of that, as git does.
The caller holds the lock of the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from siltstone.core.errors import BudgetExceeded, CorruptDataError, SiltstoneError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.object_folder import ObjectFolder
from siltstone.gitobjects.pack_file import PackFile

# Bases looked up in other sources for one object, all its copies together: were it a depth, packs that name each other as
# sources of bases, each several times, would be read a number of times that is exponential in it.
_MOST_BASE_HOPS = 64
_MOST_KEPT = 1 << 14  # objects of which is kept that no other source helps with them


class ObjectCopies:
    """The sources of one database, in the order in which they are asked; ``packs`` are those that are open."""

    def __init__(self, folders: list[ObjectFolder]) -> None:
        self._folders = folders
        self.packs: list[PackFile] = []
        self._alone: set[ObjectId] = set()  # no source but one holds them
        self._hopeless: set[ObjectId] = set()  # damaged, and all that they are built on is alone
        self.forget([pack for folder in folders for pack in folder.opened])

    def forget(self, packs: list[PackFile]) -> None:
        """Ask these *packs* from now on."""
        self.packs = packs.copy()
        self._alone.clear()
        self._hopeless.clear()

    def holds(self, oid: ObjectId) -> bool:
        """Whether any source has the object."""
        if any(oid in pack for pack in self.packs) or any(oid in folder.loose for folder in self._folders):
            return True
        return any(oid in pack for pack in self._open_more(oid))

    def _open_more(self, oid: ObjectId) -> Iterator[PackFile]:
        """Open packs that wait behind a multi-pack index and yield them: the one it names for *oid*, then the others."""
        for folder in self._folders:
            named = folder.open_pack_of(oid)
            if named is not None:
                self.packs.insert(0, named)
                yield named
        for folder in self._folders:
            for pack in folder.open_waiting():
                self.packs.append(pack)
                yield pack

    def read(
        self, oid: ObjectId, hops: Iterator[int] | None = None, without: PackFile | None = None
    ) -> tuple[Kind, bytes] | None:
        """Return the first copy that can be decoded; the first damage is raised where none can. *hops* are used up."""
        failure: SiltstoneError | OSError | None = None
        hops = iter(range(_MOST_BASE_HOPS)) if hops is None else hops
        for read in self._readers(oid, hops, without):
            try:
                found = read()
            except FileNotFoundError:
                continue
            except (CorruptDataError, BudgetExceeded, OSError) as error:
                failure = failure or error
                continue
            if found is not None:
                return found
        if failure is not None:
            raise failure
        return None

    def _readers(
        self, oid: ObjectId, hops: Iterator[int], without: PackFile | None
    ) -> Iterator[Callable[[], tuple[Kind, bytes] | None]]:
        """Yield what may read an object, likeliest first: open packs, loose objects, packs that still wait."""
        for pack in tuple(self.packs):
            if pack is not without:
                yield partial(self._read_packed, pack, oid, hops)
        for folder in self._folders:
            yield partial(folder.loose.read, oid)
        for pack in self._open_more(oid):
            yield partial(self._read_packed, pack, oid, hops)

    def _read_packed(self, pack: PackFile, oid: ObjectId, hops: Iterator[int]) -> tuple[Kind, bytes] | None:
        try:
            found = pack.read(oid)
        except CorruptDataError:
            found = self._read_around(pack, oid, hops)
            if found is None:
                raise
        if found is not None and self.packs[:1] != [pack] and pack in self.packs:  # ask it first next time
            self.packs.remove(pack)
            self.packs.insert(0, pack)
        if found is None or isinstance(found, tuple):
            return found
        base = self.read(found, hops) if next(hops, None) is not None else None
        if base is None:
            problem = f"base {found.hex()} of the delta {oid.hex()} is missing"
            raise CorruptDataError(problem, source=os.fspath(pack.path))
        whole = pack.read(oid, base)
        return whole if isinstance(whole, tuple) else None

    def _read_around(self, pack: PackFile, oid: ObjectId, hops: Iterator[int]) -> tuple[Kind, bytes] | None:
        """Return an object that is built on something damaged, by a copy of one of its bases in another source, or None."""
        alone = True
        for base_id in islice(pack.iter_bases(oid), _MOST_BASE_HOPS):
            if self._is_alone(base_id, pack):
                if base_id in self._hopeless:
                    break
                continue
            alone = False
            if next(hops, None) is None:
                break
            try:
                base = self.read(base_id, hops, without=pack)
                found = None if base is None else pack.read(oid, base, base_id)
            except (CorruptDataError, BudgetExceeded, OSError):
                continue
            if isinstance(found, tuple):
                return found
        if alone:
            _keep(self._hopeless, oid)
        return None

    def _is_alone(self, oid: ObjectId, pack: PackFile) -> bool:
        """Whether no source but *pack* holds *oid*; answers are kept, for thousands may hang on one base."""
        if oid not in self._alone:
            if any(oid in other for other in self.packs if other is not pack):
                return False
            if any(oid in folder.loose for folder in self._folders) or any(oid in other for other in self._open_more(oid)):
                return False
            _keep(self._alone, oid)
        return True

    def find_elsewhere(self, oid: ObjectId, pack: PackFile) -> tuple[Kind, bytes] | None:
        """Return *oid* by other sources than its entry in *pack*, or than one that it is built on; damage there is no news."""
        ways = (
            partial(self.read, oid, without=pack), partial(self._read_around, pack, oid, iter(range(_MOST_BASE_HOPS))),
        )  # fmt: skip
        for read in ways:
            with suppress(CorruptDataError, BudgetExceeded, OSError):
                found = read()
                if found is not None:
                    return found
        return None


def _keep(known: set[ObjectId], oid: ObjectId) -> None:
    if len(known) == _MOST_KEPT:
        known.clear()
    known.add(oid)
