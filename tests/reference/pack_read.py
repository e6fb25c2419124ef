"""A pack, its reader and its writer the obvious way (gitformat-pack): the whole file in memory, one entry at a time."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

from siltstone.core.errors import CorruptDataError
from tests.reference import delta as deltas
from tests.reference.inflate import inflate_exact
from tests.reference.varint import read_base_offset, read_entry_header

OFS_DELTA, REF_DELTA = 6, 7
LABELS = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}


@dataclass(frozen=True)
class Entry:
    """What to write: *kind* 1-4 with its content, or 6, 7 with a delta and its base (a distance or an id).

    *stream* replaces the compressed bytes, *size* the stated size.
    """

    name: bytes
    kind: int
    content: bytes
    base: int | bytes = 0
    size: int | None = None
    stream: bytes | None = None


def name_of(kind: int, content: bytes) -> bytes:
    """The SHA-1 name of an object."""
    return hashlib.sha1(b"%s %d\0%s" % (LABELS[kind], len(content), content)).digest()


def encode_header(kind: int, size: int) -> bytes:
    """Type and size."""
    out, rest = bytearray([kind << 4 | size & 15]), size >> 4
    while rest:
        out[-1] |= 0x80
        out.append(rest & 0x7F)
        rest >>= 7
    return bytes(out)


def encode_distance(distance: int) -> bytes:
    """How far before the entry its base starts."""
    out = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        out.append(0x80 | distance & 0x7F)
    return bytes(reversed(out))


def make_pack(entries: list[Entry], offsets: dict[bytes, int] | None = None) -> tuple[bytes, bytes]:
    """A pack and its version 2 index; *offsets* replaces what the index says. A base of an OFS_DELTA counts entries back."""
    body, starts = bytearray(b"PACK" + struct.pack(">II", 2, len(entries))), []
    for entry in entries:
        starts.append(len(body))
        body += encode_header(entry.kind, len(entry.content) if entry.size is None else entry.size)
        if entry.kind == OFS_DELTA:
            assert isinstance(entry.base, int)
            place = len(starts) - 1 - entry.base
            body += encode_distance(starts[-1] - starts[place] if entry.base > 0 else -entry.base)
        elif entry.kind == REF_DELTA:
            assert isinstance(entry.base, bytes)
            body += entry.base
        body += zlib.compress(entry.content) if entry.stream is None else entry.stream
    body += hashlib.sha1(body).digest()
    places = {entry.name: start for entry, start in zip(entries, starts, strict=True)} | (offsets or {})
    return bytes(body), make_index(places, bytes(body[-20:]))


def make_index(places: dict[bytes, int], checksum: bytes) -> bytes:
    """A version 2 index of these names."""
    names = sorted(places)
    counts = [sum(name[0] <= first for name in names) for first in range(256)]
    large = [places[name] for name in names if places[name] >= 1 << 31]
    small = [places[name] if places[name] < 1 << 31 else 1 << 31 | large.index(places[name]) for name in names]
    data = b"\xfftOc" + struct.pack(">I256I", 2, *counts) + b"".join(names) + bytes(4 * len(names))
    data += struct.pack(f">{len(small)}I{len(large)}Q", *small, *large) + checksum
    return data + hashlib.sha1(data).digest()


def parse_index(data: bytes, id_size: int = 20) -> dict[bytes, int]:
    """Names and offsets of a version 2 index."""
    count = struct.unpack_from(">I", data, 8 + 255 * 4)[0]
    at = 8 + 1024
    names = [data[at + i * id_size : at + (i + 1) * id_size] for i in range(count)]
    small = struct.unpack_from(f">{count}I", data, at + count * (id_size + 4))
    large_at = at + count * (id_size + 8)
    offsets = [
        o if o < 1 << 31 else struct.unpack_from(">Q", data, large_at + 8 * (o & 0x7FFFFFFF))[0] for o in small
    ]
    return dict(zip(names, offsets, strict=True))


def read_all(pack: bytes, places: dict[bytes, int], id_size: int = 20) -> dict[bytes, tuple[int, bytes] | None]:
    """Every named object, None for what cannot be decoded."""
    return {name: read_one(pack, places, name, id_size) for name in places}


def read_one(pack: bytes, places: dict[bytes, int], name: bytes, id_size: int = 20) -> tuple[int, bytes] | None:
    """One object, or None where it cannot be decoded."""
    try:
        return _read(pack, places, _own_place(places, name), id_size, set())
    except CorruptDataError:
        return None


def _own_place(places: dict[bytes, int], name: bytes) -> int:
    """Where the entry of *name* starts; of several names at one place the first one has it."""
    if any(place == places[name] and other < name for other, place in places.items()):
        raise CorruptDataError("shared", offset=places[name])
    return places[name]


def _read(
    pack: bytes, places: dict[bytes, int], offset: int, id_size: int, above: set[int]
) -> tuple[int, bytes]:
    end = len(pack) - id_size
    if not 12 <= offset < end or offset in above:
        raise CorruptDataError("outside or a cycle", offset=offset)
    stop = min([place for place in places.values() if place > offset] + [end])
    data = pack[offset:stop]
    kind, size, at = read_entry_header(data)
    if 1 <= kind <= 4:
        return kind, inflate_exact(data, size, at)[0]
    if kind == OFS_DELTA:
        distance, at = read_base_offset(data, at)
        base_at = offset - distance
        if distance <= 0 or base_at not in places.values():
            raise CorruptDataError("no base", offset=offset)
    elif kind == REF_DELTA:
        base_name, at = data[at : at + id_size], at + id_size
        if base_name not in places:
            raise CorruptDataError("no base", offset=offset)
        base_at = _own_place(places, base_name)
    else:
        raise CorruptDataError("kind", offset=offset)
    kind, base = _read(pack, places, base_at, id_size, above | {offset})
    return kind, deltas.apply(base, inflate_exact(data, size, at)[0])
