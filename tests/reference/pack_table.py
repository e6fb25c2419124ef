"""What every entry of a pack is, the obvious way: the whole file in memory, each chain followed from its start."""

from __future__ import annotations

from siltstone.core.errors import CorruptDataError
from tests.reference.inflate import inflate_exact
from tests.reference.pack_read import OFS_DELTA, REF_DELTA
from tests.reference.varint import read_base_offset, read_entry_header, read_varint

Row = tuple[int, int, int, int]
Parsed = tuple[int, int, int | bytes | None]


def read_table(pack: bytes, places: dict[bytes, int], id_size: int = 20) -> dict[bytes, Row]:
    """The type, kind, depth and size behind each name, as the kernel defines them."""
    owners = {place: name for name, place in sorted(places.items(), reverse=True)}
    parsed = {name: _parse(pack, places, name, id_size) if owners[place] == name else None for name, place in places.items()}
    found = {}
    for name in places:
        kind, depth = _follow(parsed, owners, places, name)
        entry = parsed[name]
        found[name] = (0, kind, depth, -1) if entry is None else (entry[0], kind, depth, entry[1])
    return found


def _parse(pack: bytes, places: dict[bytes, int], name: bytes, id_size: int) -> Parsed | None:
    """Type, size of the object and base (a place or a name), or None where the header does not read."""
    start, end = places[name], len(pack) - id_size
    if not 12 <= start < end:
        return None
    data = pack[start : min([place for place in places.values() if place > start] + [end])]
    base: int | bytes | None = None
    try:
        kind, size, at = read_entry_header(data[:64])
        if kind == OFS_DELTA:
            distance, at = read_base_offset(data[:64], at)
            base = start - distance
            if distance <= 0 or base not in places.values():
                return None
        elif kind == REF_DELTA:
            base, at = data[at : at + id_size], at + id_size
            if len(base) < id_size:
                return None
        elif not 1 <= kind <= 4:
            return None
    except CorruptDataError:
        return None
    if size >> 62:
        return None
    return (kind, size, None) if kind <= 4 else (kind, _result_size(data, size, at), base)


def _result_size(data: bytes, size: int, at: int) -> int:
    try:
        delta = inflate_exact(data, size, at)[0]
        _, after = read_varint(delta, 0)
        return read_varint(delta, after)[0]
    except CorruptDataError:
        return -1


def _follow(
    parsed: dict[bytes, Parsed | None], owners: dict[int, bytes], places: dict[bytes, int], name: bytes
) -> tuple[int, int]:
    seen: set[bytes] = set()
    while name not in seen:
        seen.add(name)
        entry = parsed.get(name)
        if entry is None:
            return 0, -1
        if entry[0] <= 4:
            return entry[0], len(seen) - 1
        assert entry[2] is not None
        name = owners[entry[2]] if isinstance(entry[2], int) else entry[2]
    return 0, -1
