"""Whether everything that objects name is there: trees, blobs, parents, targets of tags."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from siltstone._native.absent_ids import KnownIds
from siltstone._native.commit_order import find_ids
from siltstone._native.tree_entries import parse_entries
from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.objects import parse_commit, parse_tag

_BYTES_PER_ID = 40  # of the table of known ids, besides the id itself, while it grows
_MOST_ABSENT_SHARE = 8  # absent ids may take one part in so many of the budget "history"


class LinkChecker:
    """Knows every id of a database, and gathers those that objects name and it does not hold. Threads may share it."""

    def __init__(self, known: KnownIds, db: ObjectDatabase) -> None:
        """Use `open`."""
        self._known, self._size = known, db.algorithm.size
        self._shallow = db.shallow_commits()
        self._budget: Budget = db.budget
        self._promisors = [pack for pack in db.packs() if pack.promisor]
        self._absent: set[ObjectId] = set()
        self._promised: set[ObjectId] = set()  # absent, and named by what a partial clone was given: left out on purpose
        self._problems: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @classmethod
    @contextmanager
    def open(cls, db: ObjectDatabase) -> Iterator[LinkChecker]:
        """Yield a checker over everything *db* holds now; its table is reserved from the budget ``history`` meanwhile."""
        most = sum(map(len, db.packs()))
        with db.budget.hold("history", most * (db.algorithm.size + _BYTES_PER_ID)):
            known = KnownIds(db.algorithm.size, limit_bytes=db.budget.limit("history"))
            for folder in db.folders:
                for oid in folder.loose.iter_ids():
                    known.add_many(oid)
            for pack in db.packs():  # after the loose objects: what is packed meanwhile is there
                known.add_many(pack.index.names)
            yield cls(known, db)

    def holds(self, oid: ObjectId) -> bool:
        """Whether the database has the object."""
        return self._known.find_many(oid) == b"\1"

    def check(self, block: ObjectBlock) -> None:
        """Look at what the trees, commits and tags of *block* name."""
        given = self._are_given(block)
        is_tree = block.kinds == Kind.TREE
        # An absent id is told once, by the first tree that names it, so where it matters whose tree that is only given ones
        # are looked at together.
        together = is_tree & given if self._promisors else is_tree
        if together.any():
            starts, ends = np.ascontiguousarray(block.starts[together]), np.ascontiguousarray(block.ends[together])
            self._note(self._known.check_trees(block.data, starts, ends, subtrees=True), given=bool(self._promisors))
        others = (block.kinds == Kind.COMMIT) | (block.kinds == Kind.TAG) | (is_tree & ~together)
        for chosen, is_given in ((others & given, True), (others & ~given, False)):
            links = [self._links(block.oid(i), block.kind(i), bytes(block.content(i))) for i in np.flatnonzero(chosen).tolist()]
            self._look_up(b"".join(links), given=is_given)

    def _are_given(self, block: ObjectBlock) -> npt.NDArray[np.bool_]:
        """Return by object whether a partial clone was given it, so that what it names may be left out."""
        given = np.zeros(len(block), np.bool_)
        for pack in self._promisors:
            given |= np.frombuffer(find_ids(pack.index.names, block.oids, self._size), np.int64) >= 0
        return given

    def check_one(self, oid: ObjectId, kind: Kind, content: bytes) -> None:
        """Look at what one object names."""
        self._look_up(self._links(oid, kind, content), given=any(oid in pack for pack in self._promisors))

    def _links(self, oid: ObjectId, kind: Kind, content: bytes) -> bytes:
        """Return the ids that an object names, end to end; an object that does not parse is a problem."""
        try:
            if kind is Kind.COMMIT:
                commit = parse_commit(content)
                return b"".join([commit.tree, *(() if oid in self._shallow else commit.parents)])
            if kind is Kind.TAG:
                return parse_tag(content).target
            if kind is Kind.TREE:
                rows = parse_entries(content, self._size)
                return b"".join(target for mode, _, target in rows if mode & 0o170000 != 0o160000)
        except CorruptDataError as error:
            with self._lock:
                self._problems.append((oid.hex(), f"{kind.name.lower()}: {error}"))
        return b""

    def _look_up(self, packed: bytes, *, given: bool) -> None:
        size = self._size
        found = np.frombuffer(self._known.find_many(packed), np.uint8)
        absent = (packed[at * size : (at + 1) * size] for at in np.flatnonzero(found == 0).tolist())
        self._note(b"".join(absent), given=given)

    def _note(self, packed: bytes, *, given: bool) -> None:
        size = self._size
        if packed:
            with self._lock:
                absent = self._promised if given else self._absent
                absent.update(ObjectId(packed[at : at + size]) for at in range(0, len(packed), size))
                count = len(self._absent) + len(self._promised)
                self._budget.check("history", count * (100 + size) * _MOST_ABSENT_SHARE)

    def promised(self) -> frozenset[ObjectId]:
        """Return the ids that are not held and were left out of a partial clone on purpose."""
        return frozenset(self._promised)

    def absent(self) -> list[ObjectId]:
        """Return the ids that are named, not held and not promised, ascending."""
        return sorted(self._absent - self._promised)

    def problems(self) -> list[tuple[str, str]]:
        """Return which objects do not parse, and why."""
        return sorted(self._problems)
