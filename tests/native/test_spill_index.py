"""Sets of object ids against a dictionary."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone._native.spill_index import SpillIndex, find_repeats
from siltstone.core.errors import BudgetExceeded, ConfigError
from tests.reference import spill_index as reference

# Ids that share their first bytes, as a hostile index may hold: the table must not depend on those alone.
IDS = st.sampled_from([bytes(16) + number.to_bytes(4, "big") for number in range(40)] + [b"\xff" * 20, bytes(20)])


def fills(table: SpillIndex | reference.SpillIndex, oid: bytes, offset: int, length: int) -> bool:
    try:
        table.put(oid, offset, length)
    except BudgetExceeded:
        return False
    return True


@given(st.integers(0, 30), st.lists(st.tuples(IDS, st.integers(0, 2**64 - 1), st.integers(0, 2**40)), max_size=60))
def test_puts_and_gets_agree_with_the_twin(capacity: int, steps: list[tuple[bytes, int, int]]) -> None:
    table, twin = SpillIndex(capacity, 20), reference.SpillIndex(capacity, 20)
    for step in steps:
        assert fills(table, *step) == fills(twin, *step)
        assert len(table) == len(twin) <= capacity
    for oid, _, _ in steps:
        assert table.get(oid) == twin.get(oid)
        assert (oid in table) == (oid in twin)


@pytest.mark.parametrize("id_size", [20, 32])
def test_many_ids_at_once_agree_with_the_twin(id_size: int) -> None:
    source = random.Random(7)
    ids = [source.randbytes(id_size) for _ in range(5000)]
    table, twin = SpillIndex(3000, id_size), reference.SpillIndex(3000, id_size)
    for one in (table, twin):
        one.put_many(b"".join(ids[:3000]))
        one.put_many(b"".join(ids[:100]))
    assert len(table) == 3000
    assert table.contains_many(b"".join(ids)) == twin.contains_many(b"".join(ids))
    with pytest.raises(BudgetExceeded):
        table.put_many(b"".join(ids[2990:3010]))


def test_adversarial_ids_do_not_slow_the_table() -> None:
    ids = b"".join(bytes(12) + number.to_bytes(8, "big") for number in range(200_000))
    table = SpillIndex(200_000, 20)
    table.put_many(ids)
    assert len(table) == 200_000
    assert sum(table.contains_many(ids)) == 200_000


@given(st.lists(st.lists(IDS, max_size=20), max_size=6))
def test_repeats_agree_with_the_twin(tables: list[list[bytes]]) -> None:
    packed = [b"".join(table) for table in tables]
    assert find_repeats(packed, 20) == reference.find_repeats(packed, 20)


def test_wrong_sizes_are_refused() -> None:
    table = SpillIndex(4, 20)
    for call in (lambda: table.put(b"short"), lambda: table.get(b""), lambda: table.put_many(bytes(21)),
                 lambda: table.contains_many(bytes(19)), lambda: SpillIndex(1, 7), lambda: SpillIndex(-1, 20),
                 lambda: find_repeats([bytes(3)], 20), lambda: find_repeats([], 0)):
        with pytest.raises(ConfigError):
            call()
    assert b"short" not in table
    assert table.held_bytes > 0
    assert table.capacity == 4
