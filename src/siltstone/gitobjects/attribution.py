"""Which commit brought a blob, and under which path: computed only for the blobs that are asked for.

The answer for a blob is the first commit whose tree holds it, in the order `commits.CommitHistory` calls ``oldest``
(parents first, else by committer time, then by id), and the smallest path in that commit.  It depends on nothing else: not
on packing, not on threads.  Where parents are excluded a commit may hold a blob without having brought it; blobs of which
that is so are looked for among the candidates.

All trees are decoded once in pack order into a graph of numbers (no tree is read by a random access), of which positions of
commits are handed down from the roots.  Paths are looked up only in trees that lead to a blob.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from siltstone._native.tree_graph import TreeGraph
from siltstone.core.errors import BudgetExceeded
from siltstone.core.memory import return_free_memory
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.commit_places import CommitPlaces
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.tree_graphs import Discover, TreeGraphLoader, is_tight
from siltstone.gitobjects.trees import DEPTH_LIMIT, PATH_LIMIT_BYTES, find_entries, is_submodule, is_tree
from siltstone.gitobjects.walk_options import available_cores, plan_bytes


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
    exclude: Collection[ObjectId] = (),
    first_parent: bool = False,
    discover: Discover | None = None,
    threads: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> dict[ObjectId, Context]:
    """Return who brought each of *blobs* among the commits that *tips* (None: every ref and HEAD) reach and *exclude* does not.

    That is the least candidate of these commits against their first parents: by commit, then path.  Unless an excluded parent
    holds the blob it is the first commit that holds it.  A blob without one is not in the result.  *first_parent* follows only
    the first parents from *tips*.  *discover* sees every block of trees, in a thread of its own, and names blobs to be
    attributed as well, each once, no later than with the first tree that holds it.  Missing commits and trees go to the
    ledger.  *threads* is how many read trees (default: one a processor); the result is the same.

    Costs one pass over all trees whatever the number of blobs, and with *exclude* the comparison of the chosen commits where
    an excluded parent holds one.  Memory: 40 bytes a commit, 40 a tree and what deltas bring (git/git: 30 MB), reserved from
    the budget "history"; commits and much of the trees wait in temporary files where the budget is small.
    """
    targets = sorted(set(blobs))
    if not targets and discover is None:
        return {}
    loading = _Loading(db, tips, exclude, first_parent=first_parent, progress=progress)
    loader = TreeGraphLoader(db, targets, discover)
    try:
        graph, places = loading.run(loader, threads or available_cores())
        with places:
            roots = places.roots()
            loader.hold_solution(graph, len(roots))
            found, again = _first_contexts(db, graph, places, roots, targets)
        del graph, roots
    finally:
        loader.close()
    if again:
        from siltstone.gitobjects.candidate_choice import first_candidates  # only ranges need it

        found.update(
            (blob, Context(commit, path))
            for blob, (commit, path) in first_candidates(
                db, again, tips, exclude, first_parent=first_parent, threads=threads, progress=progress).items()
        )  # fmt: skip
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class _Loading:
    """Which commits to load, and how beside the trees."""

    db: ObjectDatabase
    tips: Collection[ObjectId] | None
    exclude: Collection[ObjectId]
    first_parent: bool
    progress: Progress

    def run(self, loader: TreeGraphLoader, threads: int) -> tuple[TreeGraph, CommitPlaces]:
        """Return trees and commits: one after the other with little memory, else at the same time."""
        if is_tight(self.db):
            places = self._places(aside=True)
            return_free_memory()
            return loader.load(threads, self.progress), places
        largest = max((len(pack) for pack in self.db.packs()), default=0)
        if threads == 1 or self.db.budget.available("pack_index") < 2 * largest * plan_bytes(deltas=True):
            return loader.load(threads, self.progress), self._places()
        began = threading.Event()  # what the walk of the trees takes is reserved: the commits have what is left

        def places_beside() -> CommitPlaces | None:
            began.wait()
            try:
                return self._places()
            except BudgetExceeded:  # there may be room when the trees are done
                return None

        with ThreadPoolExecutor(1, "siltstone-commits") as pool:
            loaded: Future[CommitPlaces | None] = pool.submit(places_beside)
            try:
                graph = loader.load(threads, self.progress, began.set)
            finally:
                began.set()
        return graph, loaded.result() or self._places()

    def _places(self, *, aside: bool = False) -> CommitPlaces:
        return CommitPlaces(self.db, self.tips, self.exclude, first_parent=self.first_parent, aside=aside)


def _first_contexts(
    db: ObjectDatabase, graph: TreeGraph, places: CommitPlaces, roots: bytes, targets: list[ObjectId]
) -> tuple[dict[ObjectId, Context], list[ObjectId]]:
    """Return the first holder of each target, and the targets that an excluded parent holds already."""
    positions, unread, too_deep = graph.first_holders(roots)
    _tell_unread(db, unread)
    if too_deep:
        db.ledger.add(Reason.UNSUPPORTED, "trees", f"folders over {DEPTH_LIMIT} levels deep")
    by_position: dict[int, list[ObjectId]] = {}
    for target, position in zip(targets, positions, strict=True):
        by_position.setdefault(position, []).append(target)
    found: dict[ObjectId, Context] = {}
    by_position.pop(-1, None)
    again = [target for position in range(places.borders) for target in by_position.pop(position, [])]
    for position, wanted in by_position.items():
        place = position - places.borders
        paths = _smallest_paths(db, graph, places.tree(place), position, wanted)
        for target in wanted:
            if target in paths:
                found[target] = Context(places.commit(place), paths[target])
            elif not too_deep:
                db.ledger.add(Reason.UNSUPPORTED, target.hex(), "its path is too long or too deep")
    return found, sorted(again)


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
