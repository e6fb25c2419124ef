"""Orders and reach equal their twins on random histories, cycles and absent parents included."""

from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native.commit_order import find_ids, mark_reached, order_rows
from siltstone.core.errors import ConfigError
from tests.reference import commit_order as reference


def random_columns(rng: random.Random, count: int, *, cyclic: bool) -> tuple[array, array, array]:
    """Times, parents and starts; without *cyclic*, parents come later in a random order of the rows."""
    places = rng.sample(range(count), count)
    parents, starts = array("q"), array("q", [0])
    for row in range(count):
        allowed = [other for other in range(count) if cyclic or places[other] > places[row]]
        parents.extend(rng.choice([*allowed, -1, -2]) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 4])))
        starts.append(len(parents))
    return array("q", [rng.randint(-3, 10) for _ in range(count)]), parents, starts


@pytest.mark.parametrize("order", [0, 1, 2])
@given(seed=st.integers(0, 100_000), count=st.integers(0, 40), cyclic=st.booleans())
@example(seed=1, count=1, cyclic=True)
def test_orders_equal_their_twin(order: int, seed: int, count: int, cyclic: bool) -> None:
    rng = random.Random(seed)
    times, parents, starts = random_columns(rng, count, cyclic=cyclic)
    chosen = bytes(rng.choice([0, 1, 1, 1]) for _ in range(count))
    rows = memoryview(order_rows(order, times, parents, starts, chosen)).cast("q").tolist()
    assert rows == reference.order_rows(order, list(times), list(parents), list(starts), list(chosen))


@given(seed=st.integers(0, 100_000), count=st.integers(1, 40), first_parent=st.booleans())
def test_reach_equals_its_twin(seed: int, count: int, first_parent: bool) -> None:
    rng = random.Random(seed)
    _, parents, starts = random_columns(rng, count, cyclic=True)
    met = bytearray(rng.choice([0, 0, 0, 1]) for _ in range(count))
    tips = array("q", [rng.randrange(count) for _ in range(rng.randint(0, 5))])
    expected = reference.mark_reached(list(met), list(tips), list(parents), list(starts), first_parent=first_parent)
    mark_reached(met, tips, parents, starts, first_parent=first_parent)
    assert list(met) == expected


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 100_000))
def test_ids_are_found_where_they_are(id_size: int, seed: int) -> None:
    rng = random.Random(seed)
    ids = sorted({rng.randbytes(1) + bytes(id_size - 2) + rng.randbytes(1) for _ in range(rng.randint(0, 60))})
    wanted = [rng.choice([*ids, rng.randbytes(id_size), bytes(id_size), b"\xff" * id_size]) for _ in range(40)]
    for asked in (wanted, sorted(wanted)):
        found = memoryview(find_ids(b"".join(ids), b"".join(asked), id_size)).cast("q").tolist()
        assert found == [ids.index(oid) if oid in ids else -1 for oid in asked]


def test_wrong_shapes_and_rows_are_refused() -> None:
    zero, two, empty = array("q", [0]), array("q", [0, 0]), array("q")
    for call in (
        lambda: order_rows(3, zero, empty, two, b"\1"), lambda: order_rows(0, zero, empty, zero, b"\1"),
        lambda: order_rows(0, zero, empty, two, b""), lambda: mark_reached(bytearray(2), empty, empty, two),
        lambda: mark_reached(bytearray(1), array("q", [1]), empty, two),
        lambda: mark_reached(bytearray(1), array("q", [-1]), empty, two),
        lambda: find_ids(b"", b"x", 20), lambda: find_ids(b"x", b"", 20), lambda: find_ids(b"", b"", 21),
    ):
        with pytest.raises(ConfigError):
            call()


def test_columns_out_of_bounds_never_leave_them() -> None:
    parents, starts = array("q", [99, -(1 << 62), 1 << 62, 0]), array("q", [0, 1 << 62, -5])
    for order in range(3):
        rows = memoryview(order_rows(order, array("q", [1, 2]), parents, starts, b"\1\1")).cast("q").tolist()
        assert set(rows) <= {0, 1}
    mark_reached(bytearray(2), array("q", [0, 1]), parents, starts)
