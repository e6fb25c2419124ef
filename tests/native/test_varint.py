"""The integers of protobuf and of packs against their obvious twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import varint
from siltstone.core.errors import CorruptDataError
from tests.reference import varint as reference


def outcome(read: Callable[[bytes], Any], data: bytes) -> Any:
    """The result, or the text of the error in its place."""
    try:
        return read(data)
    except CorruptDataError as error:
        return str(error)


@given(st.binary(max_size=12))
@example(b"")
@example(b"\0")
@example(b"\xff" * 9 + b"\x01")  # 2**64 - 1, the largest value
@example(b"\xff" * 9 + b"\x02")  # one bit too many
@example(b"\x80" * 10)  # never ends
@example(b"\x80" * 9)
def test_varint_agrees_with_its_twin(data: bytes) -> None:
    assert outcome(varint.read_varint, data) == outcome(reference.read_varint, data)


@given(st.binary(max_size=12))
@example(b"\xb0" + b"\x80" * 8 + b"\x0f")
@example(b"\x7f")
@example(b"\xff" * 9 + b"\x00")
@example(b"\x80" * 11 + b"\x00")
def test_entry_header_agrees_with_its_twin(data: bytes) -> None:
    assert outcome(varint.read_entry_header, data) == outcome(reference.read_entry_header, data)


@given(st.binary(max_size=12))
@example(b"\x80\x00")
@example(b"\xff" * 8 + b"\x7f")
@example(b"\xff" * 9 + b"\x7f")
def test_base_offset_agrees_with_its_twin(data: bytes) -> None:
    assert outcome(varint.read_base_offset, data) == outcome(reference.read_base_offset, data)


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_read_varints_returns_what_was_written(values: list[int]) -> None:
    data = b"".join(encode(value) for value in values)
    assert varint.read_varints(data) == values == reference.read_varints(data)


def encode(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("offset", [-1, 1, 2])
def test_an_offset_outside_the_data_is_refused(offset: int) -> None:
    with pytest.raises(CorruptDataError):
        varint.read_entry_header(b"\x10", offset)


def test_published_examples_of_pack_headers() -> None:
    assert varint.read_entry_header(b"\x95\x0a") == (1, 165, 2)  # commit of 165 bytes
    assert varint.read_base_offset(b"\x80\x00") == (128, 2)  # the smallest two-byte distance
