"""Which commit brought a blob, and under which path: computed only for the blobs that are asked for.

The answer for a blob is the first commit whose tree holds it, in the order `commits.CommitHistory` calls ``oldest``
(parents first, else by committer time, then by id), and the smallest path in that commit.  It depends on nothing else: not
on packing, not on threads.

All trees are decoded once in pack order into a graph of numbers (no tree is read by a random access), then the commits are
walked oldest first, each tree visited once, until every blob is found.  Paths are looked up only in trees that hold a blob.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from siltstone._native.tree_graph import TreeGraph
from siltstone.core.prefetch import iterate_ahead
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.trees import DEPTH_LIMIT, PATH_LIMIT_BYTES, find_entries, is_submodule, is_tree


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
    progress: Progress = NO_PROGRESS,
) -> dict[ObjectId, Context]:
    """Return the first commit and smallest path of each of *blobs* that is reachable from *tips* (None: every ref and HEAD).

    A blob that no such commit holds is not in the result.  *discover* sees every block of trees, in a thread of its own, and
    names blobs to be attributed as well, each once, no later than with the first tree that holds it.  Missing commits and
    trees go to the ledger.  Costs one pass over all trees whatever the number of blobs; memory: 4 bytes a sub-tree entry
    and 55 a tree, at most the limit "history".
    """
    targets = sorted(set(blobs))
    if not targets and discover is None:
        return {}
    history = CommitHistory.load(db, tips, progress=progress)  # before the trees: it holds the GIL that their threads need
    graph = _load_graph(db, targets, discover, progress)
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
    progress: Progress,
) -> TreeGraph:
    """Return the graph of all trees, decoded ahead in a thread; what *discover* names is appended to *targets*."""
    size = db.algorithm.size
    graph = TreeGraph(b"".join(targets), size, limit_bytes=db.budget.limit("history"))
    decoded = iterate_ahead(db.walk_objects((Kind.TREE,)))
    for block, fresh in iterate_ahead((block, discover(block) if discover else ()) for block in decoded):
        if fresh:
            graph.add_targets(b"".join(fresh))
            targets += fresh
        for i in graph.add_trees(block.data, block.starts, block.ends, block.oids):
            db.ledger.add(Reason.CORRUPT, block.oid(i).hex(), "tree")
        progress.advance(len(block))
    return graph


def _tell_unread(db: ObjectDatabase, unread: bytes) -> None:
    """Report trees that commits need and the database lacks; damaged ones were reported when they were read."""
    size = db.algorithm.size
    for oid in sorted({unread[at : at + size] for at in range(0, len(unread), size)}):
        find_entries(db, ObjectId(oid))


def _smallest_paths(
    db: ObjectDatabase, graph: TreeGraph, root: ObjectId, position: int, wanted: Iterable[ObjectId]
) -> dict[ObjectId, bytes]:
    """Return the smallest path of each blob below *root*, the tree of the commit at *position*, the first to hold them.

    A folder that holds a blob appears with it or later, so only folders that are new in this commit are entered.  The
    smallest path through an entry is its name and the smallest path below it, so each tree is solved once, however often
    a commit names it.
    """
    asked = frozenset(wanted)
    solved: dict[bytes, dict[ObjectId, bytes]] = {}
    entries_of: dict[bytes, list[tuple[int, bytes, bytes]]] = {}
    stack: list[bytes] = [root]
    while stack:
        tree = stack[-1]
        if tree not in entries_of:
            entries_of[tree] = _entries_to_follow(db, graph, ObjectId(tree), position, asked)
        below = [oid for mode, _, oid in entries_of[tree] if is_tree(mode) and oid not in entries_of]
        if below:
            stack.append(below[0])
            continue
        stack.pop()
        solved[tree] = _solve(entries_of[tree], asked, solved)
    return solved.get(root, {})


def _entries_to_follow(
    db: ObjectDatabase, graph: TreeGraph, tree: ObjectId, position: int, asked: frozenset[ObjectId]
) -> list[tuple[int, bytes, bytes]]:
    """Return the entries of *tree* that are one of the blobs, or folders that appear first at *position*."""
    entries = [entry for entry in find_entries(db, tree) if is_tree(entry[0]) or entry[2] in asked]
    firsts = graph.first_positions(b"".join([oid for _, _, oid in entries]))
    return [
        entry for entry, first in zip(entries, firsts, strict=True) if not is_tree(entry[0]) or first == position
    ]


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
