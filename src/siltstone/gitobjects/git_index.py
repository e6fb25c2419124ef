"""The git index (gitformat-index), versions 2, 3 and 4: what git would commit next, and how the files looked on disk.

The whole file is read and its checksum verified; nothing is written.  A split index, and any other extension that git
marks as needed to understand the entries, is refused rather than read in part.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siltstone._native.varint import read_base_offset
from siltstone.core.budget import GIB
from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ids import HashAlgorithm, ObjectId

_HEADER = struct.Struct(">4sII")
_STAT = struct.Struct(">10I")  # ctime, mtime (seconds, nanoseconds each), dev, ino, mode, uid, gid, size
_EXTENSION = struct.Struct(">4sI")
_EXTENDED = 0x4000
_SKIP_WORKTREE = 0x4000
_INTENT_TO_ADD = 0x2000
_KNOWN_EXTENDED = _SKIP_WORKTREE | _INTENT_TO_ADD
_NAME_MASK = 0x0FFF
_SPARSE_FOLDERS = b"sdir"  # some entries are whole folders outside the sparse checkout
_SPLIT_INDEX = b"link"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One path of the index.

    *stage* is 0, or 1 to 3 in a merge conflict.  *mode* is a tree's (0o40000) for a folder outside a sparse checkout, whose
    path ends with ``/``.  *size* is modulo 2**32; times are as ``lstat`` told when git last looked.
    """

    path: bytes
    mode: int
    oid: ObjectId
    stage: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    skip_worktree: bool
    intent_to_add: bool


def read_git_index(path: Path, algorithm: HashAlgorithm, *, limit_bytes: int = GIB) -> list[IndexEntry]:
    """Return the entries of the index file at *path*, sorted by path and stage as git keeps them; empty where it is absent.

    Raises CorruptDataError for damage, UnsupportedError for a split index or a format of the future, and BudgetExceeded for a
    file over *limit_bytes*.
    """
    try:
        with WindowedFile(path) as file:
            if file.size > limit_bytes:
                raise BudgetExceeded("git index", limit_bytes=limit_bytes, needed_bytes=file.size)
            data = file.read_at(0, file.size)
    except FileNotFoundError:
        return []
    try:
        return parse_git_index(data, algorithm)
    except CorruptDataError as error:
        raise error.within(str(path)) from error
    except UnsupportedError as error:
        raise UnsupportedError(str(error), source=str(path)) from error


def parse_git_index(data: bytes, algorithm: HashAlgorithm) -> list[IndexEntry]:
    """Return the entries of an index. Raises as `read_git_index` does; offsets are from the start of *data*."""
    body_end = len(data) - algorithm.size
    if body_end < _HEADER.size:
        raise CorruptDataError("index is shorter than its header and checksum", offset=len(data))
    signature, version, count = _HEADER.unpack_from(data)
    if signature != b"DIRC":
        raise CorruptDataError("index does not start with DIRC", offset=0)
    if version not in (2, 3, 4):
        raise UnsupportedError(f"index version {version}")
    _verify_checksum(data, body_end, algorithm)
    if count > (body_end - _HEADER.size) // (_STAT.size + algorithm.size + 3):
        raise CorruptDataError(f"index is too small for its {count} entries", offset=8)
    reader = _EntryReader(data, body_end, version, algorithm.size)
    entries = [reader.take() for _ in range(count)]
    _check_extensions(data, reader.offset, body_end)
    _check_paths(entries)
    return entries


def _verify_checksum(data: bytes, body_end: int, algorithm: HashAlgorithm) -> None:
    stored = data[body_end:]
    if not any(stored):  # index.skipHash: git wrote none
        return
    if hashlib.new(algorithm.name, memoryview(data)[:body_end], usedforsecurity=False).digest() != stored:
        raise CorruptDataError("index does not match its checksum", offset=body_end)


