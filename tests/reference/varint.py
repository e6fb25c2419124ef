"""Variable-length integers the obvious way: LEB128, and git's two of its own."""

from __future__ import annotations

from siltstone.core.errors import CorruptDataError


def _byte(data: bytes, at: int, offset: int, what: str) -> int:
    if at >= len(data):
        raise CorruptDataError(f"{what} is cut short", offset=offset)
    return data[at]


def _start(data: bytes, offset: int, what: str) -> None:
    if not 0 <= offset < len(data):
        raise CorruptDataError(f"{what} is missing", offset=offset)


def read_varint(data: bytes, offset: int = 0) -> tuple[int, int]:
    """LEB128, at most ten bytes and 64 bits."""
    _start(data, offset, "varint")
    total = 0
    for used in range(10):
        byte = _byte(data, offset + used, offset, "varint")
        total |= (byte & 0x7F) << (7 * used)
        if total >> 64 or (used == 9 and byte > 1):
            raise CorruptDataError("varint exceeds 64 bits", offset=offset)
        if byte < 0x80:
            return total, offset + used + 1
    raise CorruptDataError("varint exceeds 64 bits", offset=offset)


def read_varints(data: bytes) -> list[int]:
    """Every integer, one after the other."""
    values, at = [], 0
    while at < len(data):
        value, at = read_varint(data, at)
        values.append(value)
    return values


def read_entry_header(data: bytes, offset: int = 0) -> tuple[int, int, int]:
    """Three bits of type, then a size of 4 + 7 + 7 … bits."""
    _start(data, offset, "entry header")
    at = offset
    byte = _byte(data, at, offset, "entry size")
    kind, size, shift = (byte >> 4) & 7, byte & 15, 4
    while byte & 0x80:
        at += 1
        byte = _byte(data, at, offset, "entry size")
        size |= (byte & 0x7F) << shift
        if shift >= 64 or size >> 64:
            raise CorruptDataError("entry size exceeds 64 bits", offset=offset)
        shift += 7
    return kind, size, at + 1


def read_base_offset(data: bytes, offset: int = 0) -> tuple[int, int]:
    """Groups of seven bits, the highest first; each continuation adds one."""
    _start(data, offset, "base offset")
    at = offset
    byte = _byte(data, at, offset, "base offset")
    total = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = _byte(data, at, offset, "base offset")
        if total + 1 >= 1 << 57:
            raise CorruptDataError("base offset exceeds 64 bits", offset=offset)
        total = ((total + 1) << 7) | (byte & 0x7F)
    return total, at + 1
