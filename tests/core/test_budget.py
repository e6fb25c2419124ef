"""Budgets: never over the limit, never below zero, a refusal changes nothing."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.core import Budget, BudgetExceeded, ConfigError


def test_a_reservation_that_does_not_fit_takes_nothing() -> None:
    budget = Budget(objects=100)
    budget.reserve("objects", 60)
    with pytest.raises(BudgetExceeded) as caught:
        budget.reserve("objects", 41)
    assert (caught.value.limit_bytes, caught.value.needed_bytes) == (100, 101)
    assert budget.reserved("objects") == 60
    budget.reserve("objects", 40)


def test_a_name_without_a_limit_is_refused() -> None:
    with pytest.raises(ConfigError, match="typo"):
        Budget().reserve("typo", 1)


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_a_limit_is_a_positive_number_of_bytes(limit) -> None:
    with pytest.raises(ConfigError):
        Budget(objects=limit)


def test_hold_releases_also_after_an_error() -> None:
    budget = Budget(objects=10)
    with pytest.raises(RuntimeError), budget.hold("objects", 10):
        raise RuntimeError
    assert budget.reserved("objects") == 0
    assert budget.peak("objects") == 10


@given(st.lists(st.integers(0, 50)))
def test_reserved_bytes_follow_a_plain_model(sizes) -> None:
    budget, held = Budget(objects=100), []
    for size in sizes:
        if sum(held) + size <= 100:
            budget.reserve("objects", size)
            held.append(size)
        else:
            with pytest.raises(BudgetExceeded):
                budget.reserve("objects", size)
            if held:
                budget.release("objects", held.pop(0))
        assert budget.reserved("objects") == sum(held)


def test_threads_do_not_lose_bytes() -> None:
    budget = Budget(objects=1_000_000)

    def work() -> None:
        for _ in range(2_000):
            with budget.hold("objects", 3):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.reserved("objects") == 0


def test_the_soft_limit_is_told_and_never_enforced() -> None:
    budget = Budget({"objects": 100}, soft_limits={"objects": 60})
    assert (budget.soft_limit("objects"), Budget(objects=100).soft_limit("objects")) == (60, 75)
    assert budget.has_room("objects", 60)
    assert not budget.has_room("objects", 61)
    budget.reserve("objects", 90)
    assert not budget.has_room("objects", 0)


@pytest.mark.parametrize("soft", [0, -1, 101, 1.5])
def test_a_soft_limit_is_below_the_limit(soft) -> None:
    with pytest.raises(ConfigError, match="objects"):
        Budget({"objects": 100}, soft_limits={"objects": soft})
    with pytest.raises(ConfigError, match="typo"):
        Budget(soft_limits={"typo": 1})


def test_a_total_bounds_all_names_together() -> None:
    budget = Budget(total_bytes=100, objects=80)
    budget.reserve("objects", 60)
    assert (budget.available("objects"), budget.available("history"), budget.total_bytes) == (20, 40, 100)
    with pytest.raises(BudgetExceeded, match="total") as caught:
        budget.reserve("history", 41)
    assert (caught.value.limit_bytes, caught.value.needed_bytes, budget.reserved("history")) == (100, 101, 0)
    budget.reserve("history", 40)
    assert budget.available("objects") == 0
    budget.release("objects", 60)
    assert budget.available("objects") == 60


def test_no_name_has_more_than_the_total() -> None:
    assert Budget(total_bytes=100).limit("history") == 100
    assert Budget().total_bytes is None
    assert Budget(objects=10).available("objects") == 10


@pytest.mark.parametrize("total", [0, -1, 1.5])
def test_a_total_is_a_positive_number_of_bytes(total) -> None:
    with pytest.raises(ConfigError, match="total_bytes"):
        Budget(total_bytes=total)


def test_one_object_has_a_quarter_of_the_total_unless_said_otherwise() -> None:
    assert Budget(total_bytes=100).limit("object") == 25
    assert Budget(total_bytes=100, object=60).limit("object") == 60
    assert Budget({"object": 200}, total_bytes=100).limit("object") == 100
