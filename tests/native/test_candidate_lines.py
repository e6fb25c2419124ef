"""Candidates as JSON Lines: the same bytes as the standard library writes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native.candidate_lines import encode_lines
from siltstone.core.errors import ConfigError
from tests.reference.candidate_lines import encode_line

OIDS = {size: [bytes([number]) * size for number in (0, 17, 255)] for size in (20, 32)}
PATHS = st.one_of(
    st.binary(max_size=40), st.text(max_size=20).map(str.encode),
    st.text(alphabet='ab/"\\\n\t\b\f\r\x00\x1f\x7fé€😀\u2028', max_size=20).map(str.encode),
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(-1, 2), st.integers(1, 2), st.sampled_from([0o100644, 0o100755, 0o120000]), PATHS
    ),
    max_size=12,
)


def columns_of(rows, size: int):
    """Return *rows* as the kernel takes them; each blob id is made from its row's number."""
    ends = np.cumsum([len(row[4]) for row in rows]).astype(np.int64)
    blobs = b"".join(bytes([number]) * size for number in range(len(rows)))
    return (
        np.array([row[0] for row in rows], np.int32), np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.uint8), np.array([row[3] for row in rows], np.uint32), ends, blobs,
        b"".join(row[4] for row in rows), b"".join(OIDS[size]), size,
    )  # fmt: skip


@given(ROWS, st.sampled_from([20, 32]))
@example([], 20)
@example([(0, -1, 1, 0o100644, path) for path in (b"", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x9f\xbf")], 20)
@example([(2, 2, 2, 0o100755, path) for path in (b"\xf0\x8f\xbf\xbf", b"\xf4\x8f\xbf\xbf", b"\xc2", b"\xe2\x82", b"a\xff")], 32)
@example([(1, 0, 2, 0o120000, b"x" * 5_000 + b"\x01" * 5_000)], 20)
def test_lines_equal_those_of_the_standard_library(rows, size: int) -> None:
    expected = [
        encode_line(
            bytes([number]) * size, OIDS[size][commit], None if parent < 0 else OIDS[size][parent], change, mode, path)
        for number, (commit, parent, change, mode, path) in enumerate(rows)
    ]
    assert encode_lines(*columns_of(rows, size)) == b"".join(expected)


@pytest.mark.parametrize(("place", "value"), [
    (0, np.array([3], np.int32)), (0, np.array([-1], np.int32)), (1, np.array([3], np.int32)),
    (4, np.array([4], np.int64)), (4, np.array([-1], np.int64)), (5, b"short"), (7, b"odd"), (8, 21),
    (2, np.array([], np.uint8)),
])  # fmt: skip
def test_columns_that_point_outside_are_refused(place: int, value: object) -> None:
    columns = list(columns_of([(0, -1, 1, 0o100644, b"abc")], 20))
    columns[place] = value
    with pytest.raises(ConfigError):
        encode_lines(*columns)
