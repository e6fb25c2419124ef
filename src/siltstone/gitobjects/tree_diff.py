"""What changed between two trees: a merge walk in git's order that reads only what differs.

Renames are a deletion and an addition.  A change from file to symlink or submodule is one modification with two modes;
a change between file and folder is a deletion and additions, as in ``git diff-tree -r --raw --no-renames``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from siltstone._native.tree_entries import diff_entries
from siltstone._native.tree_stream import RING_BYTES, TreeDiffStream
from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.tree_cache import SpilledTree, TreeCache
from siltstone.gitobjects.trees import is_tree, within_limits

EntryChange = tuple[bytes, int, int, bytes | None, bytes | None]  # name, modes and ids before and after

_MOST_HELD = 1_024  # entries that differ of two streamed trees; of more, each is made when it is asked for


class ChangeKind(IntEnum):
    """What happened to a path."""

    ADD = 1
    MODIFY = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class TreeChange:
    """One path that differs; the side where it is absent has mode 0 and id None. Modes are canonical."""

    kind: ChangeKind
    path: bytes
    old_mode: int
    new_mode: int
    old_oid: ObjectId | None
    new_oid: ObjectId | None


class TreeDiffer:
    """Compares trees of one database and keeps the trees it read last.

    For one thread at a time; a context manager. Small trees are compared whole, large ones as streams, from the spill
    arena where there is one: the same walk, so the same changes.
    """

    def __init__(
        self, db: ObjectDatabase, *, cache_bytes: int | None = None, stream_bytes: int | None = None,
        metrics: Metrics = NO_METRICS,
    ) -> None:  # fmt: skip
        """*cache_bytes* and *stream_bytes* bound what is kept and what is compared whole, see `TreeCache`.

        Counts ``trees.spilled`` and ``trees.streamed`` in *metrics*, and the peak ``trees.held``.
        """
        self._db = db
        self._trees = TreeCache(db, cache_bytes=cache_bytes, stream_bytes=stream_bytes, metrics=metrics)

    def __enter__(self) -> TreeDiffer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the kept trees."""
        self._trees.close()

    def _entries(self, old: ObjectId | None, new: ObjectId | None) -> Iterator[EntryChange]:
        """Yield the differing entries of two trees; none, and a gap, where one of them cannot be read."""
        before, after = self._trees.find(old), self._trees.find(new)
        if before is None or after is None:
            return iter(())
        try:
            if isinstance(before, bytes) and isinstance(after, bytes):
                with self._trees.hold(len(before) + len(after)):
                    return iter(diff_entries(before, after, self._db.algorithm.size))
            return self._streamed(before, after)
        except CorruptDataError as error:
            bad = old if error.source == "old tree" else new
            self._db.ledger.add(Reason.CORRUPT, bad.hex() if bad else "", error.problem)
        except BudgetExceeded as error:
            self._db.ledger.add(Reason.OVERSIZE, (new or old or b"").hex(), f"trees of {error.needed_bytes} bytes")
        return iter(())

    def _streamed(self, before: bytes | SpilledTree, after: bytes | SpilledTree) -> Iterator[EntryChange]:
        """Compare two trees at least one of which is not in memory; a fault anywhere is raised before the first entry."""
        with self._trees.hold(2 * RING_BYTES):
            changes = self._open(before, after)
            first = list(islice(changes, _MOST_HELD))
            if len(first) < _MOST_HELD:
                return iter(first)
            deque(changes, maxlen=0)  # a damaged tree gives no entries at all, however it is read
        return self._again(before, after)

    def _open(self, before: bytes | SpilledTree, after: bytes | SpilledTree) -> TreeDiffStream:
        return TreeDiffStream(self._trees.open(before), self._trees.open(after), self._db.algorithm.size)

    def _again(self, before: bytes | SpilledTree, after: bytes | SpilledTree) -> Iterator[EntryChange]:
        with self._trees.hold(2 * RING_BYTES):
            yield from self._open(before, after)

    def diff(self, old: ObjectId | None, new: ObjectId | None) -> Iterator[TreeChange]:
        """Yield the paths that differ, in git's order; None is the empty tree.

        Where a sub-tree of one side cannot be read, the ledger has it and no change below its path is told.
        """
        if old == new:
            return
        stack = [(b"", self._entries(old, new))]
        while stack:
            prefix, entries = stack[-1]
            for name, old_mode, new_mode, old_oid, new_oid in entries:
                path = prefix + name
                if not (is_tree(old_mode) or is_tree(new_mode)):
                    if within_limits(self._db, path, len(stack)):
                        yield _change(path, old_mode, new_mode, old_oid, new_oid)
                elif within_limits(self._db, path, len(stack)):
                    stack.append((path + b"/", self._entries(_object_id(old_oid), _object_id(new_oid))))
                    break
            else:
                stack.pop()


def diff_trees(db: ObjectDatabase, old: ObjectId | None, new: ObjectId | None) -> Iterator[TreeChange]:
    """Yield the paths that differ between two trees, in git's order; None is the empty tree.

    For many diffs of one repository keep a `TreeDiffer`: it reads each tree of a chain of commits once.
    """
    with TreeDiffer(db) as differ:
        yield from differ.diff(old, new)


def _object_id(oid: bytes | None) -> ObjectId | None:
    return None if oid is None else ObjectId(oid)


def _change(path: bytes, old_mode: int, new_mode: int, old_oid: bytes | None, new_oid: bytes | None) -> TreeChange:
    kind = ChangeKind.ADD if old_oid is None else ChangeKind.DELETE if new_oid is None else ChangeKind.MODIFY
    return TreeChange(kind, path, old_mode, new_mode, _object_id(old_oid), _object_id(new_oid))
