"""Pack files of a chunk store: groups of chunks end to end, then two tables, then a footer (docs/formats/chunk_store.md).

A group is a run of new chunks compressed as one frame: 64 KiB chunks alone give away 5 % of the ratio.  A pack is written
once, published whole and never changed.  Reading trusts nothing: the tables have a digest, their entries must lie inside
the file and inside their groups, and every chunk is hashed when it is read.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siltstone.content.compression import NONE, ZSTD, decompress
from siltstone.content.hashing import DIGEST_SIZE, digest_of
from siltstone.content.staging import StagedFile
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile, sync_directory

MAGIC = b"SILTPAK2"  # DO NOT CHANGE: stored
_FOOTER = struct.Struct("<QQQ32s8s")  # chunks, groups, offset of the tables, BLAKE3 of tables and these three, MAGIC
_COUNTS = struct.Struct("<QQQ")
_GROUP = np.dtype([("offset", "<u8"), ("stored", "<u4"), ("size", "<u4"), ("codec", "u1"), ("zero", "u1", 7)])
_CHUNK = np.dtype([("digest", "u1", DIGEST_SIZE), ("group", "<u4"), ("start", "<u4"), ("size", "<u4")])
_PACKED_GROUP = struct.Struct("<QIIB7x")
_PACKED_CHUNK = struct.Struct("<32sIII")
LONGEST_CHUNK = 16 * MIB
LONGEST_GROUP = 16 * MIB
INDEX_BUDGET = "chunk_index"
BYTES_PER_CHUNK = _CHUNK.itemsize + 16  # with its row in `ChunkIndex`
_BYTES_PER_GROUP = _GROUP.itemsize


@dataclass(frozen=True, slots=True)
class PackTables:
    """The tables of one pack: *groups* in the order of the file, *chunks* ascending by digest."""

    groups: Any
    chunks: Any

    @property
    def footprint(self) -> int:
        """Bytes that these tables and their rows of the index take in memory."""
        return len(self.chunks) * BYTES_PER_CHUNK + len(self.groups) * _BYTES_PER_GROUP


class PackWriter:
    """Appends groups to a staged file and ends it with the tables."""

    def __init__(self, path: Path) -> None:
        self._file = StagedFile(path)
        self._file.append(MAGIC)
        self._groups: list[bytes] = []
        self._chunks: dict[bytes, tuple[int, int, int]] = {}

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._chunks

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def size(self) -> int:
        """Bytes so far, without the tables."""
        return self._file.size

    def append(self, chunks: Sequence[tuple[bytes, int]], codec: int, payload: bytes | memoryview) -> None:
        """Add one group: digest and size of its *chunks*, none of which is here yet, and what their bytes are stored as."""
        number, start = len(self._groups), 0
        for digest, size in chunks:
            self._chunks[digest] = (number, start, size)
            start += size
        self._groups.append(_PACKED_GROUP.pack(self._file.append(payload), len(payload), start, codec))

    def flush(self) -> None:
        """Hand what is held to the system: no payload that was given is looked into after this."""
        self._file.flush()

    def publish(self, folder: Path) -> Path:
        """Write the tables, sync, and name the pack by half the digest of its tables, so that equal packs have equal names."""
        chunks = b"".join(_PACKED_CHUNK.pack(digest, *fields) for digest, fields in sorted(self._chunks.items()))
        tables = b"".join(self._groups) + chunks
        counts = _COUNTS.pack(len(self._chunks), len(self._groups), self._file.size)
        seal = digest_of(tables + counts)
        self._file.append(tables)
        self._file.append(counts + seal + MAGIC)
        target = folder / f"{seal[:16].hex()}.pack"
        self._file.publish(target)
        sync_directory(folder)
        return target

    def close(self) -> None:
        """Close the file without publishing it."""
        self._file.close()


def read_bytes(file: WindowedFile, offset: int, size: int) -> bytes:
    """Return bytes of a file of a store; a sector that the device cannot read is damage like any other, CorruptDataError."""
    try:
        return file.read_at(offset, size)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise CorruptDataError("the device cannot read this", source=str(file.path), offset=offset) from error


def read_tables(path: Path, *, budget: Budget) -> PackTables:
    """Return the tables of the pack *path*; reserves their `footprint` from *budget*.

    Raises CorruptDataError where the file is cut short or was changed.
    """
    with WindowedFile(path) as file:
        if file.size < len(MAGIC) + _FOOTER.size or read_bytes(file, 0, len(MAGIC)) != MAGIC:
            raise CorruptDataError("not a pack of a chunk store", source=str(path), offset=0)
        place = file.size - _FOOTER.size
        footer = read_bytes(file, place, _FOOTER.size)
        chunks, groups, start, _, magic = _FOOTER.unpack(footer)
        size = groups * _GROUP.itemsize + chunks * _CHUNK.itemsize
        if magic != MAGIC or start < len(MAGIC) or start + size != place:
            raise CorruptDataError("the footer of the pack does not fit the file", source=str(path), offset=place)
        reserved = chunks * BYTES_PER_CHUNK + groups * _BYTES_PER_GROUP
        budget.reserve(INDEX_BUDGET, reserved)
        try:
            return _parse_tables(read_bytes(file, start, size), groups, footer, start)
        except BaseException as error:
            budget.release(INDEX_BUDGET, reserved)
            if isinstance(error, CorruptDataError) and not error.source:
                raise error.within(str(path)) from error
            raise


def _parse_tables(data: bytes, groups: int, footer: bytes, start: int) -> PackTables:
    if digest_of(data + footer[:_COUNTS.size]) != _FOOTER.unpack(footer)[3]:
        raise CorruptDataError("the tables of the pack do not match their digest", offset=start)
    tables = PackTables(np.frombuffer(data, dtype=_GROUP, count=groups),
                        np.frombuffer(data, dtype=_CHUNK, offset=groups * _GROUP.itemsize))
    if not _groups_are_sound(tables.groups, start) or not _chunks_are_sound(tables):
        raise CorruptDataError("the tables of the pack have impossible entries", offset=start)
    return tables


def _groups_are_sound(groups: Any, end: int) -> bool:
    offsets, stored, sizes = groups["offset"], groups["stored"].astype(np.uint64), groups["size"]
    raw = groups["codec"] == NONE
    return bool(
        np.all(offsets >= len(MAGIC)) and np.all(offsets <= end) and np.all(stored <= np.uint64(end) - offsets)
        and np.all(offsets[1:] >= offsets[:-1] + stored[:-1]) and np.all(stored >= 1) and np.all(stored <= sizes)
        and np.all(sizes <= LONGEST_GROUP) and np.all(raw | (groups["codec"] == ZSTD)) and np.all(stored[raw] == sizes[raw])
    )


def _chunks_are_sound(tables: PackTables) -> bool:
    groups, sizes = tables.chunks["group"], tables.chunks["size"]
    if len(groups) and int(groups.max()) >= len(tables.groups):
        return False
    ends = tables.chunks["start"].astype(np.uint64) + sizes
    keys = keys_of(tables.chunks["digest"])
    return bool(np.all(sizes >= 1) and np.all(sizes <= LONGEST_CHUNK) and np.all(ends <= tables.groups["size"][groups])
                and np.all(keys[1:] >= keys[:-1]))


def keys_of(digests: Any) -> Any:
    """Return the first 8 bytes of each of *digests* (rows of 32 bytes) as a number, so that numbers sort as digests do."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def read_stored(file: WindowedFile, group: Any) -> bytes:
    """Return the bytes that a group, an entry of `PackTables.groups`, is stored as."""
    return read_bytes(file, int(group["offset"]), int(group["stored"]))


def read_group(file: WindowedFile, group: Any) -> bytes:
    """Return the content of a group, an entry of `PackTables.groups`. Raises CorruptDataError where it does not decode."""
    offset = int(group["offset"])
    try:
        return decompress(read_stored(file, group), codec=int(group["codec"]), size=int(group["size"]))
    except CorruptDataError as error:
        raise CorruptDataError(f"a group of chunks: {error.problem}", source=str(file.path), offset=offset) from error
