"""Multi-pack indexes, versions 1 and 2, whole or in layers (gitformat-pack, technical/multi-pack-index): where an object is.

An accelerator: it says which of many packs holds an object, so that only that one's index is read. It is not believed: its
shape is checked when it is opened, its checksum before the first answer, and every answer by the index of the pack it names;
what it does not know is looked for in every pack. Only its fan-out is kept in memory.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ids import HashAlgorithm, ObjectId
from siltstone.gitobjects.small_files import read_small_file, require_regular

_SIGNATURE = b"MIDX"
_HEADER_BYTES = 12
_CHUNK_ROW_BYTES = 12
_FANOUT_BYTES = 1024
_HASH_NUMBERS = {"sha1": 1, "sha256": 2}
_MOST_NAME_BYTES = 1 << 26  # of packs; a repository with a million packs has other troubles
_MOST_LAYERS = 64  # each keeps a file open; git merges layers long before
_WINDOW_BYTES = 1 << 20
_SLICE = 1 << 14  # objects looked at at once
_LARGE = 1 << 31  # this bit of an offset sends the reader to the table of large ones, where there is one
_LAYERS_FOLDER = "multi-pack-index.d"

Note = Callable[[Path, str], None]


class MultiPackIndex:
    """One multi-pack index file. The caller holds a lock around its methods."""

    def __init__(self, path: Path, algorithm: HashAlgorithm) -> None:
        """Open and check the shape of *path*. Raises CorruptDataError where it does not hold."""
        require_regular(path)
        self.path = path
        self._algorithm = algorithm
        self._file = WindowedFile(path)
        self._verified = False
        try:
            self._read_shape()
        except BaseException as error:
            self._file.close()
            if isinstance(error, CorruptDataError) and not error.source:
                raise error.within(os.fspath(path)) from None
            raise

    def _read_shape(self) -> None:
        file, size = self._file, self._algorithm.size
        if file.size < _HEADER_BYTES + size:
            raise CorruptDataError("multi-pack index is cut short", offset=file.size)
        header = file.read_at(0, _HEADER_BYTES)
        if header[:4] != _SIGNATURE or header[4] not in (1, 2):
            raise CorruptDataError("not a multi-pack index of version 1 or 2", offset=0)
        if header[5] != _HASH_NUMBERS[self._algorithm.name]:
            raise CorruptDataError("multi-pack index for another hash function", offset=5)
        chunks = self._read_chunks(header[6])
        self.packs = self._read_names(chunks, int.from_bytes(header[8:], "big"), sorted_names=header[4] == 1)
        fanout_at, fanout_bytes = _require(chunks, b"OIDF")
        if fanout_bytes != _FANOUT_BYTES:
            raise CorruptDataError("fan-out of the multi-pack index has a wrong size", offset=fanout_at)
        self._fanout: npt.NDArray[np.uint32] = np.frombuffer(file.read_at(fanout_at, _FANOUT_BYTES), ">u4").astype(np.uint32)
        if np.any(self._fanout[1:] < self._fanout[:-1]):
            raise CorruptDataError("fan-out of the multi-pack index is not ascending", offset=fanout_at)
        self._names_at, names_bytes = _require(chunks, b"OIDL")
        self._places_at, places_bytes = _require(chunks, b"OOFF")
        self._large = chunks.get(b"LOFF", (0, 0))
        if names_bytes != len(self) * size or places_bytes != len(self) * 8:
            raise CorruptDataError(f"multi-pack index of {len(self)} objects has chunks of a wrong size", offset=_HEADER_BYTES)

    def _read_chunks(self, count: int) -> dict[bytes, tuple[int, int]]:
        """Return where each chunk starts and how long it is (gitformat-chunk)."""
        table = self._file.read_at(_HEADER_BYTES, (count + 1) * _CHUNK_ROW_BYTES)
        end = self._file.size - self._algorithm.size
        rows = [table[at : at + _CHUNK_ROW_BYTES] for at in range(0, len(table), _CHUNK_ROW_BYTES)]
        places = [int.from_bytes(row[4:], "big") for row in rows]
        if rows[-1][:4] != bytes(4) or places[0] < _HEADER_BYTES + len(table) or places[-1] > end or places != sorted(places):
            raise CorruptDataError("table of chunks does not hold", offset=_HEADER_BYTES)
        found = {row[:4]: (start, stop - start) for row, start, stop in zip(rows, places, places[1:], strict=False)}
        if len(found) != count or bytes(4) in found:
            raise CorruptDataError("table of chunks names a chunk twice", offset=_HEADER_BYTES)
        return found

    def _read_names(self, chunks: dict[bytes, tuple[int, int]], count: int, *, sorted_names: bool) -> list[str]:
        """Return the packs by number, without suffix."""
        start, size = _require(chunks, b"PNAM")
        if size > _MOST_NAME_BYTES or count > size:
            raise CorruptDataError(f"{count} names of packs do not fit into {size} bytes", offset=start)
        names = self._file.read_at(start, size).split(b"\0")[:-1][:count]
        if len(names) != count:
            raise CorruptDataError("names of packs are cut short", offset=start)
        if sorted_names and any(name >= following for name, following in pairwise(names)):
            raise CorruptDataError("names of packs are not in order", offset=start)
        return [os.fsdecode(name).removesuffix(".idx").removesuffix(".pack") for name in names]

    def __len__(self) -> int:
        return int(self._fanout[255])

    @property
    def checksum(self) -> bytes:
        """The hash at the end of the file, as stated."""
        return self._file.read_at(self._file.size - self._algorithm.size, self._algorithm.size)

    def verify(self) -> None:
        """Hold the file to its checksum. Raises CorruptDataError where it differs. Cost: reads the file once."""
        hasher = hashlib.new(self._algorithm.name, usedforsecurity=False)
        end = self._file.size - self._algorithm.size
        for offset in range(0, end, _WINDOW_BYTES):
            hasher.update(self._file.read_at(offset, min(_WINDOW_BYTES, end - offset)))
        if hasher.digest() != self.checksum:
            raise CorruptDataError("multi-pack index has a wrong checksum", source=os.fspath(self.path), offset=end)

    def find(self, oid: ObjectId) -> str | None:
        """Return the pack that is said to hold an object, without suffix, or None. Raises CorruptDataError for damage."""
        if not self._verified:
            self.verify()
            self._verified = True
        first = oid[0]
        low, high = int(self._fanout[first - 1]) if first else 0, int(self._fanout[first])
        position = bisect_left(range(len(self)), bytes(oid), low, high, key=self._name)
        if position == high or self._name(position) != oid:
            return None
        place = self._places_at + 8 * position
        number = int.from_bytes(self._file.read_at(place, 4), "big")
        if number >= len(self.packs):
            raise CorruptDataError("multi-pack index names a pack it does not list", source=os.fspath(self.path), offset=place)
        return self.packs[number]

    def _name(self, position: int) -> bytes:
        return self._file.read_at(self._names_at + position * self._algorithm.size, self._algorithm.size)

    def path_of_pack(self, name: str) -> Path:
        """Return where the pack called *name* lies."""
        folder = self.path.parent
        return (folder.parent if folder.name == _LAYERS_FOLDER else folder) / f"{name}.pack"

    def slices(self) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Yield all objects, some at a time: ids as rows of bytes, numbers of packs, offsets. Raises CorruptDataError where
        ids are not in order or an offset is outside the table of large ones."""
        size, last = self._algorithm.size, b""
        for first in range(0, len(self), _SLICE):
            count = min(_SLICE, len(self) - first)
            packed = self._file.read_at(self._names_at + first * size, count * size)
            ids = [packed[at : at + size] for at in range(0, len(packed), size)]
            wrong = any(oid >= following for oid, following in pairwise([last, *ids]))
            if wrong or any(not self._is_filed(oid, place) for place, oid in ((first, ids[0]), (first + count - 1, ids[-1]))):
                raise CorruptDataError("ids of the multi-pack index are not in order", offset=self._names_at)
            last = ids[-1]
            table = np.frombuffer(self._file.read_at(self._places_at + 8 * first, 8 * count), ">u4").reshape(-1, 2)
            offsets = table[:, 1].astype(np.int64)
            far = np.flatnonzero(offsets & _LARGE) if self._large[1] else np.zeros(0, np.int64)
            for row in far.tolist():
                place = int(offsets[row]) & ~_LARGE
                if 8 * place + 8 > self._large[1]:
                    raise CorruptDataError("offset is outside the table of large ones", offset=self._large[0])
                offsets[row] = int.from_bytes(self._file.read_at(self._large[0] + 8 * place, 8), "big", signed=True)
            yield np.frombuffer(packed, np.uint8).reshape(-1, size), table[:, 0].astype(np.int64), offsets

    def _is_filed(self, oid: bytes, position: int) -> bool:
        """Whether the fan-out leads to *position* for an id."""
        return (int(self._fanout[oid[0] - 1]) if oid[0] else 0) <= position < int(self._fanout[oid[0]])

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()


