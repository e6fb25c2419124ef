"""Pack files of a chunk store: chunks end to end, then their index, then a footer (docs/formats/chunk_store.md).

A pack is written once, published whole and never changed.  Reading trusts nothing: the index has a digest, its entries
must lie inside the file, and every chunk is hashed when it is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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

MAGIC = b"SILTPACK"  # DO NOT CHANGE: stored
_FOOTER = struct.Struct("<QQ32s8s")  # entries, offset of the index, BLAKE3 of index and these two, MAGIC
_ENTRY = np.dtype([
    ("digest", "u1", DIGEST_SIZE), ("offset", "<u8"), ("stored", "<u4"), ("size", "<u4"), ("codec", "u1"), ("zero", "u1", 3),
])
_PACKED_ENTRY = struct.Struct("<32sQIIB3x")
LONGEST_CHUNK = 16 * MIB
INDEX_BUDGET = "chunk_index"
BYTES_PER_CHUNK = _ENTRY.itemsize + 16  # with its row in `ChunkIndex`


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk lies: *pack* counts the packs of one `ChunkIndex`; sizes in bytes."""

    pack: int
    offset: int
    stored: int
    size: int
    codec: int


class PackWriter:
    """Appends chunks to a staged file and ends it with the index."""

    def __init__(self, path: Path) -> None:
        self._file = StagedFile(path)
        self._file.append(MAGIC)
        self._entries: dict[bytes, tuple[int, int, int, int]] = {}

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes so far, without the index."""
        return self._file.size

    def append(self, digest: bytes, size: int, codec: int, payload: bytes | memoryview) -> None:
        """Add one chunk that is not here yet."""
        self._entries[digest] = (self._file.append(payload), len(payload), size, codec)

    def publish(self, folder: Path) -> Path:
        """Write the index, sync, and give the pack its name: the digest of its index, so equal packs have equal names."""
        table = b"".join(_PACKED_ENTRY.pack(digest, *fields) for digest, fields in sorted(self._entries.items()))
        counts = struct.pack("<QQ", len(self._entries), self._file.size)
        seal = digest_of(table + counts)
        self._file.append(table)
        self._file.append(counts + seal + MAGIC)
        target = folder / f"{seal[:16].hex()}.pack"
        self._file.publish(target)
        sync_directory(folder)
        return target

    def close(self) -> None:
        """Close the file without publishing it."""
        self._file.close()


def read_index(path: Path, *, budget: Budget) -> Any:
    """Return the entries of the pack *path* as a structured array, sorted by digest; reserves its bytes from *budget*.

    Raises CorruptDataError where the file is cut short or was changed.
    """
    with WindowedFile(path) as file:
        if file.size < len(MAGIC) + _FOOTER.size or file.read_at(0, len(MAGIC)) != MAGIC:
            raise CorruptDataError("not a pack of a chunk store", source=str(path), offset=0)
        place = file.size - _FOOTER.size
        footer = file.read_at(place, _FOOTER.size)
        count, start, _, magic = _FOOTER.unpack(footer)
        if magic != MAGIC or start < len(MAGIC) or start + count * _ENTRY.itemsize != place:
            raise CorruptDataError("the footer of the pack does not fit the file", source=str(path), offset=place)
        budget.reserve(INDEX_BUDGET, count * BYTES_PER_CHUNK)
        try:
            return _parse_index(file.read_at(start, count * _ENTRY.itemsize), footer, start)
        except CorruptDataError as error:
            budget.release(INDEX_BUDGET, count * BYTES_PER_CHUNK)
            raise error.within(str(path)) from error


def _parse_index(table: bytes, footer: bytes, start: int) -> Any:
    if digest_of(table + footer[:16]) != _FOOTER.unpack(footer)[2]:
        raise CorruptDataError("the index of the pack does not match its digest", offset=start)
    entries = np.frombuffer(table, dtype=_ENTRY)
    if not _entries_are_sound(entries, start):
        raise CorruptDataError("the index of the pack has impossible entries", offset=start)
    return entries


def _entries_are_sound(entries: Any, end: int) -> bool:
    offsets, stored, sizes = entries["offset"], entries["stored"].astype(np.uint64), entries["size"]
    keys = keys_of(entries)
    return bool(
        np.all(offsets >= len(MAGIC)) and np.all(offsets <= end) and np.all(stored <= np.uint64(end) - offsets)
        and np.all(stored >= 1) and np.all(sizes >= 1) and np.all(sizes <= LONGEST_CHUNK) and np.all(stored <= sizes)
        and np.all((entries["codec"] == NONE) | (entries["codec"] == ZSTD)) and np.all(keys[1:] >= keys[:-1])
    )


def keys_of(entries: Any) -> Any:
    """Return the first 8 bytes of each digest as a number, so that numbers sort as digests do."""
    return np.ascontiguousarray(entries["digest"][:, :8]).view(">u8").reshape(-1).astype(np.uint64)


class ChunkIndex:
    """Finds chunks by digest over all packs that were added: one sorted table of 8-byte keys, 68 bytes a chunk in all."""

    def __init__(self) -> None:
        self._tables: list[Any] = []
        self._keys = np.empty(0, dtype=np.uint64)
        self._packs = np.empty(0, dtype=np.uint32)
        self._rows = np.empty(0, dtype=np.uint32)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, tables: list[Any]) -> None:
        """Add the entries of packs, in the order in which their numbers follow."""
        first = len(self._tables)
        self._tables.extend(tables)
        keys = np.concatenate([self._keys, *(keys_of(table) for table in tables)])
        packs = [np.full(len(table), first + at, dtype=np.uint32) for at, table in enumerate(tables)]
        rows = [np.arange(len(table), dtype=np.uint32) for table in tables]
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._packs = np.concatenate([self._packs, *packs])[order]
        self._rows = np.concatenate([self._rows, *rows])[order]

    def find_all(self, digest: bytes) -> Iterator[ChunkPlace]:
        """Yield every place of the chunk *digest*: two writers at once may have stored it twice."""
        key = np.uint64(int.from_bytes(digest[:8], "big"))
        at = int(np.searchsorted(self._keys, key))
        while at < len(self._keys) and self._keys[at] == key:
            pack = int(self._packs[at])
            entry = self._tables[pack][int(self._rows[at])]
            if entry["digest"].tobytes() == digest:
                yield _place(pack, entry)
            at += 1

    def __contains__(self, digest: bytes) -> bool:
        return next(self.find_all(digest), None) is not None

    def iter_pack(self, pack: int) -> Iterator[tuple[bytes, ChunkPlace]]:
        """Yield digest and place of every chunk of one pack, in the order of the file."""
        table = self._tables[pack]
        for row in np.argsort(table["offset"], kind="stable"):
            yield table[row]["digest"].tobytes(), _place(pack, table[row])

    def totals(self) -> tuple[int, int, int]:
        """Return the number of chunks, their bytes, and the bytes they take in packs."""
        sizes = sum(int(table["size"].sum(dtype=np.uint64)) for table in self._tables)
        stored = sum(int(table["stored"].sum(dtype=np.uint64)) for table in self._tables)
        return len(self), sizes, stored


def _place(pack: int, entry: Any) -> ChunkPlace:
    return ChunkPlace(pack, int(entry["offset"]), int(entry["stored"]), int(entry["size"]), int(entry["codec"]))


def read_chunk(file: WindowedFile, digest: bytes, place: ChunkPlace) -> bytes:
    """Return the content of a chunk, checked against its digest. Raises CorruptDataError where it is not what was stored."""
    source = str(file.path)
    try:
        data = decompress(file.read_at(place.offset, place.stored), codec=place.codec, size=place.size)
    except CorruptDataError as error:
        raise CorruptDataError(f"chunk {digest.hex()[:16]}: {error.problem}", source=source, offset=place.offset) from error
    if digest_of(data) != digest:
        raise CorruptDataError(f"chunk {digest.hex()[:16]} does not match its digest", source=source, offset=place.offset)
    return data
