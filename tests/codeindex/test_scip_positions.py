"""Byte columns of UTF-16 and UTF-32 columns, and innermost spans."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.codeindex.scip_positions import NestedSpans, byte_ranges, places
from siltstone.codeindex.scip_reader import PositionEncoding

UNITS = {PositionEncoding.UTF16: ("utf-16-le", 2), PositionEncoding.UTF32: ("utf-32-le", 4)}


def converted(text: str, line: int, column: int, encoding: PositionEncoding) -> int:
    ranges = np.array([[line, column, line, column]], np.int32)
    result = byte_ranges(ranges, text.encode("utf-8", "surrogateescape"), encoding).tolist()[0]
    assert result[1] == result[3]
    return result[1]


@pytest.mark.parametrize("encoding", UNITS)
@given(st.lists(st.text("ab é日🚀", max_size=6), min_size=1, max_size=4))
def test_every_column_becomes_the_length_of_what_stands_before(encoding: PositionEncoding, lines: list[str]) -> None:
    codec, unit = UNITS[encoding]
    for number, line in enumerate(lines):
        for end in range(len(line) + 1):
            before = line[:end]
            column = len(before.encode(codec)) // unit
            assert converted("\r\n".join(lines), number, column, encoding) == len(before.encode())


def test_columns_that_need_no_conversion_are_left_alone() -> None:
    ranges = np.array([[0, 1, 0, 2], [-1, -1, -1, -1]], np.int32)
    assert byte_ranges(ranges, b"ascii", PositionEncoding.UTF16) is ranges
    assert byte_ranges(ranges, "é".encode(), PositionEncoding.UTF8) is ranges
    assert byte_ranges(ranges, "éa".encode(), PositionEncoding.UTF16).tolist() == [[0, 2, 0, 3], [-1, -1, -1, -1]]


def test_columns_past_the_line_and_lines_past_the_text_do_no_harm() -> None:
    assert converted("é", 0, 99, PositionEncoding.UTF16) == 2
    assert converted("é", 7, 3, PositionEncoding.UTF16) == 3


def test_a_byte_that_is_not_utf8_counts_as_one_unit() -> None:
    assert converted("\udcffé", 0, 2, PositionEncoding.UTF16) == 3
    assert converted("🚀", 0, 1, PositionEncoding.UTF16) == 0  # the middle of a pair is its start


def brute(spans: list[tuple[int, int]], at: int) -> int:
    inside = [row for row, (start, end) in enumerate(spans) if start <= at < end]
    return inside[-1] if inside else -1


@st.composite
def nested(draw: st.DrawFn, low: int = 0, high: int = 40, depth: int = 0) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    at = low
    while at < high and depth < 4:
        start = draw(st.integers(at, high))
        end = draw(st.integers(start, high))
        if end == start:
            break
        spans.append((start, end))
        if draw(st.booleans()):
            spans.extend(draw(nested(start, end, depth + 1)))
        at = end
    return spans


@given(nested())
def test_the_innermost_span_is_the_last_one_that_starts_before(spans: list[tuple[int, int]]) -> None:
    spans = sorted(spans, key=lambda span: (span[0], -span[1]))
    at = np.arange(42)
    assert NestedSpans(spans).innermost(at).tolist() == [brute(spans, place) for place in at.tolist()]


def test_places_compare_as_positions() -> None:
    found = places(np.array([0, 1, 1, 2**31 - 1], np.int32), np.array([9, 0, 2**31 - 1, 0], np.int32)).tolist()
    assert found == sorted(found)
    assert len(set(found)) == 4
