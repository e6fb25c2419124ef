"""The candidates of a history: every blob that a commit brings, with the commit, the parent, the change, mode and path.

A row is an addition or a modification (a change of type is one) against a parent, as ``git log --raw --no-renames --root``
tells them; deletions, submodules and paths whose id stays the same are none.  Rows come in the order "oldest" of the
commits, then by parent, then in git's order of paths, whatever the number of threads.

Trees that cannot be read, submodules and paths beyond the limits go to the coverage ledger.  A tree that is too large to be
kept is read as a stream from the spill arena, where there is none as a whole: all up to the budget ``object`` are compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from siltstone._native.candidate_lines import encode_lines
from siltstone.core.budget import MIB
from siltstone.core.errors import ConfigError
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.ordered_map import THREADS_AT_MOST, check_threads
from siltstone.core.ordered_streams import chain_in_order
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.candidate_walk import CandidateWalk, Columns, WalkRoom
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.tree_diff import ChangeKind

Merges = Literal["first-parent", "all-parents"]
MERGES: tuple[Merges, ...] = ("first-parent", "all-parents")

Made = TypeVar("Made")

_RANGE_COMMITS = 1_024  # compared by one thread in one go: enough that its trees are neighbours, few enough to share out
_LARGEST_BLOCK = 2 * MIB
_BYTES_A_THREAD = 4 * MIB  # of the budget: each thread has rows, buffers and a stack beside what is reserved
_SMALLEST_BLOCK = MIB // 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """One blob at one path, as one commit brought it; *parent* is None where there was none to compare with."""

    blob: ObjectId
    commit: ObjectId
    parent: ObjectId | None
    change: ChangeKind
    mode: int
    path: bytes


@dataclass(frozen=True, slots=True)
class CandidateBlock:
    """Many candidates as columns; *commits* and *parents* are rows of *history*, -1 where there was no parent.

    *indexes* says which parent, from 0; the path of row i ends at ``path_ends[i]`` and starts where the one before ends.
    """

    history: CommitHistory
    commits: npt.NDArray[np.int32]
    parents: npt.NDArray[np.int32]
    indexes: npt.NDArray[np.int32]
    changes: npt.NDArray[np.uint8]
    modes: npt.NDArray[np.uint32]
    path_ends: npt.NDArray[np.int64]
    blobs: bytearray
    paths: bytearray
    id_size: int

    def __len__(self) -> int:
        return len(self.commits)

    def path(self, row: int) -> bytes:
        """Return the path of a row."""
        start = int(self.path_ends[row - 1]) if row else 0
        return bytes(self.paths[start : int(self.path_ends[row])])

    def blob(self, row: int) -> ObjectId:
        """Return the blob id of a row."""
        return ObjectId(bytes(self.blobs[row * self.id_size : (row + 1) * self.id_size]))

    def candidate(self, row: int) -> Candidate:
        """Return a row as a value."""
        parent = int(self.parents[row])
        return Candidate(
            self.blob(row), self.history.oid(int(self.commits[row])), self.history.oid(parent) if parent >= 0 else None,
            ChangeKind(int(self.changes[row])), int(self.modes[row]), self.path(row),
        )  # fmt: skip

    def lines(self) -> bytes:
        """Return the rows as JSON Lines: blob, commit, parent, change, mode, and path or path_b64."""
        return encode_lines(
            self.commits, self.parents, self.changes, self.modes, self.path_ends, self.blobs, self.paths,
            self.history.oids, self.id_size,
        )  # fmt: skip


def iter_candidates(
    db: ObjectDatabase, history: CommitHistory, *, merges: Merges = "first-parent", threads: int | None = None,
    progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS,
) -> Generator[CandidateBlock, None, None]:  # fmt: skip
    """Yield the candidates of the chosen commits of *history* in blocks, each commit against its first or all parents.

    A parent that is missing or cut off counts as none: with the first parent the whole tree of the commit is its
    candidates, with all parents only where none can be followed.  *threads* is the number of processors unless given.
    Trees kept and blocks waiting stay within the budget ``trees``, of which three quarters are reserved.
    """
    return _iter_made(db, history, lambda block: block, merges, threads, progress, metrics)


def iter_candidate_lines(
    db: ObjectDatabase, history: CommitHistory, *, merges: Merges = "first-parent", threads: int | None = None,
    progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS,
) -> Generator[bytes, None, None]:  # fmt: skip
    """Yield the rows of `iter_candidates` as JSON Lines, many at a time, encoded by the threads that find them."""
    return _iter_made(db, history, CandidateBlock.lines, merges, threads, progress, metrics)


def _iter_made(
    db: ObjectDatabase, history: CommitHistory, make: Callable[[CandidateBlock], Made], merges: Merges,
    threads: int | None, progress: Progress, metrics: Metrics,
) -> Generator[Made, None, None]:  # fmt: skip
    if merges not in MERGES:
        raise ConfigError(f"expected one of {', '.join(MERGES)}, got {merges!r}", field="merges")
    count = min(os.cpu_count() or 1, THREADS_AT_MOST) if threads is None else check_threads(threads)
    rows = np.ascontiguousarray(history.ordered_rows("oldest"), np.int64)
    fitting = db.budget.available("trees") // _BYTES_A_THREAD
    count = max(1, min(count, len(rows) // _RANGE_COMMITS, fitting))
    progress.stage("compare commits", len(rows))
    room = _room(db, count)
    with (
        db.budget.hold("trees", room.total_bytes), metrics.timer("candidates"),
        CandidateWalk(db, history, room, all_parents=merges == "all-parents") as walk,
    ):  # fmt: skip

        def stream(start: int) -> Iterator[Made | int]:
            part = rows[start : start + _RANGE_COMMITS]
            for columns in walk.compare(part):
                if columns[0]:
                    yield make(_block(history, columns, db.algorithm.size))
            yield len(part)

        with closing(chain_in_order(stream, range(0, len(rows), _RANGE_COMMITS), threads=count)) as found:
            for made in found:
                if isinstance(made, int):
                    progress.advance(made)
                else:
                    yield made
        metrics.add(counts=walk.counters())
        metrics.record_peak("trees.cached", walk.peak_bytes())


def _room(db: ObjectDatabase, threads: int) -> WalkRoom:
    """Share three quarters of what is left for trees: a quarter of it for blocks, the rest for kept trees."""
    total = max(4 * threads * _SMALLEST_BLOCK, db.budget.available("trees") * 3 // 4)
    block = max(_SMALLEST_BLOCK // 2, min(_LARGEST_BLOCK, total // (24 * threads)))
    return WalkRoom(threads, total, max(1, (total - 6 * threads * block) // threads), block)


def _block(history: CommitHistory, columns: Columns, id_size: int) -> CandidateBlock:
    commits, parents, indexes, changes, modes, path_ends, blobs, paths = columns
    return CandidateBlock(
        history, np.frombuffer(commits, np.int32), np.frombuffer(parents, np.int32), np.frombuffer(indexes, np.int32),
        np.frombuffer(changes, np.uint8), np.frombuffer(modes, np.uint32), np.frombuffer(path_ends, np.int64),
        blobs, paths, id_size,
    )  # fmt: skip
