"""Streams run by threads: their items in order, their first error at its place, nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from siltstone.core.errors import ConfigError
from siltstone.core.ordered_streams import chain_in_order


def count_to(number: int) -> Iterator[tuple[int, int]]:
    for item in range(number):
        yield number, item


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_items_come_in_the_order_of_their_streams(threads: int) -> None:
    parts = [3, 0, 11, 1, 0, 5, 40, 2]
    assert list(chain_in_order(count_to, parts, threads=threads)) == [item for part in parts for item in count_to(part)]
    assert list(chain_in_order(count_to, [], threads=threads)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_after_the_items_before_it(threads: int) -> None:
    def fail_at_two(number: int) -> Iterator[int]:
        yield number
        if number == 2:
            raise LookupError("two")

    found = []
    with pytest.raises(LookupError):
        for item in chain_in_order(fail_at_two, range(9), threads=threads):
            found.append(item)
    assert found == [0, 1, 2]


def test_closing_it_ends_every_thread() -> None:
    before = threading.active_count()
    stream = chain_in_order(count_to, [1_000] * 20, threads=3)
    assert next(stream) == (1_000, 0)
    stream.close()
    assert threading.active_count() == before


def test_no_threads_are_refused() -> None:
    with pytest.raises(ConfigError):
        next(chain_in_order(count_to, [1], threads=0))
