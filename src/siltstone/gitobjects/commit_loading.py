"""Where the columns of a history come from: the commit-graph where it can be trusted, else every commit object once.

A commit-graph is passed over where parents are not what commits say (grafts, a shallow clone, replaced objects), where it
is damaged, and where it is stale, that is names a wanted commit that is gone.  Commits younger than the graph are read one
by one; where they are many, one pass over all commits is cheaper.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siltstone._native.commit_columns import CommitColumns, parse_commit_links
from siltstone._native.commit_order import find_ids
from siltstone.core.budget import MIB, Reservation
from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.commit_graph import GraphColumns, find_graph_files, read_commit_graph
from siltstone.gitobjects.commit_spool import CommitSpool
from siltstone.gitobjects.commit_tips import TipReader
from siltstone.gitobjects.ids import HashAlgorithm, Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock, gather_blocks
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.objects import GitObject

_AMPLE_BYTES = 128 * MIB  # of room: a million commits fit beside the walk that reads them
_BATCH_BYTES = 1 << 20  # commits read one by one are handed over in blocks of about this size
_FEWEST_YOUNG = 512  # commits that may be read one by one whatever the size of the graph: 20 ms
_LATEST = 1 << 33  # seconds: the year 2242; times before 1970 are above it in a commit-graph
_YOUNG_SHARE = 32  # a read by name costs as much as a pass over some 20 commits


@dataclass(frozen=True, slots=True)
class LoadedColumns:
    """Commits by ascending id; a parent below -2 stands for number ``-3 - parent`` of the ids in *missing*."""

    oids: bytes
    trees: bytes
    times: npt.NDArray[np.int64]
    parents: npt.NDArray[np.int64]
    parent_starts: npt.NDArray[np.int64]
    missing: bytes
    graph_commits: int  # how many came from a commit-graph

    @property
    def held_bytes(self) -> int:
        """Bytes of memory the columns take."""
        return len(self.oids) + len(self.trees) + 8 * (len(self.times) + len(self.parents) + len(self.parent_starts))

    def oid(self, row: int) -> ObjectId:
        """Return the id of the commit at *row*."""
        size = len(self.oids) // max(1, len(self.times))
        return ObjectId(self.oids[row * size : (row + 1) * size])


def load_columns(
    db: ObjectDatabase, tips: Collection[ObjectId], reader: TipReader, held: Reservation, *, use_graph: bool = True,
    progress: Progress = NO_PROGRESS,
) -> LoadedColumns:  # fmt: skip
    """Return at least the commits that *tips* (commits, tags, anything) reach, reserved in *held*.

    Commits that are damaged go to the ledger. Raises BudgetExceeded over the limit "history".
    """
    grafts = db.grafts()
    graph = _open_graph(db, held) if use_graph and not grafts and _parents_are_plain(db) else None
    if graph is not None:
        found = _load_by_graph(db, graph, tips, reader, held)
        if found is not None:
            progress.advance(len(found.times))
            return found
    columns = _read_all(db, held, progress)
    for oid, parents in grafts.items():
        columns.set_parents(oid, b"".join(parents))
    return _finish(columns, held, 0)


def load_every_commit(db: ObjectDatabase, held: Reservation) -> LoadedColumns:
    """Return the commits of the database as they are, reserved in *held*. Raises as `load_columns` does."""
    return _finish(_read_all(db, held, NO_PROGRESS), held, 0)


def sort_graph(graph: GraphColumns, algorithm: HashAlgorithm, held: Reservation) -> LoadedColumns:
    """Return the commits of a *graph* by ascending id, reserved in *held*. Raises BudgetExceeded over the limit "history"."""
    columns = CommitColumns(algorithm.size, limit_bytes=held.most)
    columns.add_rows(graph.oids, graph.trees, graph.times, graph.parents, graph.parent_starts)
    return _finish(columns, held, len(graph))


def _read_all(db: ObjectDatabase, held: Reservation, progress: Progress) -> CommitColumns:
    aside = db.budget.total_bytes is not None or held.most < _AMPLE_BYTES  # else a walk may take what the columns need
    return _walk_aside(db, held, progress) if aside else _walk(db, held, progress)


def _walk(db: ObjectDatabase, held: Reservation, progress: Progress) -> CommitColumns:
    """Return every commit of the database."""
    columns = CommitColumns(db.algorithm.size, limit_bytes=held.most)
    for block in db.walk_objects((Kind.COMMIT,), order="any"):
        _add_block(db, columns, block)
        progress.advance(len(block))
        held.set(columns.memory_bytes)
    return columns


def _walk_aside(db: ObjectDatabase, held: Reservation, progress: Progress) -> CommitColumns:
    """Return every commit as `_walk` does, in memory only when the walk has given its own back."""
    with CommitSpool(db.algorithm.size) as spool:
        for block in db.walk_objects((Kind.COMMIT,), order="any"):
            part = CommitColumns(db.algorithm.size)
            _add_block(db, part, block)
            spool.put(part)
            progress.advance(len(block))
        columns = CommitColumns(db.algorithm.size, limit_bytes=held.most)
        spool.drain(columns)
    held.set(columns.memory_bytes)
    return columns


def _add_block(db: ObjectDatabase, columns: CommitColumns, block: ObjectBlock) -> None:
    for i, problem in columns.add_block(block.data, block.starts, block.ends, block.oids):
        db.ledger.add(Reason.CORRUPT, block.oid(i).hex(), problem)


def _finish(columns: CommitColumns, held: Reservation, graph_commits: int) -> LoadedColumns:
    oids, trees, times, parents, starts, missing = columns.finish()
    found = LoadedColumns(
        oids, trees, np.frombuffer(times, np.int64), np.frombuffer(parents, np.int64), np.frombuffer(starts, np.int64),
        missing, graph_commits,
    )  # fmt: skip
    held.set(found.held_bytes)
    return found


def _parents_are_plain(db: ObjectDatabase) -> bool:
    """Whether no shallow boundary and no replaced object can make a graph differ from the commits."""
    return not db.shallow_commits() and not db.replacements()


def _open_graph(db: ObjectDatabase, held: Reservation) -> GraphColumns | None:
    """Return the commit-graph, or None where there is none to be used.

    A damaged one is no gap in the result, so the ledger does not hear of it; who verifies the repository does.
    """
    try:
        paths = find_graph_files([folder.path for folder in db.folders], db.algorithm)
        graph = read_commit_graph(paths, db.algorithm, limit_bytes=held.most // 2) if paths else None
        return graph if graph is not None and _times_are_whole(graph) else None
    except (OSError, CorruptDataError):  # rewritten meanwhile, out of reach, or damaged
        return None
    except BudgetExceeded:  # too large to lie beside the columns
        return None


def _times_are_whole(graph: GraphColumns) -> bool:
    """Whether no time looks like the last 34 bits of one that has more or is below zero, which is all that git keeps there."""
    return not len(graph) or (int(graph.times.min()) > 0 and int(graph.times.max()) < _LATEST)


def _load_by_graph(
    db: ObjectDatabase, graph: GraphColumns, tips: Collection[ObjectId], reader: TipReader, held: Reservation
) -> LoadedColumns | None:
    """Return the commits of the graph and the younger ones that *tips* lead to; None where reading all is better."""
    columns = CommitColumns(db.algorithm.size, limit_bytes=held.most)
    gaps: list[tuple[ObjectId, str]] = []  # told only where the result is used
    try:
        columns.add_rows(graph.oids, graph.trees, graph.times, graph.parents, graph.parent_starts)
        held.set(columns.memory_bytes)
        if not _add_younger(db, columns, reader.commits(tips, columns.contains_many), gaps):
            return None
        found = _finish(columns, held, len(graph))
    except BudgetExceeded:
        return None  # a walk may fit where graph and columns do not
    if not _all_exist(db, found):
        return None
    for oid, problem in gaps:
        db.ledger.add(Reason.CORRUPT, oid.hex(), problem)
    return found


def _add_younger(
    db: ObjectDatabase, columns: CommitColumns, tips: list[ObjectId], gaps: list[tuple[ObjectId, str]]
) -> bool:
    """Read what *tips* reach outside the columns; False where there are too many. What is absent is left out."""
    most = max(_FEWEST_YOUNG, len(columns) // _YOUNG_SHARE)
    seen, pending = set(tips), tips
    while pending:
        known = columns.contains_many(b"".join(pending))
        fresh = [oid for oid, there in zip(pending, known, strict=True) if not there]
        most -= len(fresh)
        if most < 0:
            return False
        named = _add_commits(db, columns, _read_commits(db, fresh, gaps), gaps)
        pending = sorted(named - seen)
        seen |= named
    return True


def _read_commits(db: ObjectDatabase, oids: list[ObjectId], gaps: list[tuple[ObjectId, str]]) -> Iterator[GitObject]:
    for oid in oids:
        try:
            found = db.find(oid)
        except CorruptDataError as error:
            gaps.append((oid, str(error)))
            continue
        if found is not None and found.kind is Kind.COMMIT:
            yield found


def _add_commits(
    db: ObjectDatabase, columns: CommitColumns, commits: Iterator[GitObject], gaps: list[tuple[ObjectId, str]]
) -> set[ObjectId]:
    """Enter *commits*; return the parents that they name."""
    named: set[ObjectId] = set()
    size = db.algorithm.size
    for block in gather_blocks(commits, size, _BATCH_BYTES):
        damaged = dict(columns.add_block(block.data, block.starts, block.ends, block.oids))
        gaps.extend((block.oid(i), problem) for i, problem in damaged.items())
        for i in set(range(len(block))) - set(damaged):
            parents = parse_commit_links(block.content(i), size)[1]
            named |= {ObjectId(parents[at : at + size]) for at in range(0, len(parents), size)}
    return named


def _all_exist(db: ObjectDatabase, found: LoadedColumns) -> bool:
    """Whether every commit of the graph is still in the database."""
    absent = np.ones(len(found.times), np.bool_)
    for pack in db.packs():
        absent &= np.frombuffer(find_ids(pack.index.names, found.oids, db.algorithm.size), np.int64) < 0
    rows = np.flatnonzero(absent).tolist()
    return all(found.oid(row) in db for row in rows)
