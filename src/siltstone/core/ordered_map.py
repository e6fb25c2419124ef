"""A function over many items in threads, its results in the order of the items, a bounded number of them under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import TypeVar

from siltstone.core.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS_AT_MOST = 256
_AHEAD = 2  # results waited for, for each thread: one that is made, one that is ready


def check_threads(threads: int) -> int:
    """Return *threads*. Raises ConfigError where it is no number from 1 to `THREADS_AT_MOST`."""
    if type(threads) is not int or not 1 <= threads <= THREADS_AT_MOST:
        raise ConfigError(f"expected 1 to {THREADS_AT_MOST}, got {threads!r}", field="threads")
    return threads


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, executor: Executor | None = None
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each of *items*, which are taken no more than 2 * *threads* ahead.

    With one thread and no *executor* it runs in the caller's.  A given *executor* is used and left open; it must not be the
    one whose thread the caller runs in, or both may wait for each other.  The first error ends the iteration; closing it
    waits for what is under way, so nothing runs afterwards.
    """
    if executor is None and check_threads(threads) == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="siltstone-map") if executor is None else nullcontext(executor)
    with pool as chosen:
        try:
            for item in items:
                waiting.append(chosen.submit(function, item))
                if len(waiting) >= _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # What could be cancelled is not waited for: it never runs, and an executor that is busy or gone never says so.
            wait([future for future in waiting if not future.cancel()])
