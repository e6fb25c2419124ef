"""Git tree records, written for the reader: one record at a time, dictionaries instead of a merge walk."""

from __future__ import annotations

from siltstone.core.errors import CorruptDataError

Entry = tuple[int, bytes, bytes]
RECORD_MOST = 8192


def parse_record(data: bytes, offset: int, id_size: int) -> tuple[Entry, int]:
    """Return the record at *offset* and where the next one starts."""
    piece = data[offset : offset + RECORD_MOST]
    cut = "longer than 8192 bytes" if offset + RECORD_MOST < len(data) else "cut short"
    mode, end = 0, 0
    while True:
        if end >= len(piece):
            raise CorruptDataError(cut, offset=offset)
        digit = piece[end : end + 1]
        end += 1
        if digit == b" ":
            break
        if digit not in b"01234567":
            raise CorruptDataError("no octal mode", offset=offset)
        mode = mode * 8 + int(digit)
        if mode >= 1 << 32:
            raise CorruptDataError("mode exceeds 32 bits", offset=offset)
    if end == 1:
        raise CorruptDataError("no octal mode", offset=offset)
    stop = piece.find(b"\0", end)
    if stop < 0 or stop + 1 + id_size > len(piece):
        raise CorruptDataError(cut, offset=offset)
    name = piece[end:stop]
    if not name or b"/" in name:
        raise CorruptDataError("bad name", offset=offset)
    return (mode, name, piece[stop + 1 : stop + 1 + id_size]), offset + stop + 1 + id_size


def parse_entries(data: bytes, id_size: int) -> list[Entry]:
    entries, offset = [], 0
    while offset < len(data):
        entry, offset = parse_record(data, offset, id_size)
        entries.append(entry)
    return entries


def canonical(mode: int) -> int:
    kind = mode & 0o170000
    if kind == 0o100000:
        return 0o100755 if mode & 0o100 else 0o100644
    return kind if kind in (0o120000, 0o040000) else 0o160000


def is_tree(mode: int) -> bool:
    return mode & 0o170000 == 0o040000


def sort_key(entry: Entry) -> bytes:
    return entry[1] + (b"/" if is_tree(entry[0]) else b"\0")


def diff_entries(old: bytes, new: bytes, id_size: int) -> list[tuple[bytes, int, int, bytes | None, bytes | None]]:
    """What differs between two sorted trees without a name twice."""
    before = {sort_key(entry): entry for entry in parse_entries(old, id_size)}
    after = {sort_key(entry): entry for entry in parse_entries(new, id_size)}
    changes = []
    for key in sorted(before.keys() | after.keys()):
        left, right = before.get(key), after.get(key)
        row = (
            key[:-1], canonical(left[0]) if left else 0, canonical(right[0]) if right else 0,
            left[2] if left else None, right[2] if right else None,
        )
        if row[1] != row[2] or row[3] != row[4]:
            changes.append(row)
    return changes


def take_new(seen: dict[bytes, int], data: bytes, id_size: int) -> list[Entry]:
    fresh = []
    for entry in parse_entries(data, id_size):
        if entry[2] not in seen:
            seen[entry[2]] = len(seen)
            fresh.append(entry)
    return fresh
