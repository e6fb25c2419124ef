"""The commits of a repository as columns, and the orders in which to walk them.

Memory is about 67 bytes a commit (SHA-1), reserved from the budget "history" as long as the history lives.  Commits come
from the commit-graph where there is one to be trusted, else from one pass over all commit objects, not by following
parents, because that decodes each once and in pack order.  Rows ascend by id, so they do not depend on where a commit was
found.  Grafts and shallow boundaries count as git counts them, replaced objects do not (``git --no-replace-objects``).  A
parent that is in no pack and not loose goes to the ledger as MISSING, a commit cut off by a shallow clone as
SHALLOW_BOUNDARY; the walk goes on without it.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from siltstone._native.commit_order import find_ids, mark_reached, order_rows
from siltstone.core.budget import Budget, Reservation
from siltstone.core.errors import ConfigError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.commit_loading import LoadedColumns, load_columns
from siltstone.gitobjects.commit_tips import TipReader, all_tips
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

Order = Literal["topological", "date", "oldest"]
ORDERS: tuple[Order, ...] = ("topological", "date", "oldest")

MISSING = -1  # a parent that is not in the database
CUT = -2  # a parent that a shallow clone left out on purpose
_SCRATCH_BYTES = 36  # of an order, per row: a front as wide as the history


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """What a walk needs of a commit; *parents* are those that the walk can follow, *committer_time* is in Unix seconds."""

    oid: ObjectId
    tree: ObjectId
    parents: tuple[ObjectId, ...]
    committer_time: int


class CommitHistory:
    """The commits reachable from some tips, in rows that ascend by id; immutable once loaded."""

    def __init__(
        self, columns: LoadedColumns, included: npt.NDArray[np.bool_], id_size: int, budget: Budget
    ) -> None:
        """Use `load`."""
        self._columns, self._id_size, self._budget = columns, id_size, budget
        self._included = included
        self._included.flags.writeable = False
        self._count = int(np.count_nonzero(included))

    @classmethod
    def load(
        cls, db: ObjectDatabase, tips: Collection[ObjectId] | None = None, *, exclude: Collection[ObjectId] = (),
        first_parent: bool = False, use_graph: bool = True, progress: Progress = NO_PROGRESS,
    ) -> CommitHistory:  # fmt: skip
        """Load the commits reachable from *tips* (None: every ref and HEAD) and not from *exclude*.

        Tags are peeled; a tip that leads to no commit is passed over.  *first_parent* follows only the first parent of each
        commit from *tips*; *exclude* hides all that it reaches (``git rev-list --first-parent``).  Without *use_graph* a
        commit-graph is not looked at; the result is the same.  Raises BudgetExceeded over the limit "history".
        """
        reader, held = TipReader(db), Reservation(db.budget, "history")
        starts = all_tips(db) if tips is None else tips
        try:
            columns = load_columns(db, [*starts, *exclude], reader, held, use_graph=use_graph, progress=progress)
            held.set(columns.held_bytes + len(columns.times))
            shallow = _cut_shallow(db, columns)
            rows = _TipRows(db.algorithm.size, columns, reader)
            hidden = rows.reached(exclude, np.zeros(len(columns.times), np.uint8), quiet=True)
            met = rows.reached(starts, hidden.copy(), first_parent=first_parent)
            history = cls(columns, (met & ~hidden & 1).view(np.bool_), db.algorithm.size, db.budget)
            history._tell_cuts(db, shallow, first_parent=first_parent)
        except BaseException:
            held.set(0)
            raise
        weakref.finalize(history, held.set, 0)
        return history

    def _tell_cuts(self, db: ObjectDatabase, shallow: npt.NDArray[np.int64], *, first_parent: bool) -> None:
        """Put into the ledger where the chosen history ends early; parents that are missing become `MISSING`."""
        for row in shallow[self._included[shallow]].tolist():
            db.ledger.add(Reason.SHALLOW_BOUNDARY, self.oid(row).hex())
        parents = self._columns.parents
        gaps = np.flatnonzero(parents < CUT)
        children = np.searchsorted(self.parent_starts, gaps, side="right") - 1
        followed = self._included[children] & (~np.bool_(first_parent) | (self.parent_starts[children] == gaps))
        size, missing = self._id_size, self._columns.missing
        numbers, firsts = np.unique(CUT - 1 - parents[gaps[followed]], return_index=True)
        for number, child in zip(numbers.tolist(), children[followed][firsts].tolist(), strict=True):
            reason = db.absence(self.oid(child))
            db.ledger.add(reason, missing[number * size : (number + 1) * size].hex(), "commit")
        parents[gaps] = MISSING
        parents.flags.writeable = False

    def __len__(self) -> int:
        return self._count

    @property
    def oids(self) -> bytes:
        """The id of every row, end to end, ascending."""
        return self._columns.oids

    @property
    def trees(self) -> bytes:
        """The root tree of every row, end to end."""
        return self._columns.trees

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """The committer time of every row, in Unix seconds."""
        return self._columns.times

    @property
    def parents(self) -> npt.NDArray[np.int64]:
        """The parent rows of all rows; `MISSING` and `CUT` (below zero) stand for those that cannot be followed."""
        return self._columns.parents

    @property
    def parent_starts(self) -> npt.NDArray[np.int64]:
        """Where the parents of each row start in `parents`; one more than there are rows."""
        return self._columns.parent_starts

    @property
    def included(self) -> npt.NDArray[np.bool_]:
        """Whether each row is one of the chosen commits; other rows are there because the repository holds them."""
        return self._included

    @property
    def graph_commits(self) -> int:
        """How many commits came from a commit-graph."""
        return self._columns.graph_commits

    def oid(self, row: int) -> ObjectId:
        """Return the id of the commit at *row*."""
        return ObjectId(self.oids[row * self._id_size : (row + 1) * self._id_size])

    def find_row(self, oid: ObjectId) -> int:
        """Return the row of a commit, chosen or not, or -1."""
        return int(np.frombuffer(find_ids(self.oids, oid, self._id_size), np.int64)[0])

    def tree(self, row: int) -> ObjectId:
        """Return the root tree of the commit at *row*."""
        return ObjectId(self.trees[row * self._id_size : (row + 1) * self._id_size])

    def record(self, row: int) -> CommitRecord:
        """Return the commit at *row* as a value."""
        parents = tuple(map(self.oid, self.parent_rows(row)))
        return CommitRecord(self.oid(row), self.tree(row), parents, int(self.times[row]))

    def root_trees(self, rows: npt.NDArray[np.int64]) -> bytes:
        """Return the root tree ids of *rows*, end to end."""
        return np.frombuffer(self.trees, np.uint8).reshape(-1, self._id_size)[rows].tobytes()

    def parent_rows(self, row: int) -> list[int]:
        """Return the parents of the commit at *row* that can be followed, first parent first."""
        first, last = self.parent_starts[row : row + 2].tolist()
        return [parent for parent in self.parents[first:last].tolist() if parent >= 0]

    def ordered_rows(self, order: Order = "topological") -> npt.NDArray[np.int64]:
        """Return the rows of the chosen commits in *order*; ties in committer time are broken by id, so it is one order.

        - ``topological``: children first, one line of history at a time (``git rev-list --topo-order``)
        - ``date``: children first, else newest first (``--date-order``)
        - ``oldest``: parents first, else oldest first

        Commits that are their own ancestors by grafts are left out.  Takes up to 36 bytes a commit from "history" meanwhile.
        """
        if order not in ORDERS:
            raise ConfigError(f"expected one of {', '.join(ORDERS)}, got {order!r}", field="order")
        with self._budget.hold("history", len(self.times) * _SCRATCH_BYTES):
            rows = order_rows(
                ORDERS.index(order), self.times, self.parents, self.parent_starts, self._included.view(np.uint8))
        return np.frombuffer(rows, np.int64)


@dataclass(frozen=True, slots=True)
class _TipRows:
    """Rows of tips, and what they reach."""

    id_size: int
    columns: LoadedColumns
    reader: TipReader

    def reached(
        self, tips: Collection[ObjectId], met: npt.NDArray[np.uint8], *, first_parent: bool = False, quiet: bool = False
    ) -> npt.NDArray[np.uint8]:
        """Mark in *met* what *tips* reach and return it."""
        commits = self.reader.commits(tips, lambda oids: (self._rows(oids) >= 0).tobytes(), quiet=quiet)
        rows = self._rows(b"".join(commits))
        columns = self.columns
        mark_reached(met, rows[rows >= 0], columns.parents, columns.parent_starts, first_parent=first_parent)
        return met

    def _rows(self, oids: bytes) -> npt.NDArray[np.int64]:
        return np.frombuffer(find_ids(self.columns.oids, oids, self.id_size), np.int64)


def _cut_shallow(db: ObjectDatabase, columns: LoadedColumns) -> npt.NDArray[np.int64]:
    """Make the parents of shallow commits `CUT`; return the rows of those that had parents, ascending."""
    shallow = sorted(db.shallow_commits())
    rows = np.frombuffer(find_ids(columns.oids, b"".join(shallow), db.algorithm.size), np.int64)
    rows = rows[rows >= 0]
    first, counts = columns.parent_starts[rows], columns.parent_starts[rows + 1] - columns.parent_starts[rows]
    within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    columns.parents[np.repeat(first, counts) + within] = CUT
    return rows[counts > 0]


def walk_commits(
    db: ObjectDatabase, tips: Collection[ObjectId] | None = None, *, order: Order = "topological",
    exclude: Collection[ObjectId] = (), first_parent: bool = False, progress: Progress = NO_PROGRESS,
) -> Iterator[CommitRecord]:  # fmt: skip
    """Yield the commits reachable from *tips* (None: every ref and HEAD) and not from *exclude*, in *order*.

    See `CommitHistory.load` for what is left out and `CommitHistory.ordered_rows` for the orders. Loads all commits of the
    repository first.
    """
    history = CommitHistory.load(db, tips, exclude=exclude, first_parent=first_parent, progress=progress)
    return map(history.record, history.ordered_rows(order).tolist())
