"""Which commit brought a blob, and under which path: computed only for the blobs that are asked for.

The answer for a blob is the first commit whose tree holds it, in the order `commits.CommitHistory` calls ``oldest``
(parents first, else by committer time, then by id), and the smallest path in that commit.  It depends on nothing else: not
on packing, not on threads.

All trees are decoded once in pack order into a graph of numbers (no tree is read by a random access), of which positions of
commits are handed down from the roots.  Paths are looked up only in trees that lead to a blob.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from siltstone._native.tree_graph import TreeGraph
from siltstone.core.budget import KIB, MIB
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.trees import DEPTH_LIMIT, PATH_LIMIT_BYTES, find_entries, is_submodule, is_tree
from siltstone.gitobjects.walk_options import available_cores

_TOTAL_FOR_THREADS = 256 * MIB  # with less for everything one thread reads, in small blocks: each part names most trees again
_SMALL_BLOCK = 128 * KIB


@dataclass(frozen=True, slots=True)
class Context:
    """Where a blob first appeared."""

    commit: ObjectId
    path: bytes


def attribute(
    db: ObjectDatabase,
    blobs: Collection[ObjectId],
    *,
    tips: Collection[ObjectId] | None = None,
    discover: Callable[[ObjectBlock], Collection[ObjectId]] | None = None,
    threads: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> dict[ObjectId, Context]:
    """Return the first commit and smallest path of each of *blobs* that is reachable from *tips* (None: every ref and HEAD).

    A blob that no such commit holds is not in the result.  *discover* sees every block of trees, in a thread of its own, and
    names blobs to be attributed as well, each once, no later than with the first tree that holds it.  Missing commits and
    trees go to the ledger.  *threads* is how many read trees (default: one a processor); the result is the same.  Costs one
    pass over all trees whatever the number of blobs; memory: 40 bytes a tree and what deltas bring (git/git: 21 MB), at most
    the limit "history", beside the columns of the commits.
    """
    targets = sorted(set(blobs))
    if not targets and discover is None:
        return {}
    graph = _load_graph(db, targets, discover, threads or available_cores(), progress)
    history = CommitHistory.load(db, tips, progress=progress)  # after the trees: beside the tables of their walk is no room
    rows = history.ordered_rows("oldest")
    positions, unread, too_deep = graph.first_holders(history.root_trees(rows))
    _tell_unread(db, unread)
    if too_deep:
        db.ledger.add(Reason.UNSUPPORTED, "trees", f"folders over {DEPTH_LIMIT} levels deep")
    by_position: dict[int, list[ObjectId]] = {}
    for target, position in zip(targets, positions, strict=True):
        if position >= 0:
            by_position.setdefault(position, []).append(target)
    found: dict[ObjectId, Context] = {}
    for position, wanted in by_position.items():
        commit = history.record(int(rows[position]))
        paths = _smallest_paths(db, graph, commit.tree, position, wanted)
        for target in wanted:
            if target in paths:
                found[target] = Context(commit.oid, paths[target])
            elif not too_deep:
                db.ledger.add(Reason.UNSUPPORTED, target.hex(), "its path is too long or too deep")
    return dict(sorted(found.items()))


def _load_graph(
    db: ObjectDatabase, targets: list[ObjectId], discover: Callable[[ObjectBlock], Collection[ObjectId]] | None,
    threads: int, progress: Progress,
) -> TreeGraph:
    """Return the graph of all trees, read by *threads*; what *discover* names is appended to *targets*."""
    total, block_bytes = db.budget.total_bytes, None
    if total is not None and total < _TOTAL_FOR_THREADS:
        threads, block_bytes = 1, min(_SMALL_BLOCK, db.budget.limit("objects"))
    parts = db.walk_parts((Kind.TREE,), threads, deltas=True, block_bytes=block_bytes, progress=progress)
    known = _Targets(targets, discover)
    limit = db.budget.limit("history") // threads
    readers = [_PartReader(db, known, limit) for _ in parts]
    with ThreadPoolExecutor(threads, "siltstone-trees") as pool:
        reading = [pool.submit(reader.read, part) for reader, part in zip(readers, parts, strict=True)]
        for done in reading:
            done.result()
    graph = readers[0].graph
    for reader in readers[1:]:
        graph.absorb(reader.graph)
    return graph


class _Targets:
    """The blobs that are looked for: what was asked, and what *discover* finds on the way, for all parts of a walk."""

    def __init__(self, targets: list[ObjectId], discover: Callable[[ObjectBlock], Collection[ObjectId]] | None) -> None:
        self._targets, self._discover = targets, discover
        self._lock = threading.Lock()

    def since(self, count: int, block: ObjectBlock | None = None) -> bytes:
        """Return the targets after the first *count*, end to end, those in *block* included."""
        if self._discover is None or block is None:
            return b"".join(self._targets[count:])
        found = self._discover(block)
        with self._lock:
            self._targets += found
            return b"".join(self._targets[count:])


class _PartReader:
    """Fills a graph from one part of the walk."""

    def __init__(self, db: ObjectDatabase, targets: _Targets, limit_bytes: int) -> None:
        self._db, self._targets = db, targets
        packed = targets.since(0)
        self._count = len(packed) // db.algorithm.size
        self.graph = TreeGraph(packed, db.algorithm.size, limit_bytes=limit_bytes)

    def read(self, blocks: Iterator[ObjectBlock]) -> None:
        """Enter every tree of *blocks*."""
        for block in blocks:
            fresh = self._targets.since(self._count, block)
            self._count += len(fresh) // self._db.algorithm.size
            self.graph.add_targets(fresh)
            deltas = block.deltas
            columns = None if deltas is None else (deltas.data, deltas.starts, deltas.ends, deltas.bases, deltas.children)
            for i in self.graph.add_trees(
                block.data, block.starts, block.ends, block.oids, first=block.first, deltas=columns):
                self._db.ledger.add(Reason.CORRUPT, block.oid(i).hex(), "tree")
            del block, deltas, columns  # the buffer serves the next block


def _tell_unread(db: ObjectDatabase, unread: bytes) -> None:
    """Report trees that commits need and the database lacks; damaged ones were reported when they were read."""
    size = db.algorithm.size
    for oid in sorted({unread[at : at + size] for at in range(0, len(unread), size)}):
        find_entries(db, ObjectId(oid))


def _smallest_paths(
    db: ObjectDatabase, graph: TreeGraph, root: ObjectId, position: int, wanted: Iterable[ObjectId]
) -> dict[ObjectId, bytes]:
    """Return the smallest path of each blob below *root*, the tree of the commit at *position*, the first to hold them.

    Only folders on the way to a blob are read.  The smallest path through an entry is its name and the smallest path below
    it, so each tree is solved once, however often a commit names it.
    """
    asked = frozenset(wanted)
    solved: dict[bytes, dict[ObjectId, bytes]] = {}
    met: set[bytes] = {root}
    stack = [_Descent.into(db, graph, root, position, asked)]
    while stack:
        descent = stack[-1]
        below = next((oid for oid in descent.folders if oid not in met), None)
        if below is not None:
            met.add(below)
            stack.append(_Descent.into(db, graph, ObjectId(below), position, asked))
        else:
            stack.pop()
            solved[descent.tree] = _solve(descent.entries, asked, solved)
    return solved.get(root, {})


@dataclass(frozen=True, slots=True)
class _Descent:
    """A folder on the way to a blob: the entries that matter, and its own folders that were not yet looked at."""

    tree: ObjectId
    entries: list[tuple[int, bytes, bytes]]
    folders: Iterator[bytes]

    @classmethod
    def into(
        cls, db: ObjectDatabase, graph: TreeGraph, tree: ObjectId, position: int, asked: frozenset[ObjectId]
    ) -> _Descent:
        """Read *tree*; its entries that matter are asked blobs, and folders on the way to one."""
        entries = [entry for entry in find_entries(db, tree) if is_tree(entry[0]) or entry[2] in asked]
        firsts = graph.leading_positions(b"".join([oid for _, _, oid in entries]))
        followed = [
            entry for entry, first in zip(entries, firsts, strict=True) if first == position or not is_tree(entry[0])
        ]
        return cls(tree, followed, iter([oid for mode, _, oid in followed if is_tree(mode)]))


def _solve(
    entries: list[tuple[int, bytes, bytes]], asked: frozenset[ObjectId], solved: dict[bytes, dict[ObjectId, bytes]]
) -> dict[ObjectId, bytes]:
    """Return the smallest path below one tree whose sub-trees are solved."""
    paths: dict[ObjectId, bytes] = {}
    for mode, name, oid in entries:
        if is_tree(mode):
            found = {target: name + b"/" + path for target, path in solved.get(oid, {}).items()}
        else:
            found = {ObjectId(oid): name} if oid in asked and not is_submodule(mode) else {}
        for target, path in found.items():
            fits = len(path) <= PATH_LIMIT_BYTES and path.count(b"/") < DEPTH_LIMIT
            if fits and (target not in paths or path < paths[target]):
                paths[target] = path
    return paths