def _check_extensions(data: bytes, start: int, end: int) -> None:
    for signature, offset in _iter_extensions(data, start, end):
        if signature == _SPLIT_INDEX:
            raise UnsupportedError("a split index; git update-index --no-split-index joins it")
        if not 65 <= signature[0] <= 90 and signature != _SPARSE_FOLDERS:
            raise UnsupportedError(f"index extension {signature!r} at byte {offset}")


def _iter_extensions(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    while start < end:
        if end - start < _EXTENSION.size:
            raise CorruptDataError("index extension is cut short", offset=start)
        signature, size = _EXTENSION.unpack_from(data, start)
        if size > end - start - _EXTENSION.size:
            raise CorruptDataError("index extension is longer than the file", offset=start)
        yield signature, start
        start += _EXTENSION.size + size


def _check_paths(entries: list[IndexEntry]) -> None:
    """Refuse entries out of order, and what git's verify_path refuses: a path stays in the work tree, outside ``.git``."""
    last: tuple[bytes, int] = (b"", -1)
    for entry in entries:
        here = (entry.path, entry.stage)
        if here <= last:
            raise CorruptDataError(f"index entries are out of order at {entry.path[:200]!r}")
        last = here
        parts = entry.path.removesuffix(b"/").split(b"/")
        if any(part in (b"", b".", b"..") or part.lower() == b".git" for part in parts):
            raise CorruptDataError(f"index holds the path {entry.path[:200]!r}")


class _EntryReader:
    """Takes entries one after the other; *offset* is where the next one starts."""

    def __init__(self, data: bytes, end: int, version: int, id_size: int) -> None:
        self._data, self._end, self._version, self._id_size = data, end, version, id_size
        self._path = b""
        self.offset = _HEADER.size

    def take(self) -> IndexEntry:
        """Return the next entry."""
        data, start = self._data, self.offset
        at = start + _STAT.size + self._id_size + 2
        if at > self._end:
            raise CorruptDataError("index entry is cut short", offset=start)
        ctime, ctime_ns, mtime, mtime_ns, _, inode, mode, _, _, size = _STAT.unpack_from(data, start)
        oid = ObjectId(data[at - 2 - self._id_size : at - 2])
        flags, more = int.from_bytes(data[at - 2 : at]), 0
        if flags & _EXTENDED:
            more, at = int.from_bytes(data[at : at + 2]), at + 2
            if self._version < 3 or at > self._end or more & ~_KNOWN_EXTENDED:
                raise CorruptDataError("index entry has flags that its version does not know", offset=start)
        self._path, at = self._take_path(at)
        if flags & _NAME_MASK != min(len(self._path), _NAME_MASK):
            raise CorruptDataError("index entry and its path differ in length", offset=start)
        self.offset = at if self._version == 4 else self._skip_padding(start, at)
        return IndexEntry(
            self._path, mode, oid, flags >> 12 & 3, size, mtime * 10**9 + mtime_ns, ctime * 10**9 + ctime_ns, inode,
            bool(more & _SKIP_WORKTREE), bool(more & _INTENT_TO_ADD),
        )  # fmt: skip

    def _take_path(self, at: int) -> tuple[bytes, int]:
        """Return the path and the offset after its NUL; version 4 keeps a prefix of the path before."""
        kept = b""
        if self._version == 4:
            dropped, at = read_base_offset(memoryview(self._data)[: self._end], at)
            if dropped > len(self._path):
                raise CorruptDataError("index entry shares more than the path before it", offset=at)
            kept = self._path[: len(self._path) - dropped]
        stop = self._data.find(b"\0", at, self._end)
        if stop < 0:
            raise CorruptDataError("path of an index entry has no end", offset=at)
        return kept + self._data[at:stop], stop + 1

    def _skip_padding(self, start: int, after: int) -> int:
        """Entries before version 4 are padded with NULs to a multiple of eight bytes."""
        padded = start + (after - start + 7) // 8 * 8
        if padded > self._end or any(self._data[after:padded]):
            raise CorruptDataError("index entry has no padding", offset=start)
        return padded

