"""Results come in order, little is taken ahead, an error or leaving early stops everything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from siltstone.core.errors import ConfigError
from siltstone.core.ordered_map import map_in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    assert list(map_in_order(lambda item: item * item, range(50), threads=threads)) == [item * item for item in range(50)]
    assert list(map_in_order(str, [], threads=threads)) == []


def test_items_are_taken_only_a_little_ahead() -> None:
    taken: list[int] = []

    def items() -> object:
        for item in range(100):
            taken.append(item)
            yield item

    results = map_in_order(str, items(), threads=3)
    next(results)
    assert len(taken) <= 6
    results.close()
    assert len(taken) <= 6


def test_the_first_error_ends_the_iteration_and_the_threads() -> None:
    def fail(item: int) -> int:
        if item == 5:
            raise KeyError(item)
        return item

    found = []
    with pytest.raises(KeyError):
        for result in map_in_order(fail, range(100), threads=4):
            found.append(result)
    assert found == [0, 1, 2, 3, 4]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("siltstone-map")]


def test_a_given_executor_stays_open() -> None:
    with ThreadPoolExecutor(2) as executor:
        assert list(map_in_order(len, ["a", "bc"], threads=1, executor=executor)) == [1, 2]
        assert executor.submit(len, "abc").result() == 3


def test_threads_are_bounded() -> None:
    with pytest.raises(ConfigError, match="threads"):
        list(map_in_order(len, ["a"], threads=0))


class Stuck(Executor):
    """Runs the first call, and never comes to the others: as a pool whose threads others hold, or that was shut down."""

    def __init__(self) -> None:
        self.calls: list[Future[object]] = []

    def submit(self, function: Callable[..., object], /, *words: object, **_options: object) -> Future[object]:  # type: ignore[override]
        self.calls.append(Future())
        if len(self.calls) == 1:
            self.calls[0].set_result(function(*words))
        return self.calls[-1]


def test_leaving_early_does_not_wait_for_what_never_runs() -> None:
    executor = Stuck()
    results = map_in_order(str, range(9), threads=2, executor=executor)
    assert next(results) == "0"
    leaving = threading.Thread(target=results.close, daemon=True)
    leaving.start()
    leaving.join(10)
    assert not leaving.is_alive()
    assert all(call.cancelled() for call in executor.calls[1:])
