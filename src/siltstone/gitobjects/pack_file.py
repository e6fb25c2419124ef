"""A pack and its index: checked when first opened, read by position, its descriptor lent by a bounded pool."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from siltstone._native.inflate import capsule
from siltstone._native.pack_read import PackReader
from siltstone._native.pack_walk import PackForest
from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.pack_index import PackIndex, read_pack_index

_SIGNATURE = b"PACK"
_HEADER_BYTES = 12
_SMALLEST_CACHE = 1 << 18  # bytes of bases kept by a pack that comes late
_MOST_OPEN = 64  # descriptors held for random reads, however many packs there are



class DescriptorPool:
    """What the packs of a database share: open files, at most 64, and memory for kept bases. The caller holds the lock."""

    def __init__(self, cache_bytes: int, most: int = _MOST_OPEN) -> None:
        """*cache_bytes* is for the bases that random reads keep, of all packs together."""
        self._most, self._cache_left = most, cache_bytes
        self._files: OrderedDict[Path, WindowedFile] = OrderedDict()

    def take_cache(self) -> int:
        """Return how many bytes of bases one more pack may keep: half of what is left, so hundreds stay bounded."""
        share = max(_SMALLEST_CACHE, self._cache_left // 2)
        self._cache_left = max(0, self._cache_left - share)
        return share

    def open(self, path: Path) -> WindowedFile:
        """Return *path* open for reading; it stays open at least until the next call."""
        file = self._files.get(path)
        if file is None:
            while len(self._files) >= self._most:
                self._files.popitem(last=False)[1].close()
            file = self._files[path] = WindowedFile(path)
        else:
            self._files.move_to_end(path)
        return file

    def close(self) -> None:
        """Close every file."""
        while self._files:
            self._files.popitem()[1].close()


class PackFile:
    """One pack of a database. Its methods are called under the database's lock."""

    __slots__ = ("_limit", "_pool", "_reader", "_size", "forest", "index", "path", "promisor")

    def __init__(
        self, path: Path, id_size: int, pool: DescriptorPool, *, limit_bytes: int,
        note: Callable[[Path, str], None] | None = None,
    ) -> None:  # fmt: skip
        """*path* ends in ``.pack``, its index lies beside it. Raises CorruptDataError where the two do not agree.

        *note* is told about a reverse index that cannot be used.
        """
        self.path = path
        self.index: PackIndex = read_pack_index(path.with_suffix(".idx"), id_size, note)
        self.promisor = path.with_suffix(".promisor").exists()  # from a partial clone: what it names may be absent on purpose
        self.forest: weakref.ref[PackForest] | None = None  # headers that a walk has read and still uses
        self._pool, self._limit = pool, limit_bytes
        self._reader: PackReader | None = None
        with WindowedFile(path) as file:
            self._size = self._check(file)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def end(self) -> int:
        """Where the entries end and the trailing hash starts."""
        return self._size - self.index.id_size

    def _check(self, file: WindowedFile) -> int:
        """Hold header and trailer to the index, as git does; return the size of the file."""
        source = os.fspath(self.path)
        if file.size < _HEADER_BYTES + self.index.id_size:
            raise CorruptDataError("pack is cut short", source=source, offset=file.size)
        header = file.read_at(0, _HEADER_BYTES)
        if header[:4] != _SIGNATURE or int.from_bytes(header[4:8], "big") not in (2, 3):
            raise CorruptDataError("not a pack of version 2 or 3", source=source, offset=0)
        count = int.from_bytes(header[8:], "big")
        if count != len(self.index):
            raise CorruptDataError(
                f"pack holds {count:,} objects, its index {len(self.index):,}", source=source, offset=8)
        trailer_at = file.size - self.index.id_size
        if file.read_at(trailer_at, self.index.id_size) != self.index.pack_checksum:
            raise CorruptDataError("pack has another checksum than its index says", source=source, offset=trailer_at)
        return file.size

    @property
    def _random(self) -> PackReader:
        if self._reader is None:
            index = self.index
            self._reader = PackReader(
                index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data,
                id_size=index.id_size, end=self.end, limit_bytes=self._limit, cache_bytes=self._pool.take_cache(),
                inflate=capsule(),
            )  # fmt: skip
        return self._reader

    def __contains__(self, oid: ObjectId) -> bool:
        return self._random.find(oid) >= 0

    def iter_bases(self, oid: ObjectId) -> Iterator[ObjectId]:
        """Yield the objects of this pack that *oid* is built on, the nearest first; without end where they form a circle."""
        base = oid
        while (found := self._random.base(base, self._pool.open(self.path).fileno())) is not None:
            base = ObjectId(found)
            yield base

    def read(
        self, oid: ObjectId, base: tuple[Kind, bytes] | None = None, of: ObjectId | None = None
    ) -> tuple[Kind, bytes] | ObjectId | None:
        """Return ``(kind, content)``, None where the pack has no such object, or the id of a base it does not hold.

        In the last case call again with that *base*; with *of*, it stands for that entry of the pack. Raises
        CorruptDataError, BudgetExceeded, and FileNotFoundError where the pack has vanished.
        """
        reader = self._random
        if base is None and reader.find(oid) < 0:
            return None
        try:
            found = reader.read(oid, self._pool.open(self.path).fileno(), base, of)
        except CorruptDataError as error:
            raise error.within(os.fspath(self.path)) from None
        if isinstance(found, tuple):
            return Kind(found[0]), found[1]
        return None if found is None else ObjectId(found)
