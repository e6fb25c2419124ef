"""Many streams run by several threads, their items in the order of the streams, a bounded number of them waiting."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from siltstone.core.ordered_map import check_threads
from siltstone.core.prefetch import End, feed

Part = TypeVar("Part")
Item = TypeVar("Item")

_AHEAD = 2  # streams begun for each thread: one that runs, one whose items wait to be taken
_WAITING = 2  # items of one stream that wait to be taken


def chain_in_order(
    stream: Callable[[Part], Iterable[Item]], parts: Iterable[Part], *, threads: int
) -> Generator[Item, None, None]:
    """Yield the items of ``stream(part)`` for each of *parts*, in order; 4 items for each thread wait at most.

    With one thread it runs in the caller's.  The first error ends the iteration; closing it waits for what is under way,
    so nothing runs afterwards.
    """
    if check_threads(threads) == 1:
        for part in parts:
            yield from stream(part)
        return
    unwanted = threading.Event()
    begun: deque[tuple[queue.Queue[Item | End], Future[None]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="siltstone-streams") as pool:
        try:
            for part in parts:
                waiting: queue.Queue[Item | End] = queue.Queue(_WAITING)
                begun.append((waiting, pool.submit(_run, stream, part, waiting, unwanted)))
                if len(begun) >= _AHEAD * threads:
                    yield from _drain(begun.popleft()[0])
            while begun:
                yield from _drain(begun.popleft()[0])
        finally:
            unwanted.set()
            wait([future for _, future in begun if not future.cancel()])


def _run(
    stream: Callable[[Part], Iterable[Item]], part: Part, waiting: queue.Queue[Item | End], unwanted: threading.Event
) -> None:
    if not unwanted.is_set():
        feed(stream(part), waiting, unwanted)


def _drain(waiting: queue.Queue[Item | End]) -> Generator[Item, None, None]:
    while True:
        item = waiting.get()
        if isinstance(item, End):
            if item.error is not None:
                raise item.error
            return
        yield item
        del item  # the memory of an item must not live on while the next one is awaited
