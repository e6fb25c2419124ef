"""Pack indexes, versions 1 and 2 (gitformat-pack, "pack-*.idx files"), as columns.

Nothing of an index is trusted: sizes and the fan-out are checked here, and every offset again by whoever follows it.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.reverse_index import read_reverse_index

_MAGIC = b"\xfftOc"
_FANOUT_BYTES = 256 * 4
_LARGE = np.uint64(1 << 31)  # this bit of a 4-byte offset sends the reader to the table of 8-byte offsets
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
    """Return an upper bound of the memory an index takes, from the size of its file and its version."""
    with WindowedFile(path) as file:
        has_checksums = file.size >= len(_MAGIC) and file.read_at(0, len(_MAGIC)) == _MAGIC
        return file.size * (id_size + _BYTES_PER_ENTRY) // (id_size + (8 if has_checksums else 4))


def read_pack_index(path: Path, id_size: int, note: Callable[[Path, str], None] | None = None) -> PackIndex:
    """Return the index at *path*, whose ids have *id_size* bytes.

    A reverse index beside it saves sorting; *note* is told where it cannot be used. Raises CorruptDataError where magic, size,
    fan-out or the order of the names does not hold.
    """
    with WindowedFile(path) as file:
        if file.size < 8 + _FANOUT_BYTES:
            raise CorruptDataError("pack index is cut short", source=os.fspath(path), offset=file.size)
        try:
            head = file.read_at(0, 8)
            if head[:4] != _MAGIC:
                table = _read_version_1(file, id_size)
            elif (version := int.from_bytes(head[4:], "big")) == 2:
                table = _read_version_2(file, id_size)
            else:
                raise CorruptDataError(f"pack index has unknown version {version}", offset=4)
        except CorruptDataError as error:
            raise error if error.source else error.within(os.fspath(path)) from None
    return _assemble(path, id_size, table, note)


@dataclass(slots=True)
class _Table:
    """What both versions hold, by position among the names."""

    names: bytes
    fanout: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.uint64]
    pack_checksum: bytes


def _read_fanout(file: WindowedFile, offset: int) -> npt.NDArray[np.uint32]:
    fanout = np.frombuffer(file.read_at(offset, _FANOUT_BYTES), ">u4").astype(np.uint32)
    if np.any(fanout[1:] < fanout[:-1]):
        raise CorruptDataError("fan-out of the pack index is not ascending", offset=offset)
    return fanout


def _read_version_2(file: WindowedFile, id_size: int) -> _Table:
    """Read column by column, so that no copy of the whole file stands beside what is kept."""
    fanout = _read_fanout(file, 8)
    count = int(fanout[255])
    names_at = 8 + _FANOUT_BYTES
    small_at = names_at + count * (id_size + 4)  # the checksums of entries lie between
    large_at = small_at + count * 4
    large_bytes = file.size - 2 * id_size - large_at
    if large_bytes < 0 or large_bytes % 8 or large_bytes > 8 * max(count - 1, 0):
        raise CorruptDataError(f"pack index of {count} objects has a wrong size", offset=file.size)
    names = file.read_at(names_at, count * id_size)
    _check_names(names, fanout, count, id_size, names_at)
    offsets = np.frombuffer(file.read_at(small_at, count * 4), ">u4").astype(np.uint64)
    far = np.flatnonzero(offsets >= _LARGE)
    if far.size:
        large = np.frombuffer(file.read_at(large_at, large_bytes), ">u8")
        slots = offsets[far] - _LARGE
        if int(slots.max()) >= len(large):
            raise CorruptDataError("pack index points outside its table of large offsets", offset=small_at)
        offsets[far] = large[slots.astype(np.int64)]
    return _Table(names, fanout, offsets, file.read_at(file.size - 2 * id_size, id_size))


def _read_version_1(file: WindowedFile, id_size: int) -> _Table:
    fanout = _read_fanout(file, 0)
    count = int(fanout[255])
    if file.size != _FANOUT_BYTES + count * (4 + id_size) + 2 * id_size:
        raise CorruptDataError(f"pack index of {count} objects has a wrong size", offset=file.size)
    rows = np.frombuffer(file.read_at(_FANOUT_BYTES, count * (4 + id_size)), [("offset", ">u4"), ("name", f"V{id_size}")])
    names = np.ascontiguousarray(rows["name"]).tobytes()
    _check_names(names, fanout, count, id_size, _FANOUT_BYTES)
    return _Table(names, fanout, rows["offset"].astype(np.uint64), file.read_at(file.size - 2 * id_size, id_size))


def _assemble(path: Path, id_size: int, table: _Table, note: Callable[[Path, str], None] | None) -> PackIndex:
    order, offsets = _sort(path.with_suffix(".rev"), table, id_size, note)
    table.offsets = offsets  # the unsorted ones go now: they are a quarter of what an index takes
    ranks = np.empty(len(order), np.uint32)
    ranks[order] = np.arange(len(order), dtype=np.uint32)
    return PackIndex(path, id_size, table.names, table.fanout, offsets, order, ranks, table.pack_checksum)


def _sort(
    path: Path, table: _Table, id_size: int, note: Callable[[Path, str], None] | None
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
    """Return the order of the pack and the offsets in it: as the file at *path* says, else by sorting (15 times as long)."""
    try:
        known = read_reverse_index(path, table.offsets, id_size, table.pack_checksum)
    except (CorruptDataError, OSError) as error:
        known = None
        if note is not None:
            note(path, str(error))
    if known is not None:
        return known
    order = np.argsort(table.offsets, kind="stable").astype(np.uint32)
    return order, table.offsets[order]


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
    if not falling.size:  # ids that share their first 8 bytes are rare, and equal ones are allowed
        alike = np.flatnonzero(heads[1:] == heads[:-1])
        falling = alike[_descends(table[alike], table[alike + 1])]
    if falling.size or np.any(expected != fanout):
        place = names_at + (int(falling[0]) + 1) * id_size if falling.size else names_at
        raise CorruptDataError("names of the pack index are not in order", offset=place)


def _descends(rows: npt.NDArray[np.uint8], following: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return by row whether it is greater than the one of *following*."""
    first = (rows != following).argmax(axis=1)[:, None]  # 0 where they are equal, and nothing is greater there
    descends: npt.NDArray[np.bool_] = (np.take_along_axis(rows, first, 1) > np.take_along_axis(following, first, 1)).ravel()
    return descends
