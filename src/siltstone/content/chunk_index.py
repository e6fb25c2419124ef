"""Where the chunks of a store lie: one sorted table over all packs, searched for many digests at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siltstone.content.hashing import DIGEST_SIZE
from siltstone.content.packs import PackTables, keys_of

ABSENT = -1


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk lies: *pack* counts the packs of one `ChunkIndex`, *group* those of the pack; sizes in bytes."""

    pack: int
    row: int
    group: int
    start: int
    size: int


class ChunkIndex:
    """Finds chunks by digest over all packs that were added: 8-byte keys in ascending order, 60 bytes a chunk in all."""

    def __init__(self) -> None:
        self.tables: list[PackTables] = []
        self._keys = np.empty(0, dtype=np.uint64)
        self._packs = np.empty(0, dtype=np.uint32)
        self._rows = np.empty(0, dtype=np.uint32)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def footprint(self) -> int:
        """Bytes that were reserved for the tables."""
        return sum(tables.footprint for tables in self.tables)

    def add(self, added: Sequence[PackTables]) -> None:
        """Add the tables of packs, in the order in which their numbers follow."""
        first = len(self.tables)
        self.tables.extend(added)
        keys = np.concatenate([self._keys, *(keys_of(tables.chunks["digest"]) for tables in added)])
        packs = [np.full(len(tables.chunks), first + at, dtype=np.uint32) for at, tables in enumerate(added)]
        rows = [np.arange(len(tables.chunks), dtype=np.uint32) for tables in added]
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._packs = np.concatenate([self._packs, *packs])[order]
        self._rows = np.concatenate([self._rows, *rows])[order]

    def find_many(self, digests: Any) -> Any:
        """Return for each row of *digests* (n times 32 bytes) the position of its first copy, or `ABSENT`; see `places`."""
        keys = keys_of(digests)
        at = np.searchsorted(self._keys, keys)
        found = np.full(len(digests), ABSENT, dtype=np.int64)
        open_rows = np.arange(len(digests))
        while True:  # once, and again only for different digests that begin with the same 8 bytes
            open_rows = open_rows[at[open_rows] < len(self._keys)]
            open_rows = open_rows[self._keys[at[open_rows]] == keys[open_rows]]
            if not len(open_rows):
                return found
            same = np.all(self._digests(at[open_rows]) == digests[open_rows], axis=1)
            found[open_rows[same]] = at[open_rows[same]]
            open_rows = open_rows[~same]
            at[open_rows] += 1

    def find_all(self, digest: bytes) -> Iterator[ChunkPlace]:
        """Yield every place of the chunk *digest*: two writers at once may have stored it twice."""
        key = np.uint64(int.from_bytes(digest[:8], "big"))
        for at in range(int(np.searchsorted(self._keys, key)), len(self._keys)):
            if self._keys[at] != key:
                return
            if self._digests(np.array([at])).tobytes() == digest:
                yield self.place(at)

    def iter_copies(self) -> Iterator[list[ChunkPlace]]:
        """Yield the places of each chunk that is there more than once."""
        doubles = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        for key in np.unique(self._keys[doubles]):
            first, end = np.searchsorted(self._keys, key), np.searchsorted(self._keys, key, side="right")
            for digest in sorted({row.tobytes() for row in self._digests(np.arange(first, end))}):
                copies = list(self.find_all(digest))
                if len(copies) > 1:
                    yield copies

    def __contains__(self, digest: bytes) -> bool:
        return len(self._keys) > 0 and next(self.find_all(digest), None) is not None

    def place(self, position: int) -> ChunkPlace:
        """Return the place at a *position* that `find_many` gave."""
        return self.place_in(int(self._packs[position]), int(self._rows[position]))

    def place_in(self, pack: int, row: int) -> ChunkPlace:
        """Return the place of a row of a pack, as `owners` gave them: unlike positions they stay what they are."""
        chunk = self.tables[pack].chunks[row]
        return ChunkPlace(pack, row, int(chunk["group"]), int(chunk["start"]), int(chunk["size"]))

    def owners(self, positions: Any) -> tuple[Any, Any]:
        """Return the packs and the rows in them of *positions*, as arrays."""
        return self._packs[positions], self._rows[positions]

    def sizes(self, positions: Any) -> Any:
        """Return the sizes of the chunks at *positions*, in bytes."""
        return self._gather(positions, "size", np.empty(len(positions), dtype=np.uint32))

    def totals(self) -> tuple[int, int, int]:
        """Return the number of chunks, their bytes, and the bytes they take in packs."""
        sizes = sum(int(tables.chunks["size"].sum(dtype=np.uint64)) for tables in self.tables)
        stored = sum(int(tables.groups["stored"].sum(dtype=np.uint64)) for tables in self.tables)
        return len(self), sizes, stored

    def _digests(self, positions: Any) -> Any:
        return self._gather(positions, "digest", np.empty((len(positions), DIGEST_SIZE), dtype=np.uint8))

    def _gather(self, positions: Any, field: str, target: Any) -> Any:
        packs, rows = self.owners(positions)
        for pack in np.unique(packs):
            mine = packs == pack
            target[mine] = self.tables[pack].chunks[field][rows[mine]]
        return target
