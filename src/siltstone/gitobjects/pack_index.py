"""Pack indexes, versions 1 and 2 (gitformat-pack, "pack-*.idx files"), as columns.

Nothing of an index is trusted: sizes and the fan-out are checked here, and every offset again by whoever follows it.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile

_MAGIC = b"\xfftOc"
_FANOUT_BYTES = 256 * 4
_LARGE = np.uint32(1 << 31)  # this bit of a 4-byte offset sends the reader to the table of 8-byte offsets
# Bytes held per entry besides its name: offset, order, rank.
_BYTES_PER_ENTRY = 8 + 4 + 4


@dataclass(frozen=True, slots=True)
class PackIndex:
    """The objects of one pack by name and by place.

    *rank* counts entries in pack order; ``names`` holds the ids end to end in ascending order.
    """

    path: Path
    id_size: int
    names: bytes
    fanout: npt.NDArray[np.uint32]  # 256 running counts by first byte
    offsets: npt.NDArray[np.uint64]  # by rank, ascending
    order: npt.NDArray[np.uint32]  # rank -> position among the names
    ranks: npt.NDArray[np.uint32]  # position among the names -> rank
    pack_checksum: bytes

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def held_bytes(self) -> int:
        """Bytes of memory the columns take."""
        return len(self) * (self.id_size + _BYTES_PER_ENTRY)

    def name(self, position: int) -> bytes:
        """Return the id at *position* among the names."""
        return self.names[position * self.id_size : (position + 1) * self.id_size]

    def names_between(self, low: bytes, high: bytes) -> Iterator[bytes]:
        """Yield the ids from *low* to *high*, both included, ascending."""
        first = int(self.fanout[low[0] - 1]) if low[0] else 0
        for position in range(bisect_left(range(len(self)), low, first, int(self.fanout[low[0]]), key=self.name), len(self)):
            name = self.name(position)
            if name > high:
                return
            yield name


def held_bytes_of(path: Path, id_size: int) -> int:
    """Return an upper bound of the memory an index takes, from the size of its file."""
    return os.stat(path).st_size * (id_size + _BYTES_PER_ENTRY) // (id_size + 4)


def read_pack_index(path: Path, id_size: int) -> PackIndex:
    """Return the index at *path*, whose ids have *id_size* bytes.

    Raises CorruptDataError where its magic, size, fan-out or the order of its names does not hold.
    """
    source = os.fspath(path)
    with WindowedFile(path) as file:
        if file.size < 8 + _FANOUT_BYTES:
            raise CorruptDataError("pack index is cut short", source=source, offset=file.size)
        data = file.read_at(0, file.size)
    try:
        if data[:4] == _MAGIC:
            version = int.from_bytes(data[4:8], "big")
            if version != 2:
                raise CorruptDataError(f"pack index has unknown version {version}", offset=4)
            return _parse_version_2(path, data, id_size)
        return _parse_version_1(path, data, id_size)
    except CorruptDataError as error:
        raise error.within(source) from None


def _read_fanout(data: bytes, offset: int) -> npt.NDArray[np.uint32]:
    fanout = np.frombuffer(data, ">u4", 256, offset).astype(np.uint32)
    if np.any(fanout[1:] < fanout[:-1]):
        raise CorruptDataError("fan-out of the pack index is not ascending", offset=offset)
    return fanout


def _parse_version_2(path: Path, data: bytes, id_size: int) -> PackIndex:
    fanout = _read_fanout(data, 8)
    count = int(fanout[255])
    names_at = 8 + _FANOUT_BYTES
    crc_at = names_at + count * id_size
    small_at = crc_at + count * 4
    large_at = small_at + count * 4
    large_bytes = len(data) - 2 * id_size - large_at
    if large_bytes < 0 or large_bytes % 8 or large_bytes > 8 * max(count - 1, 0):
        raise CorruptDataError(f"pack index of {count} objects has a wrong size", offset=len(data))
    small = np.frombuffer(data, ">u4", count, small_at).astype(np.uint32)
    offsets = small.astype(np.uint64)
    far = small >= _LARGE
    if far.any():
        large = np.frombuffer(data, ">u8", large_bytes // 8, large_at)
        slots = small[far] & ~_LARGE
        if slots.max() >= len(large):
            raise CorruptDataError("pack index points outside its table of large offsets", offset=small_at)
        offsets[far] = large[slots]
    names = data[names_at:crc_at]
    return _assemble(path, id_size, names, fanout, offsets, data[-2 * id_size : -id_size], names_at)


def _parse_version_1(path: Path, data: bytes, id_size: int) -> PackIndex:
    fanout = _read_fanout(data, 0)
    count = int(fanout[255])
    if len(data) != _FANOUT_BYTES + count * (4 + id_size) + 2 * id_size:
        raise CorruptDataError(f"pack index of {count} objects has a wrong size", offset=len(data))
    rows = np.frombuffer(data, [("offset", ">u4"), ("name", f"V{id_size}")], count, _FANOUT_BYTES)
    names = np.ascontiguousarray(rows["name"]).tobytes()
    offsets = rows["offset"].astype(np.uint64)
    return _assemble(path, id_size, names, fanout, offsets, data[-2 * id_size : -id_size], _FANOUT_BYTES)


def _assemble(
    path: Path, id_size: int, names: bytes, fanout: npt.NDArray[np.uint32], offsets: npt.NDArray[np.uint64],
    checksum: bytes, names_at: int,
) -> PackIndex:  # fmt: skip
    count = len(offsets)
    _check_names(names, fanout, count, id_size, names_at)
    order = np.argsort(offsets, kind="stable").astype(np.uint32)
    ranks = np.empty(count, np.uint32)
    ranks[order] = np.arange(count, dtype=np.uint32)
    return PackIndex(path, id_size, names, fanout, offsets[order], order, ranks, checksum)


def _check_names(
    names: bytes, fanout: npt.NDArray[np.uint32], count: int, id_size: int, names_at: int
) -> None:
    """Hold the names to ascending order and to the fan-out: a lookup by halving is only right on such a table."""
    if not count:
        return
    table = np.frombuffer(names, np.uint8).reshape(count, id_size)
    expected = np.cumsum(np.bincount(table[:, 0], minlength=256)).astype(np.uint32)
    heads = np.ascontiguousarray(table[:, :8]).view(">u8").reshape(count).astype(np.uint64)
    falling = np.flatnonzero(heads[1:] < heads[:-1])
    if falling.size or np.any(expected != fanout):
        place = names_at + (int(falling[0]) + 1) * id_size if falling.size else names_at
        raise CorruptDataError("names of the pack index are not in order", offset=place)
