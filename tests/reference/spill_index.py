"""A map of object ids as a dictionary with a limit."""

from __future__ import annotations

from siltstone.core.errors import BudgetExceeded


class SpillIndex:
    """The same doors over a dict."""

    def __init__(self, capacity: int, id_size: int) -> None:
        self.capacity, self._id_size = capacity, id_size
        self._places: dict[bytes, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def put(self, oid: bytes, offset: int = 0, length: int = 0) -> None:
        if oid not in self._places and len(self._places) >= self.capacity:
            raise BudgetExceeded("spill_index", limit_bytes=0, needed_bytes=0)
        self._places[oid] = (offset, length)

    def put_many(self, oids: bytes) -> None:
        for at in range(0, len(oids), self._id_size):
            self.put(oids[at : at + self._id_size])

    def get(self, oid: bytes) -> tuple[int, int] | None:
        return self._places.get(oid)

    def __contains__(self, oid: object) -> bool:
        return oid in self._places

    def contains_many(self, oids: bytes) -> bytearray:
        pieces = (oids[at : at + self._id_size] for at in range(0, len(oids), self._id_size))
        return bytearray(piece in self._places for piece in pieces)


def find_repeats(tables: list[bytes], id_size: int) -> list[bytearray]:
    """1 for each id that came before."""
    seen: set[bytes] = set()
    marks = []
    for table in tables:
        row = bytearray()
        for at in range(0, len(table), id_size):
            oid = table[at : at + id_size]
            row.append(oid in seen)
            seen.add(oid)
        marks.append(row)
    return marks
