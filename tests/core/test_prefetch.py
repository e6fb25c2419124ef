"""Taking items ahead in a thread changes nothing but the time."""

from __future__ import annotations

import pytest

from siltstone.core.prefetch import iterate_ahead


def test_items_taken_ahead_come_in_order_and_errors_come_last():
    def broken():
        yield from range(5)
        raise ValueError("end")

    assert list(iterate_ahead(range(100), depth=3)) == list(range(100))
    seen = []
    with pytest.raises(ValueError, match="end"):
        seen.extend(iterate_ahead(item for item in broken()))


def test_iterator_is_closed_when_nobody_reads_on():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    ahead = iterate_ahead(endless())
    assert next(ahead) == 1
    ahead.close()
    assert closed == [True]
