"""The commits of a repository as columns, and the orders in which to walk them.

Memory is about 130 bytes a commit (SHA-1).  Commits are loaded in one pass over all commit objects, not by following
parents, because that decodes each once and in pack order.  A parent that is in no pack and not loose goes to the ledger as
MISSING, a commit cut off by a shallow clone as SHALLOW_BOUNDARY; the walk goes on without it.
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from siltstone._native.tree_entries import IdSet
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

Order = Literal["topological", "date", "oldest"]
ORDERS: tuple[Order, ...] = ("topological", "date", "oldest")

_LINKS = {
    size: re.compile(rb"tree ([0-9a-f]{%d})\n((?:parent [0-9a-f]{%d}\n)*)" % (2 * size, 2 * size)) for size in (20, 32)
}
_COMMITTER = re.compile(rb"\ncommitter [^\n]*?> *(-?\d{1,18})(?= |\n|$)|\n\n")
_TAG_CHAIN_LIMIT = 64  # a tag of a tag of a tag
_TAG_TARGET = re.compile(rb"object ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n")
MISSING = -1  # a parent that is not in the database
CUT = -2  # a parent that a shallow clone left out on purpose


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """What a walk needs of a commit; *parents* are those that the walk can follow, *committer_time* is in Unix seconds."""

    oid: ObjectId
    tree: ObjectId
    parents: tuple[ObjectId, ...]
    committer_time: int


def parse_commit_links(data: bytes, id_size: int) -> tuple[bytes, bytes, int]:
    """Return the tree id, the parent ids end to end, and the committer time (0 where the line gives none, as git reads it).

    Raises CorruptDataError where the commit does not start with its tree.
    """
    links = _LINKS[id_size].match(data)
    if links is None:
        raise CorruptDataError("commit does not start with a tree", offset=0)
    parents = b"".join([bytes.fromhex(line[7:].decode()) for line in links[2].splitlines()]) if links[2] else b""
    committer = _COMMITTER.search(data, links.end() - 1)
    return bytes.fromhex(links[1].decode()), parents, int(committer[1]) if committer and committer[1] else 0


class CommitHistory:
    """The commits reachable from some tips, numbered in order of loading; immutable once loaded."""

    def __init__(self, id_size: int, limit_bytes: int) -> None:
        self._ids = IdSet(id_size, limit_bytes=limit_bytes)
        self._id_size = id_size
        self._trees = bytearray()
        self._times = array("q")
        self._parents = array("q")
        self._parent_starts = array("q", [0])
        self._included = bytearray()
        self._oids = b""

    @classmethod
    def load(
        cls,
        db: ObjectDatabase,
        tips: Collection[ObjectId] | None = None,
        *,
        exclude: Collection[ObjectId] = (),
        progress: Progress = NO_PROGRESS,
    ) -> CommitHistory:
        """Load the commits reachable from *tips* (None: every ref and HEAD) and not from *exclude*.

        Tags are peeled; a tip that leads to no commit is passed over. Raises BudgetExceeded over the limit "history".
        """
        history = cls(db.algorithm.size, db.budget.limit("history"))
        parent_ids = history._read_all(db, progress)
        shallow = set(history._ids.find_many(b"".join(db.shallow_commits())))
        starts = _all_tips(db) if tips is None else tips
        history._parents.extend(history._ids.find_many(parent_ids))
        history._oids = history._ids.packed()
        history._included = history._select(history._rows(db, starts), history._rows(db, exclude, quiet=True), shallow)
        history._tell_cuts(db, parent_ids, shallow)
        return history

    def _read_all(self, db: ObjectDatabase, progress: Progress) -> bytearray:
        """Fill the columns from every commit object; return the parent ids of all, end to end."""
        parent_ids = bytearray()
        size = self._id_size
        for block in db.walk_objects((Kind.COMMIT,)):
            view, oids = block.data, block.oids
            starts, ends = block.starts.tolist(), block.ends.tolist()
            for i in range(len(block)):
                oid = oids[i * size : (i + 1) * size]
                try:
                    tree, parents, time = parse_commit_links(bytes(view[starts[i] : ends[i]]), size)
                except CorruptDataError as error:
                    db.ledger.add(Reason.CORRUPT, oid.hex(), error.problem)
                    continue
                if self._ids.add(oid) != len(self._times):
                    continue
                self._trees += tree
                parent_ids += parents
                self._times.append(time)
                self._parent_starts.append(len(parent_ids) // size)
            progress.advance(len(block))
            db.budget.check("history", self._memory_bytes(len(parent_ids)))
        return parent_ids

    def _memory_bytes(self, parent_bytes: int) -> int:
        """The columns: ids twice, slots, tree, time and bounds of each commit; id and row of each parent."""
        return len(self._times) * (3 * self._id_size + 32) + parent_bytes // self._id_size * (self._id_size + 8)

    def _rows(self, db: ObjectDatabase, tips: Collection[ObjectId], *, quiet: bool = False) -> list[int]:
        """Return the commits that *tips* name; one that is missing goes to the ledger unless *quiet*."""
        rows = set()
        for tip in tips:
            row = self._ids.find(tip)
            commit = None if row >= 0 else _peel(db, tip, quiet=quiet)
            rows.add(row if commit is None else self._ids.find(commit))
        return sorted(rows - {MISSING})

    def _select(self, starts: list[int], excluded: list[int], shallow: set[int]) -> bytearray:
        """Return one flag a row: reached from *starts* and not from *excluded*."""
        hidden = self._reach(excluded, shallow, bytearray(len(self._times)))
        met = self._reach(starts, shallow, bytearray(hidden))
        return bytearray(np.frombuffer(met, "u1") & ~np.frombuffer(hidden, "u1") & 1)

    def _reach(self, starts: list[int], shallow: set[int], met: bytearray) -> bytearray:
        """Mark in *met* everything that *starts* reach and that is not yet marked."""
        pending = list(starts)
        parents, bounds = self._parents, self._parent_starts
        while pending:
            row = pending.pop()
            if not met[row]:
                met[row] = 1
                if row not in shallow:
                    pending.extend([parent for parent in parents[bounds[row] : bounds[row + 1]] if parent >= 0])
        return met

    def _tell_cuts(self, db: ObjectDatabase, parent_ids: bytearray, shallow: set[int]) -> None:
        """Put into the ledger where the chosen history ends early, and unlink the parents of shallow commits."""
        size, missing = self._id_size, set()
        for row in sorted(shallow - {MISSING}):
            first, last = self._parent_starts[row], self._parent_starts[row + 1]
            self._parents[first:last] = array("q", [CUT]) * (last - first)
            if self._included[row] and first < last:
                db.ledger.add(Reason.SHALLOW_BOUNDARY, self.oid(row).hex())
        parents = np.frombuffer(self._parents, "i8") if self._parents else np.zeros(0, "i8")
        for position in np.flatnonzero(parents == MISSING).tolist():
            row = bisect_right(self._parent_starts, position) - 1
            if self._included[row]:
                missing.add(bytes(parent_ids[position * size : (position + 1) * size]))
        for oid in sorted(missing):
            db.ledger.add(Reason.MISSING, oid.hex(), "commit")

    def __len__(self) -> int:
        return sum(self._included)

    @property
    def oids(self) -> bytes:
        """The id of every row, end to end."""
        return self._oids

    @property
    def trees(self) -> memoryview:
        """The root tree of every row, end to end."""
        return memoryview(self._trees).toreadonly()

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """The committer time of every row, in Unix seconds."""
        return _frozen(np.frombuffer(self._times, np.int64))

    @property
    def parents(self) -> npt.NDArray[np.int64]:
        """The parent rows of all rows; `MISSING` and `CUT` (below zero) stand for those that cannot be followed."""
        return _frozen(np.frombuffer(self._parents, np.int64))

    @property
    def parent_starts(self) -> npt.NDArray[np.int64]:
        """Where the parents of each row start in `parents`; one more than there are rows."""
        return _frozen(np.frombuffer(self._parent_starts, np.int64))

    @property
    def included(self) -> npt.NDArray[np.bool_]:
        """Whether each row is one of the chosen commits; other rows are there because the repository holds them."""
        return _frozen(np.frombuffer(self._included, np.bool_))

    def oid(self, row: int) -> ObjectId:
        """Return the id of the commit at *row*."""
        return ObjectId(self._oids[row * self._id_size : (row + 1) * self._id_size])

    def tree(self, row: int) -> ObjectId:
        """Return the root tree of the commit at *row*."""
        return ObjectId(bytes(self._trees[row * self._id_size : (row + 1) * self._id_size]))

    def record(self, row: int) -> CommitRecord:
        """Return the commit at *row* as a value."""
        return CommitRecord(self.oid(row), self.tree(row), tuple(map(self.oid, self.parent_rows(row))), self._times[row])

    def root_trees(self, rows: npt.NDArray[np.int64]) -> bytes:
        """Return the root tree ids of *rows*, end to end."""
        return np.frombuffer(self._trees, np.uint8).reshape(-1, self._id_size)[rows].tobytes()

    def parent_rows(self, row: int) -> list[int]:
        """Return the parents of the commit at *row* that can be followed, first parent first."""
        bounds = self._parent_starts
        return [parent for parent in self._parents[bounds[row] : bounds[row + 1]] if parent >= 0]

    def ordered_rows(self, order: Order = "topological") -> npt.NDArray[np.int64]:
        """Return the rows of the chosen commits in *order*; ties in committer time are broken by id, so it is one order.

        - ``topological``: children first, one line of history at a time (``git rev-list --topo-order``)
        - ``date``: children first, else newest first (``--date-order``)
        - ``oldest``: parents first, else oldest first
        """
        if order not in ORDERS:
            raise ConfigError(f"expected one of {', '.join(ORDERS)}, got {order!r}", field="order")
        by_age = self._rows_by_age()
        ages = np.empty(len(self._times), "i8")
        ages[by_age] = np.arange(len(by_age))
        if order == "topological":
            return np.array(self._lines(by_age.tolist()), np.int64)
        if order == "date":
            newest = self._merged(by_age[::-1].tolist(), (len(by_age) - 1 - ages).tolist(), children_first=True)
            return np.array(newest, np.int64)
        return np.array(self._merged(by_age.tolist(), ages.tolist(), children_first=False), np.int64)

    def _rows_by_age(self) -> np.ndarray:
        """Return all rows, oldest first, ties by id."""
        words = np.frombuffer(self._oids, "u1").reshape(-1, self._id_size)
        columns = [words[:, at : at + 4].copy().view(">u4").ravel() for at in range(0, self._id_size, 4)]
        return np.lexsort([*columns[::-1], np.frombuffer(self._times, "i8")]) if len(words) else np.zeros(0, "i8")

    def _links(self) -> tuple[np.ndarray, np.ndarray]:
        """Return child and parent rows of every link between two chosen commits."""
        parents = np.frombuffer(self._parents, "i8") if self._parents else np.zeros(0, "i8")
        children = np.repeat(np.arange(len(self._times)), np.diff(np.frombuffer(self._parent_starts, "i8")))
        chosen = np.frombuffer(self._included, "u1").astype(bool) if self._included else np.zeros(0, bool)
        kept = (parents >= 0) & chosen[children]
        kept[kept] = chosen[parents[kept]]
        return children[kept], parents[kept]

    def _merged(self, by_rank: list[int], ranks: list[int], *, children_first: bool) -> list[int]:
        """Return the chosen rows by rank, lowest first, but none before all its children (or all its parents)."""
        children, parents = self._links()
        before, after = (children, parents) if children_first else (parents, children)
        total = len(self._times)
        waits = np.bincount(after, minlength=total).tolist()
        sorting = np.argsort(before, kind="stable")
        following = after[sorting].tolist()
        bounds = np.concatenate(([0], np.cumsum(np.bincount(before, minlength=total)))).tolist()
        ready = [ranks[row] for row in range(total) if self._included[row] and not waits[row]]
        heapq.heapify(ready)
        rows = []
        while ready:
            row = by_rank[heapq.heappop(ready)]
            rows.append(row)
            for other in following[bounds[row] : bounds[row + 1]]:
                waits[other] -= 1
                if not waits[other]:
                    heapq.heappush(ready, ranks[other])
        return rows

    def _lines(self, by_age: list[int]) -> list[int]:
        """Return the chosen rows, children first, following one line of history until it meets one not yet shown."""
        waits = np.bincount(self._links()[1], minlength=len(self._times)).tolist()
        pending = [row for row in by_age if self._included[row] and not waits[row]]
        rows = []
        while pending:
            row = pending.pop()
            rows.append(row)
            for parent in self.parent_rows(row):
                if self._included[parent]:
                    waits[parent] -= 1
                    if not waits[parent]:
                        pending.append(parent)
        return rows


def walk_commits(
    db: ObjectDatabase,
    tips: Collection[ObjectId] | None = None,
    *,
    order: Order = "topological",
    exclude: Collection[ObjectId] = (),
    progress: Progress = NO_PROGRESS,
) -> Iterator[CommitRecord]:
    """Yield the commits reachable from *tips* (None: every ref and HEAD) and not from *exclude*, in *order*.

    See `CommitHistory.ordered_rows` for the orders. Loads all commits of the repository first.
    """
    history = CommitHistory.load(db, tips, exclude=exclude, progress=progress)
    return map(history.record, history.ordered_rows(order).tolist())


def _frozen(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    column.flags.writeable = False
    return column


def _all_tips(db: ObjectDatabase) -> list[ObjectId]:
    head = db.head()
    return sorted({*db.refs().values(), *(() if head is None else (head,))})


def _peel(db: ObjectDatabase, tip: ObjectId, *, quiet: bool) -> ObjectId | None:
    """Return the commit that a tag leads to, or None; what cannot be read goes to the ledger unless *quiet*."""
    oid = tip
    for _ in range(_TAG_CHAIN_LIMIT):
        try:
            found = db.read(oid)
        except NotFoundError:
            if not quiet:
                db.ledger.add(Reason.MISSING, oid.hex(), "named by a ref or a tag")
            return None
        except CorruptDataError as error:
            db.ledger.add(Reason.CORRUPT, oid.hex(), error.problem)
            return None
        if found.kind is Kind.COMMIT:
            return oid
        target = _TAG_TARGET.match(found.data) if found.kind is Kind.TAG else None
        if target is None:
            return None
        oid = ObjectId(bytes.fromhex(target[1].decode()))
    return None
