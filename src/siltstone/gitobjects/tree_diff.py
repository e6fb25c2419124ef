"""What changed between two trees: a merge walk in git's order that reads only what differs.

Renames are a deletion and an addition.  A change from file to symlink or submodule is one modification with two modes;
a change between file and folder is a deletion and additions, as in ``git diff-tree -r --raw --no-renames``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from siltstone._native.tree_entries import diff_entries
from siltstone.core.budget import MIB
from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.trees import find_tree_bytes, is_tree, within_limits

_CACHE_BYTES = 16 * MIB  # trees of the last commits: the old side of the next diff is nearly always among them


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
    """Compares trees of one database and keeps the trees it read last, at most *cache_bytes* of them.

    For one thread at a time.
    """

    def __init__(self, db: ObjectDatabase, *, cache_bytes: int = _CACHE_BYTES) -> None:
        self._db = db
        self._limit_bytes = cache_bytes
        self._held: OrderedDict[ObjectId, bytes] = OrderedDict()
        self._held_bytes = 0

    def _read(self, oid: ObjectId | None) -> bytes | None:
        if oid is None:
            return b""
        data = self._held.get(oid)
        if data is not None:
            self._held.move_to_end(oid)
            return data
        data = find_tree_bytes(self._db, oid)
        if data is not None:
            self._held[oid] = data
            self._held_bytes += len(data)
            while self._held_bytes > self._limit_bytes:
                self._held_bytes -= len(self._held.popitem(last=False)[1])
        return data

    def _entries(
        self, old: ObjectId | None, new: ObjectId | None
    ) -> list[tuple[bytes, int, int, bytes | None, bytes | None]]:
        """Return the differing entries of two trees; none, and a gap, where one of them cannot be read."""
        before, after = self._read(old), self._read(new)
        if before is None or after is None:
            return []
        try:
            return diff_entries(before, after, self._db.algorithm.size)
        except CorruptDataError as error:
            bad = old if error.source == "old tree" else new
            self._db.ledger.add(Reason.CORRUPT, bad.hex() if bad else "", error.problem)
            return []

    def diff(self, old: ObjectId | None, new: ObjectId | None) -> Iterator[TreeChange]:
        """Yield the paths that differ, in git's order; None is the empty tree.

        Where a sub-tree of one side cannot be read, the ledger has it and no change below its path is told.
        """
        if old == new:
            return
        stack = [(b"", iter(self._entries(old, new)))]
        while stack:
            prefix, entries = stack[-1]
            for name, old_mode, new_mode, old_oid, new_oid in entries:
                path = prefix + name
                if not (is_tree(old_mode) or is_tree(new_mode)):
                    if within_limits(self._db, path, len(stack)):
                        yield _change(path, old_mode, new_mode, old_oid, new_oid)
                elif within_limits(self._db, path, len(stack)):
                    below = self._entries(_object_id(old_oid), _object_id(new_oid))
                    stack.append((path + b"/", iter(below)))
                    break
            else:
                stack.pop()


def diff_trees(db: ObjectDatabase, old: ObjectId | None, new: ObjectId | None) -> Iterator[TreeChange]:
    """Yield the paths that differ between two trees, in git's order; None is the empty tree.

    For many diffs of one repository keep a `TreeDiffer`: it reads each tree of a chain of commits once.
    """
    return TreeDiffer(db).diff(old, new)


def _object_id(oid: bytes | None) -> ObjectId | None:
    return None if oid is None else ObjectId(oid)


def _change(path: bytes, old_mode: int, new_mode: int, old_oid: bytes | None, new_oid: bytes | None) -> TreeChange:
    kind = ChangeKind.ADD if old_oid is None else ChangeKind.DELETE if new_oid is None else ChangeKind.MODIFY
    return TreeChange(kind, path, old_mode, new_mode, _object_id(old_oid), _object_id(new_oid))