def open_multi_pack_indexes(folder: Path, algorithm: HashAlgorithm, note: Note) -> list[MultiPackIndex]:
    """Return the multi-pack index in *folder*, or the layers of its chain, lowest first; empty where there is none.

    What is damaged is left out, and *note* is told; of a chain what lies below is used, as git does.
    """
    path = folder / "multi-pack-index"
    try:
        return [MultiPackIndex(path, algorithm)]
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (CorruptDataError, OSError) as error:
        note(path, str(error))
    return _open_layers(folder / _LAYERS_FOLDER, algorithm, note)


def _open_layers(folder: Path, algorithm: HashAlgorithm, note: Note) -> list[MultiPackIndex]:
    layers: list[MultiPackIndex] = []
    chain = folder / "multi-pack-index-chain"
    path = chain
    try:
        for line in (read_small_file(chain) or b"").splitlines():
            if len(line) != 2 * algorithm.size or line.strip(b"0123456789abcdef") or len(layers) >= _MOST_LAYERS:
                raise CorruptDataError("chain of multi-pack indexes does not parse", source=os.fspath(chain))
            path = folder / f"multi-pack-index-{line.decode()}.midx"
            layer = MultiPackIndex(path, algorithm)
            layers.append(layer)
            if layer.checksum.hex().encode() != line:
                layers.pop().close()
                raise CorruptDataError("layer has another checksum than its name says", source=os.fspath(path))
    except (CorruptDataError, OSError) as error:
        note(path, str(error))
    return layers


def _require(chunks: dict[bytes, tuple[int, int]], name: bytes) -> tuple[int, int]:
    if name not in chunks:
        raise CorruptDataError(f"multi-pack index has no chunk {name.decode()}", offset=_HEADER_BYTES)
    return chunks[name]
