"""Trees: their records, and the files below one, in git's order.

A tree that is missing or damaged leaves a gap in the ledger and no entries; nothing here raises for one bad object among
many.  Names and paths are bytes, as git keeps them.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from siltstone._native.tree_entries import count_entries, parse_entries
from siltstone._native.tree_stream import TreeStream
from siltstone.core.budget import KIB
from siltstone.core.errors import BudgetExceeded, CorruptDataError, NotFoundError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

PATH_LIMIT_BYTES = 4_096  # PATH_MAX of Linux: a longer path cannot be checked out
DEPTH_LIMIT = 256  # levels of folders; also what other readers of untrusted trees allow

_LISTED_BYTES = 64 * KIB  # of a tree; the records of a larger one are made one by one, a list takes five times its bytes
_GITLINK = 0o160000


def canonical_mode(mode: int) -> int:
    """Return the mode git shows: 100644 or 100755 for a file, 120000, 40000, and 160000 for anything else."""
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFREG:
        return 0o100755 if mode & 0o100 else 0o100644
    return kind if kind in (stat.S_IFLNK, stat.S_IFDIR) else _GITLINK


def is_tree(mode: int) -> bool:
    """Whether *mode* says folder."""
    return stat.S_IFMT(mode) == stat.S_IFDIR


def is_symlink(mode: int) -> bool:
    """Whether *mode* says symbolic link: the blob holds the target."""
    return stat.S_IFMT(mode) == stat.S_IFLNK


def is_submodule(mode: int) -> bool:
    """Whether *mode* says submodule: the id is a commit of another repository."""
    return canonical_mode(mode) == _GITLINK


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One record of a tree; *mode* is as written, which may be one that git no longer writes (100664)."""

    mode: int
    name: bytes
    oid: ObjectId


@dataclass(frozen=True, slots=True)
class TreeFile:
    """Something below a tree that is no folder: a file, a symlink or a submodule, with its canonical mode."""

    path: bytes
    mode: int
    oid: ObjectId


def parse_tree(data: bytes, id_size: int) -> list[TreeEntry]:
    """Return the records of a tree in their order. Raises CorruptDataError with the offset of a bad record."""
    return [TreeEntry(mode, name, ObjectId(oid)) for mode, name, oid in parse_entries(data, id_size)]


def find_tree_bytes(db: ObjectDatabase, oid: ObjectId) -> bytes | None:
    """Return the content of the tree *oid*, or None and a gap in the ledger where it cannot be read."""
    try:
        found = db.read(oid)
    except NotFoundError:
        db.ledger.add(db.absence(), oid.hex(), "tree")
        return None
    except CorruptDataError as error:
        db.ledger.add(Reason.CORRUPT, oid.hex(), error.problem)
        return None
    except BudgetExceeded as error:
        db.ledger.add(Reason.OVERSIZE, oid.hex(), f"tree of {error.needed_bytes} bytes")
        return None
    if found.kind is not Kind.TREE:
        db.ledger.add(Reason.CORRUPT, oid.hex(), "named as a tree, but is none")
        return None
    return found.data


def find_entries(db: ObjectDatabase, oid: ObjectId) -> Iterable[tuple[int, bytes, bytes]]:
    """Return ``(mode, name, id)`` of the tree *oid*, once; nothing, and a gap in the ledger, where it cannot be read."""
    data = find_tree_bytes(db, oid)
    if data is None:
        return ()
    try:
        if len(data) <= _LISTED_BYTES:
            return parse_entries(data, db.algorithm.size)
        count_entries(data, db.algorithm.size)  # a damaged tree has no entries, however it is read
        return TreeStream(data, db.algorithm.size)
    except CorruptDataError as error:
        db.ledger.add(Reason.CORRUPT, oid.hex(), error.problem)
        return ()


def within_limits(db: ObjectDatabase, path: bytes, depth: int) -> bool:
    """Whether a folder at *path*, *depth* levels down, is walked; if not, the ledger says so."""
    if len(path) <= PATH_LIMIT_BYTES and depth <= DEPTH_LIMIT:
        return True
    db.ledger.add(Reason.UNSUPPORTED, path[:200], f"path over {PATH_LIMIT_BYTES} bytes or {DEPTH_LIMIT} folders deep")
    return False


def iter_tree_files(db: ObjectDatabase, oid: ObjectId) -> Iterator[TreeFile]:
    """Yield every file, symlink and submodule below the tree *oid*, sorted by path as git sorts them.

    Each tree on the way to the current file is held once.  Paths over 4096 bytes or 256 levels, and trees that cannot be
    read, go to the ledger.  A crafted tree can name the same sub-tree many times: the caller bounds how much it takes.
    """
    stack = [(b"", iter(find_entries(db, oid)))]
    while stack:
        prefix, entries = stack[-1]
        for mode, name, entry_oid in entries:
            path = prefix + name
            if not is_tree(mode):
                if within_limits(db, path, len(stack)):
                    yield TreeFile(path, canonical_mode(mode), ObjectId(entry_oid))
            elif within_limits(db, path, len(stack)):
                stack.append((path + b"/", iter(find_entries(db, ObjectId(entry_oid)))))
                break
        else:
            stack.pop()
