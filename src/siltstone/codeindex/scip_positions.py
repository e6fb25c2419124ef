"""Columns of a SCIP document as byte columns, and the innermost of nested spans: arithmetic on arrays of positions.

Line ends are \\n, \\r\\n and \\r, as the indexers count them.  A byte that is not UTF-8 counts as one unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from siltstone.codeindex.scip_reader import Int32s, PositionEncoding

Places = npt.NDArray[np.int64]

_LINE_SHIFT = 32  # a place is line << 32 | column: both are non-negative int32, so places compare as positions do


def places(lines: npt.NDArray[np.int32], columns: npt.NDArray[np.int32]) -> Places:
    """Return each (line, column) as one number, in the order of the text."""
    return (lines.astype(np.int64) << _LINE_SHIFT) | columns.astype(np.int64)


def byte_ranges(ranges: Int32s, text: bytes, encoding: PositionEncoding) -> Int32s:
    """Return *ranges* (n, 4) with columns counted in bytes of *text*; -1 stays, a column past its line is its end.

    Costs nothing for UTF-8 columns and ASCII text; else only lines that hold a character outside ASCII are looked at.
    """
    if encoding in (PositionEncoding.UTF8, PositionEncoding.UNKNOWN) or text.isascii() or not len(ranges):
        return ranges
    lines = text.splitlines()
    result = ranges.copy()
    for line_column in (0, 2):
        for line in np.unique(ranges[:, line_column]).tolist():
            if not 0 <= line < len(lines) or lines[line].isascii():
                continue
            rows = ranges[:, line_column] == line
            offsets = _unit_offsets(lines[line], encoding)
            result[rows, line_column + 1] = offsets[np.minimum(ranges[rows, line_column + 1], len(offsets) - 1)]
    return result


def _unit_offsets(line: bytes, encoding: PositionEncoding) -> npt.NDArray[np.int32]:
    """Return the byte offset of each code unit of *line*, and of its end; the middle of a pair is its start."""
    offsets, at = [], 0
    for character in line.decode("utf-8", "surrogateescape"):
        point = ord(character)
        offsets.append(at)
        if point > 0xFFFF and encoding is PositionEncoding.UTF16:
            offsets.append(at)
        escaped = 0xDC80 <= point <= 0xDCFF
        at += 1 if point < 0x80 or escaped else 2 if point < 0x800 else 3 if point < 0x10000 else 4
    return np.array([*offsets, at], np.int32)


class NestedSpans:
    """Finds the innermost span around a place; where two overlap without nesting, the one that starts later."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        """Take (start, end) places, sorted by start and then by falling end; the end is exclusive."""
        self._starts = np.array([start for start, _ in spans], np.int64)
        self._ends = np.array([end for _, end in spans], np.int64)
        self._outer = np.full(len(spans), -1, np.int64)
        open_spans: list[int] = []
        for row, (start, _) in enumerate(spans):
            while open_spans and self._ends[open_spans[-1]] <= start:
                open_spans.pop()
            if open_spans:
                self._outer[row] = open_spans[-1]
            open_spans.append(row)

    def innermost(self, at: Places) -> Places:
        """Return for each place the row of the innermost span around it, or -1."""
        rows = np.searchsorted(self._starts, at, "right") - 1
        if not len(self._starts):
            return rows
        while True:
            outside = (rows >= 0) & (self._ends[rows] <= at)
            if not outside.any():
                return rows
            rows[outside] = self._outer[rows[outside]]
