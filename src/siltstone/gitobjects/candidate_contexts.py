"""One candidate for each blob: the least of them by place of its commit, path, parent, change and mode.

The place of a commit is that in the order "oldest", the path is compared byte by byte, the parent by its index, an addition
comes before a modification.  That order is total, so the rows depend on no thread, packing or budget; they come in it too.
Over a whole history commit and path are those that `attribution.attribute` gives.

Memory: one byte for each object of the packs, 29 to 57 for each other blob, and the rows of the commit at hand.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from siltstone._native.commit_order import find_ids
from siltstone._native.tree_entries import IdSet
from siltstone.core.budget import MIB
from siltstone.core.errors import BudgetExceeded
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.candidates import CandidateBlock, Merges, iter_candidates
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.object_database import ObjectDatabase

Rows = npt.NDArray[np.int64]

_MOST_WAITING = 32 * MIB  # of rows of one commit
_SHARE_WAITING = 8  # of what is left of the budget
_ROW_BYTES = 64  # of a row that waits, beside its path: its columns, its blob, and its number
_EARLY_ROWS = 1 << 16  # of one commit that wait at most where they come in order anyway


def canonical_contexts(
    db: ObjectDatabase, history: CommitHistory, *, merges: Merges = "first-parent", threads: int | None = None,
    progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS,
) -> Generator[CandidateBlock, None, None]:  # fmt: skip
    """Yield the least row of each blob among those of `iter_candidates`, in blocks, in the order that makes it the least.

    Memory is reserved from the budget ``history``.  Raises BudgetExceeded where one merge, or one commit whose trees are out
    of order, brings more new blobs than may wait to be compared.
    """
    waiting = min(_MOST_WAITING, db.budget.available("history") // _SHARE_WAITING)
    with db.budget.hold("history", waiting), _Numbers(db) as numbers:
        chooser = _Chooser(history, numbers, waiting, one_parent=merges == "first-parent")
        listed = iter_candidates(db, history, merges=merges, threads=threads, progress=progress, metrics=metrics)
        with closing(listed) as blocks:
            for block in blocks:
                found = chooser.take(block)
                if len(found):
                    yield found
        last = chooser.rest()
        if last is not None:
            yield last


class _Numbers:
    """A number for each blob, and whether its context is known: objects of packs by their place, others as they come."""

    def __init__(self, db: ObjectDatabase) -> None:
        self._tables = [pack.index.names for pack in db.packs()]
        self._id_size, self._budget = db.algorithm.size, db.budget
        self._starts = np.cumsum([0, *(len(table) // self._id_size for table in self._tables)], dtype=np.int64)
        self._held = int(self._starts[-1])
        self._budget.reserve("history", self._held)
        self._others = IdSet(self._id_size, limit_bytes=self._budget.limit("history"))
        self._known = np.zeros(self._held, np.bool_)

    def __enter__(self) -> _Numbers:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._tables = []
        self._budget.release("history", self._held)

    def of(self, blobs: bytearray) -> Rows:
        """Return the number of each of the ids end to end in *blobs*."""
        ids = np.frombuffer(blobs, np.uint8).reshape(-1, self._id_size)
        numbers = np.full(len(ids), -1, np.int64)
        open_rows = np.arange(len(ids))
        for table, start in zip(self._tables, self._starts.tolist(), strict=False):
            found = np.frombuffer(find_ids(table, ids[open_rows].tobytes(), self._id_size), np.int64)
            here = found >= 0
            numbers[open_rows[here]] = found[here] + start
            open_rows = open_rows[~here]
            if not len(open_rows):
                return numbers
        numbers[open_rows] = self._of_others(ids[open_rows]) + self._starts[-1]
        return numbers

    def _of_others(self, ids: npt.NDArray[np.uint8]) -> Rows:
        packed = ids.tobytes()
        absent = np.asarray(self._others.find_many(packed)) < 0
        count = len(self._others) + int(absent.sum())
        total = int(self._starts[-1])
        needed = total + (1 << max(6, count.bit_length())) * (self._id_size + 9)
        if needed > self._held:
            self._budget.reserve("history", needed - self._held)
            self._held = needed
        self._others.add_many(ids[absent].tobytes())
        if total + count > len(self._known):
            more = np.zeros(total + (1 << count.bit_length()), np.bool_)
            more[: len(self._known)] = self._known
            self._known = more
        return np.array(self._others.find_many(packed), np.int64)

    def unknown(self, numbers: Rows) -> npt.NDArray[np.bool_]:
        """Return which of *numbers* have no context yet."""
        return ~self._known[numbers]

    def settle(self, numbers: Rows) -> None:
        """Note that *numbers* have theirs."""
        self._known[numbers] = True


class _Chooser:
    """Takes the blocks of a list of candidates in turn; rows of a commit wait until its last one came."""

    def __init__(self, history: CommitHistory, numbers: _Numbers, limit_bytes: int, *, one_parent: bool) -> None:
        self._history, self._numbers, self._limit, self._one_parent = history, numbers, limit_bytes, one_parent
        self._waiting: CandidateBlock | None = None
        self._begun = -1  # a commit, some rows of which were handed out before its end
        self._last_path = b""  # of these

    def take(self, block: CandidateBlock) -> CandidateBlock:
        """Return the rows that are now known to be the least of their blobs."""
        if self._begun >= 0:
            self._check_order(block)
        numbers = self._numbers.of(block.blobs)
        fresh = np.flatnonzero(self._numbers.unknown(numbers))
        rows, numbers = take_rows(block, fresh), numbers[fresh]
        if self._waiting is not None:
            rows = join_blocks(self._waiting, rows)
            numbers = np.concatenate([self._numbers.of(self._waiting.blobs), numbers])
        chosen = _least(rows, numbers)
        rows, numbers = take_rows(rows, chosen), numbers[chosen]
        last = int(block.commits[-1])
        done = int(np.searchsorted(rows.commits == last, True))  # the rows of one commit lie together, the last one's last
        if done < len(rows) and self._is_early(rows, done, last):
            done = len(rows)
        self._waiting = take_rows(rows, np.arange(done, len(rows))) if done < len(rows) else None
        self._numbers.settle(numbers[:done])
        return take_rows(rows, np.arange(done))

    def rest(self) -> CandidateBlock | None:
        """Return what waits when there is no block any more."""
        return self._waiting

    def _is_early(self, rows: CandidateBlock, done: int, commit: int) -> bool:
        """Whether too much waits, and may go because what follows is no less; raises where it may not go."""
        count = len(rows) - done
        size = count * _ROW_BYTES + int(rows.path_ends[-1]) - (int(rows.path_ends[done - 1]) if done else 0)
        ordered = self._one_parent or len(self._history.parent_rows(commit)) <= 1
        if size <= self._limit and (count <= _EARLY_ROWS or not ordered):
            return False
        if not ordered:
            raise BudgetExceeded("history for a merge", limit_bytes=self._limit, needed_bytes=size)
        self._begun, self._last_path = commit, rows.path(len(rows) - 1)
        return True

    def _check_order(self, block: CandidateBlock) -> None:
        """Hold a commit of which rows are out already to the order of its paths: git writes no trees that break it."""
        for row in range(len(block)):
            path = block.path(row)
            if int(block.commits[row]) != self._begun:
                self._begun = -1
                return
            if path < self._last_path:
                raise BudgetExceeded(
                    "history for trees out of order", limit_bytes=self._limit, needed_bytes=self._limit + len(path))
            self._last_path = path


def _least(rows: CandidateBlock, numbers: Rows) -> Rows:
    """Return which rows are the least of their number, in the order of rows; those of one commit lie together."""
    firsts, groups = np.unique(numbers, return_index=True, return_inverse=True)[1:]
    heads = firsts[groups]  # of each row the first one with its number: no later commit comes before it
    within = rows.commits == rows.commits[heads]
    found = {int(row): int(row) for row in firsts}
    for row in np.flatnonzero(within & (heads != np.arange(len(heads)))).tolist():
        head = int(heads[row])
        if _key(rows, row) < _key(rows, found[head]):
            found[head] = row
    chosen = np.sort(np.fromiter(found.values(), np.int64, len(found)))
    return _sorted(rows, chosen)


def _sorted(rows: CandidateBlock, chosen: Rows) -> Rows:
    """Put the rows of each commit into the order of paths; they nearly always are."""
    numbers = chosen.tolist()
    keys = [_key(rows, row) for row in numbers]
    commits = rows.commits[chosen].tolist()
    start = 0
    while start < len(numbers):
        end = start + 1
        ascending = True
        while end < len(numbers) and commits[end] == commits[start]:
            ascending = ascending and keys[end - 1] < keys[end]
            end += 1
        if not ascending:
            order = sorted(range(start, end), key=keys.__getitem__)
            numbers[start:end] = [numbers[at] for at in order]
            keys[start:end] = [keys[at] for at in order]
        start = end
    return np.array(numbers, np.int64)


def _key(rows: CandidateBlock, row: int) -> tuple[bytes, int, int, int]:
    return rows.path(row), int(rows.indexes[row]), int(rows.changes[row]), int(rows.modes[row])


def take_rows(block: CandidateBlock, rows: Rows) -> CandidateBlock:
    """Return some rows of a block as one of their own."""
    ends = block.path_ends[rows]
    starts = np.where(rows > 0, block.path_ends[rows - 1], 0) if len(rows) else ends
    sizes = ends - starts
    ids = np.frombuffer(block.blobs, np.uint8).reshape(-1, block.id_size)
    paths = memoryview(block.paths)
    return replace(
        block, commits=block.commits[rows], parents=block.parents[rows], indexes=block.indexes[rows],
        changes=block.changes[rows], modes=block.modes[rows], path_ends=np.cumsum(sizes), blobs=bytearray(ids[rows].tobytes()),
        paths=bytearray().join(paths[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)),
    )  # fmt: skip


def join_blocks(first: CandidateBlock, second: CandidateBlock) -> CandidateBlock:
    """Return the rows of both, one after the other."""
    return replace(
        first, commits=np.concatenate([first.commits, second.commits]), parents=np.concatenate([first.parents, second.parents]),
        indexes=np.concatenate([first.indexes, second.indexes]), changes=np.concatenate([first.changes, second.changes]),
        modes=np.concatenate([first.modes, second.modes]), blobs=first.blobs + second.blobs, paths=first.paths + second.paths,
        path_ends=np.concatenate([first.path_ends, second.path_ends + len(first.paths)]),
    )  # fmt: skip
