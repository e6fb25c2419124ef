"""The SCIP wire reader in plain Python: every field in a list, every rule in one line."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from siltstone.core.errors import CorruptDataError

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5
HEAD_BYTES = 96


class CutShort(CorruptDataError):
    """The bytes end inside the field at *offset*; *number* and *size* where its header is whole."""

    def __init__(self, offset: int, number: int = 0, size: int = 0) -> None:
        super().__init__("a field is cut short", offset=offset)
        self.number, self.size = number, size


def take_varint(data: bytes, at: int, end: int, field: int) -> tuple[int, int]:
    value = 0
    for used in range(10):
        if at + used >= end:
            raise CutShort(field)
        byte = data[at + used]
        if used == 9 and byte > 1:
            break
        value |= (byte & 0x7F) << (7 * used)
        if byte < 0x80:
            return value, at + used + 1
    raise CorruptDataError("an integer exceeds 64 bits", offset=field)


def iter_fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (number, wire type, field start, value or payload start, field end)."""
    while at < end:
        start = at
        tag, at = take_varint(data, at, end, start)
        number, wire = tag >> 3, tag & 7
        if not number or tag > 0xFFFFFFFF:
            raise CorruptDataError("no such field tag", offset=start)
        if wire == VARINT:
            value, at = take_varint(data, at, end, start)
        elif wire == LEN:
            size, value = take_varint(data, at, end, start)
            at = value + size
            if at > end:
                raise CutShort(start, number, at - start)
        elif wire in (FIXED64, FIXED32):
            value, at = at, at + (8 if wire == FIXED64 else 4)
            if at > end:
                raise CutShort(start)
        else:
            raise CorruptDataError("a group is not allowed" if wire in (3, 4) else "no such field tag", offset=start)
        yield number, wire, start, value, at


def int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


class RangeParts:
    """What an occurrence says about one of its two ranges."""

    def __init__(self) -> None:
        self.plain: list[int] = []
        self.typed: list[int] | None = None
        self.member = 0

    def add_plain(self, data: bytes, wire: int, value: int, end: int) -> None:
        if wire == VARINT:
            self.plain.append(int32(value))
        elif wire == LEN:
            while value < end:
                number, value = take_varint(data, value, end, value)
                self.plain.append(int32(number))

    def add_typed(self, data: bytes, number: int, value: int, end: int) -> None:
        if number != self.member:
            self.member, self.typed = number, [0, 0, 0, 0]
        for inner, wire, _, content, _ in iter_fields(data, value, end):
            if wire == VARINT and inner <= (3 if number in (8, 10) else 4):
                self.typed[inner - 1] = int32(content)

    def settled(self) -> tuple[int, ...] | None:
        values = self.typed if self.typed is not None else self.plain
        if self.typed is not None and self.member in (8, 10):
            values = values[:3]
        if len(values) not in (3, 4) or min(values) < 0:
            return None
        line, column, *rest = values
        end = (line, rest[0]) if len(rest) == 1 else tuple(rest)
        return (line, column, *end) if (line, column) <= end else None


class DocumentReader:
    """Collects the columns of one document."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.numbers: dict[bytes, int] = {}
        self.ranges: list[int] = []
        self.enclosing: list[int] = []
        self.roles: list[int] = []
        self.occurrence_symbols: list[int] = []
        self.info_symbols: list[int] = []
        self.kinds: list[int] = []
        self.names: list[bytes] = []
        self.heads: list[bytes] = []
        self.relationships: list[int] = []
        self.malformed = 0

    def intern(self, text: bytes) -> int:
        return self.numbers.setdefault(text, len(self.numbers)) if text else -1

    def occurrence(self, start: int, end: int) -> None:
        place, enclosing, symbol, roles = RangeParts(), RangeParts(), -1, 0
        for number, wire, _, value, after in iter_fields(self.data, start, end):
            if number in (1, 7):
                (place if number == 1 else enclosing).add_plain(self.data, wire, value, after)
            elif number == 2 and wire == LEN:
                symbol = self.intern(self.data[value:after])
            elif number == 3 and wire == VARINT:
                roles = int32(value)
            elif 8 <= number <= 11 and wire == LEN:
                (place if number < 10 else enclosing).add_typed(self.data, number, value, after)
        settled = place.settled()
        if settled is None:
            self.malformed += 1
            return
        self.ranges.extend(settled)
        self.roles.append(roles)
        self.occurrence_symbols.append(symbol)
        self.enclosing.extend(enclosing.settled() or (-1, -1, -1, -1))

    def relationship(self, row: int, start: int, end: int) -> None:
        target, flags = -1, {}
        for number, wire, _, value, after in iter_fields(self.data, start, end):
            if number == 1 and wire == LEN:
                target = self.intern(self.data[value:after])
            elif 2 <= number <= 5 and wire == VARINT:
                flags[number] = bool(value)
        self.relationships.extend((row, target, sum(1 << (number - 2) for number, on in flags.items() if on)))

    def symbol(self, start: int, end: int) -> None:
        symbol, kind, name, documentation, signature = -1, 0, b"", None, None
        for number, wire, _, value, after in iter_fields(self.data, start, end):
            if number == 5 and wire == VARINT:
                kind = int32(value)
            elif wire != LEN:
                continue
            elif number == 1:
                symbol = self.intern(self.data[value:after])
            elif number == 3 and documentation is None:
                documentation = self.data[value:after]
            elif number == 4:
                self.relationship(len(self.info_symbols), value, after)
            elif number == 6:
                name = self.data[value:after]
            elif number == 7:
                for inner, inner_wire, _, text, stop in iter_fields(self.data, value, after):
                    if inner == 5 and inner_wire == LEN:
                        signature = self.data[text:stop]
        self.info_symbols.append(symbol)
        self.kinds.append(kind)
        self.names.append(name)
        self.heads.append(((documentation or b"") if signature is None else signature)[:HEAD_BYTES])


def read_document(data: bytes, start: int = 0, end: int = -1) -> dict[str, Any]:
    """Return what the kernel returns."""
    reader = DocumentReader(data)
    slices: dict[int, tuple[int, int] | None] = {1: None, 4: None, 5: None}
    encoding = 0
    for number, wire, _, value, after in iter_fields(data, start, len(data) if end == -1 else end):
        if number == 6 and wire == VARINT:
            encoding = int32(value)
        elif wire != LEN:
            continue
        elif number == 2:
            reader.occurrence(value, after)
        elif number == 3:
            reader.symbol(value, after)
        elif number in slices:
            slices[number] = value, after
    return {
        "ranges": array("i", reader.ranges).tobytes(), "enclosing_ranges": array("i", reader.enclosing).tobytes(),
        "roles": array("i", reader.roles).tobytes(), "occurrence_symbols": array("i", reader.occurrence_symbols).tobytes(),
        "symbols": list(reader.numbers), "info_symbols": array("i", reader.info_symbols).tobytes(),
        "info_kinds": array("i", reader.kinds).tobytes(), "display_names": reader.names, "heads": reader.heads,
        "relationships": array("i", reader.relationships).tobytes(),
        "path": slices[1], "language": slices[4], "text": slices[5], "position_encoding": encoding,
        "malformed": reader.malformed,
    }


def split_fields(data: bytes, start: int = 0) -> tuple[list[tuple[int, int, int, int]], int, int, int]:
    """Return what the kernel returns."""
    fields, after = [], start
    try:
        for number, wire, field, value, after in iter_fields(data, start, len(data)):
            if wire == LEN:
                fields.append((number, field, value, after))
    except CutShort as cut:
        return fields, cut.offset, cut.number, cut.size
    return fields, after, 0, 0
