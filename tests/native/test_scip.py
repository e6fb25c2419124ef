"""The SCIP wire reader against its twin, against protobuf, and against every rule of the format that readers get wrong."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import scip
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.reference import scip as reference
from tests.reference.scip_schema import message_classes


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def occurrence(*parts: bytes) -> bytes:
    return field(2, b"".join(parts))


def packed(number: int, *values: int) -> bytes:
    return field(number, b"".join(map(varint, values)))


def int32s(column: bytes, width: int = 1) -> list[Any]:
    values = list(struct.unpack(f"{len(column) // 4}i", column))
    return values if width == 1 else [tuple(values[at : at + width]) for at in range(0, len(values), width)]


def ranges(data: bytes, column: str = "ranges") -> list[tuple[int, ...]]:
    return int32s(scip.read_document(data)[column], 4)


def outcome(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except CorruptDataError as error:
        return error.problem, error.offset


texts = st.sampled_from(["", "local 1", "a b c d e#", "a b c d e#f().", "é"]) | st.text("ab é", max_size=5)
numbers = st.sampled_from([0, 1, 2, 7, 300, 2**31 - 1, -1, -(2**31)])
triples = st.lists(numbers, max_size=5)


@st.composite
def single_lines(draw: Any) -> Any:
    names = ("line", "start_character", "end_character")
    return message_classes()["SingleLineRange"](**{name: draw(numbers) for name in names})


@st.composite
def multi_lines(draw: Any) -> Any:
    names = ("start_line", "start_character", "end_line", "end_character")
    return message_classes()["MultiLineRange"](**{name: draw(numbers) for name in names})


@st.composite
def occurrences(draw: Any) -> Any:
    message = message_classes()["Occurrence"](
        range=draw(triples), symbol=draw(texts), symbol_roles=draw(numbers), enclosing_range=draw(triples),
        override_documentation=draw(st.lists(texts, max_size=2)), syntax_kind=draw(st.integers(0, 39)),
    )
    for prefix, choice in (("", draw(st.integers(0, 3))), ("enclosing_", draw(st.integers(0, 3)))):
        if choice == 1:
            getattr(message, f"single_line_{prefix}range").CopyFrom(draw(single_lines()))
        elif choice == 2:
            getattr(message, f"multi_line_{prefix}range").CopyFrom(draw(multi_lines()))
    return message


@st.composite
def symbols(draw: Any) -> Any:
    classes = message_classes()
    message = classes["SymbolInformation"](
        symbol=draw(texts), documentation=draw(st.lists(texts | st.just("x" * 200), max_size=2)),
        kind=draw(st.integers(0, 86)), display_name=draw(texts), enclosing_symbol=draw(texts),
    )
    for target in draw(st.lists(texts, max_size=3)):
        flags = draw(st.integers(0, 15))
        message.relationships.add(symbol=target, is_reference=flags & 1, is_implementation=flags >> 1 & 1,
                                  is_type_definition=flags >> 2 & 1, is_definition=flags >> 3 & 1)
    if draw(st.booleans()):
        message.signature_documentation.text = draw(texts)
    return message


@st.composite
def documents(draw: Any) -> Any:
    return message_classes()["Document"](
        relative_path=draw(texts), language=draw(texts), text=draw(texts), position_encoding=draw(st.integers(0, 3)),
        occurrences=draw(st.lists(occurrences(), max_size=4)), symbols=draw(st.lists(symbols(), max_size=3)),
    )


def range_of(message: Any, prefix: str) -> tuple[int, ...] | None:
    """The rules of scip.proto on a parsed message: the typed form wins; a malformed one is none."""
    which = message.WhichOneof(f"typed_{prefix}range")
    values = list(getattr(message, f"{prefix}range"))
    if which is not None:
        typed = getattr(message, which)
        values = [getattr(typed, declared.name) for declared in typed.DESCRIPTOR.fields]
    if len(values) == 3:
        values = [values[0], values[1], values[0], values[2]]
    valid = len(values) == 4 and min(values) >= 0 and values[:2] <= values[2:]
    return tuple(values) if valid else None


def expected_columns(message: Any) -> dict[str, Any]:
    kept = [one for one in message.occurrences if range_of(one, "")]
    heads = []
    for info in message.symbols:
        signed = info.HasField("signature_documentation") and info.signature_documentation.text
        heads.append((signed or (info.documentation[0] if info.documentation else "")).encode()[:96])
    return {
        "ranges": [range_of(one, "") for one in kept],
        "enclosing_ranges": [range_of(one, "enclosing_") or (-1,) * 4 for one in kept],
        "roles": [one.symbol_roles for one in kept], "symbols": [one.symbol.encode() for one in kept],
        "infos": [info.symbol.encode() for info in message.symbols], "kinds": [info.kind for info in message.symbols],
        "names": [info.display_name.encode() for info in message.symbols], "heads": heads,
        "relationships": [
            (row, edge.symbol.encode(), edge.is_reference | edge.is_implementation << 1 | edge.is_type_definition << 2
             | edge.is_definition << 3) for row, info in enumerate(message.symbols) for edge in info.relationships
        ],
        "path": message.relative_path.encode(), "encoding": message.position_encoding,
        "malformed": len(message.occurrences) - len(kept),
    }


def our_columns(data: bytes) -> dict[str, Any]:
    columns = scip.read_document(data)
    names = [*columns["symbols"], b""]
    path = columns["path"]
    return {
        "ranges": int32s(columns["ranges"], 4), "enclosing_ranges": int32s(columns["enclosing_ranges"], 4),
        "roles": int32s(columns["roles"]), "symbols": [names[i] for i in int32s(columns["occurrence_symbols"])],
        "infos": [names[i] for i in int32s(columns["info_symbols"])], "kinds": int32s(columns["info_kinds"]),
        "names": columns["display_names"], "heads": columns["heads"],
        "relationships": [(row, names[target], flags) for row, target, flags in int32s(columns["relationships"], 3)],
        "path": data[slice(*path)] if path else b"", "encoding": columns["position_encoding"],
        "malformed": columns["malformed"],
    }


@pytest.mark.oracle
@given(documents())
def test_columns_are_what_protobuf_parses(message: Any) -> None:
    assert our_columns(message.SerializeToString()) == expected_columns(message)


@given(documents())
def test_columns_are_those_of_the_twin(message: Any) -> None:
    data = message.SerializeToString()
    assert scip.read_document(data) == reference.read_document(data)


@given(st.binary(max_size=40))
@example(b"\x12\x02\x42\x00")
@example(b"\x0b")
@example(b"\x07")
@example(b"\x00\x01")
@example(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")
@example(b"\x12\x0b\x0a\x09" + b"\xff" * 9)
def test_any_bytes_give_the_outcome_of_the_twin(data: bytes) -> None:
    assert outcome(scip.read_document, data) == outcome(reference.read_document, data)
    assert outcome(scip.split_fields, data) == outcome(reference.split_fields, data)


def sample() -> bytes:
    rng = random.Random(9)
    names = [f"a b c d `x{i}`/F#m(+{i}).".encode() for i in range(40)]
    parts = [occurrence(packed(1, line, 1, 9), field(2, rng.choice(names)), field(3, line & 1)) for line in range(12)]
    info = field(1, names[0]) + field(3, b"doc") + field(4, field(1, names[1]) + field(3, 1)) + field(5, 7)
    return field(1, b"src/a.py") + b"".join(parts) + field(3, info) + field(4, b"python") + field(6, 2)


def test_every_truncation_gives_the_outcome_of_the_twin() -> None:
    data = sample()
    for size in range(len(data)):
        assert outcome(scip.read_document, data[:size]) == outcome(reference.read_document, data[:size])
        assert scip.split_fields(data[:size]) == reference.split_fields(data[:size])


def test_every_flipped_bit_gives_the_outcome_of_the_twin() -> None:
    data = sample()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert outcome(scip.read_document, bytes(damaged)) == outcome(reference.read_document, bytes(damaged))


def test_many_symbols_keep_their_numbers() -> None:
    names = [b"local %d" % i for i in range(5_000)]
    data = b"".join(occurrence(packed(1, 0, 0, 1), field(2, name)) for name in (*names, *reversed(names)))
    columns = scip.read_document(data)
    assert columns["symbols"] == names
    assert int32s(columns["occurrence_symbols"]) == [*range(5_000), *reversed(range(5_000))]


def test_a_range_may_come_unpacked_or_in_pieces() -> None:
    unpacked = occurrence(field(1, 3), field(1, 4), field(1, 9))
    pieces = occurrence(packed(1, 3), field(1, 4), packed(1, 5, 6))
    assert ranges(unpacked + pieces) == [(3, 4, 3, 9), (3, 4, 5, 6)]


def test_the_typed_range_wins_and_an_empty_one_is_present() -> None:
    assert ranges(occurrence(packed(1, 9, 9, 9), b"\x42\x00")) == [(0, 0, 0, 0)]
    assert ranges(occurrence(field(9, field(1, 1) + field(3, 1) + field(4, 5)), packed(1, 9, 9, 9))) == [(1, 0, 1, 5)]


def test_the_last_member_of_the_oneof_wins_and_a_repeated_one_merges() -> None:
    first, second = field(8, field(1, 4) + field(3, 9)), field(8, field(2, 2))
    assert ranges(occurrence(first, second)) == [(4, 2, 4, 9)]
    assert ranges(occurrence(first, field(9, b""), second, field(8, field(3, 3)))) == [(0, 2, 0, 3)]


def test_occurrences_without_a_valid_range_are_dropped_and_counted() -> None:
    bad = [(), (1,), (1, 2), (1, 2, 3, 4, 5), (1, 5, 4), (2, 0, 1, 9), (1, -1, 4), (-1, 0, 0)]
    data = b"".join(occurrence(packed(1, *values)) for values in bad) + occurrence(packed(1, 1, 5, 5))
    assert ranges(data) == [(1, 5, 1, 5)]
    assert scip.read_document(data)["malformed"] == len(bad)


def test_a_negative_integer_takes_ten_bytes() -> None:
    assert int32s(scip.read_document(occurrence(packed(1, 0, 0, 0), field(3, -2)))["roles"]) == [-2]


def test_enclosing_ranges_stand_beside_their_occurrence() -> None:
    data = occurrence(packed(1, 1, 0, 3), packed(7, 1, 0, 8, 1)) + occurrence(packed(1, 2, 0, 3), b"\x52\x00") + occurrence(
        packed(1, 3, 0, 3), packed(7, 5, 0, 1, 0))
    assert ranges(data, "enclosing_ranges") == [(1, 0, 8, 1), (0, 0, 0, 0), (-1, -1, -1, -1)]


def test_unknown_fields_are_passed_over_by_their_wire_type() -> None:
    unknown = field(99, 7) + field(98, b"abc") + varint(97 << 3 | 1) + b"8 bytes!" + varint(96 << 3 | 5) + b"four"
    data = unknown + occurrence(unknown, packed(1, 1, 0, 3), unknown) + field(3, unknown + field(1, b"s")) + unknown
    columns = scip.read_document(data)
    assert ranges(data) == [(1, 0, 1, 3)]
    assert columns["symbols"] == [b"s"]


@pytest.mark.parametrize("wire", [3, 4, 6, 7])
def test_groups_and_unused_wire_types_are_refused(wire: int) -> None:
    with pytest.raises(CorruptDataError) as caught:
        scip.read_document(field(1, b"p") + varint(50 << 3 | wire))
    assert caught.value.offset == 3


def test_a_window_that_ends_inside_a_field_tells_what_it_needs() -> None:
    data = field(2, b"abc") + field(9, 5) + field(2, bytes(1000))
    fields, after, number, size = scip.split_fields(data[:20])
    assert fields == [(2, 0, 2, 5)]
    assert (after, number, size) == (7, 2, 1003)
    assert scip.split_fields(data[:8]) == ([(2, 0, 2, 5)], 7, 0, 0)
    assert scip.split_fields(data, 7) == ([(2, 7, 10, 1010)], 1010, 0, 0)


def test_bounds_outside_the_buffer_are_refused() -> None:
    for start, end in ((-1, 2), (3, 2), (0, 4)):
        with pytest.raises(ConfigError):
            scip.read_document(b"abc", start, end)
    with pytest.raises(ConfigError):
        scip.split_fields(b"abc", 4)
    with pytest.raises(TypeError):
        scip.read_document(None)


def test_nothing_is_an_empty_document() -> None:
    assert scip.read_document(b"") == reference.read_document(b"")
    assert scip.split_fields(b"") == ([], 0, 0, 0)
