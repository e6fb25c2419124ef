"""Run an iterator in a thread of its own, a few items ahead of the one who uses them.

The items, their order and the error that ends them are those of the iterator; only the time differs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import closing, nullcontext
from typing import TypeVar

Item = TypeVar("Item")

_WAIT_SECONDS = 0.2  # how long a full queue is waited for before looking whether anybody still wants the items


class End:
    """Follows the last item; holds what the iterator raised, if it did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def iterate_ahead(items: Iterable[Item], *, depth: int = 1) -> Generator[Item, None, None]:
    """Yield *items*, taken in another thread; at most *depth* of them wait, besides the one that is being made.

    Closing the generator ends the thread before it returns.
    """
    waiting: queue.Queue[Item | End] = queue.Queue(depth)
    unwanted = threading.Event()
    thread = threading.Thread(target=feed, args=(items, waiting, unwanted), name="siltstone-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item  # the buffer of a block must not live on while the next one is awaited
    finally:
        unwanted.set()
        thread.join()


def feed(items: Iterable[Item], waiting: queue.Queue[Item | End], unwanted: threading.Event) -> None:
    """Put *items* and then an `End` into *waiting*, each as soon as there is room, until *unwanted* is set."""
    error: BaseException | None = None
    try:
        iterator = iter(items)
        with closing(iterator) if isinstance(iterator, Generator) else nullcontext():
            for item in iterator:
                if not _put(waiting, item, unwanted):
                    return
                del item
    except BaseException as raised:  # noqa: BLE001 - handed over to the thread that reads
        error = raised
    _put(waiting, End(error), unwanted)


def _put(waiting: queue.Queue[Item | End], item: Item | End, unwanted: threading.Event) -> bool:
    """Wait for room; False where nobody reads any more."""
    while not unwanted.is_set():
        try:
            waiting.put(item, timeout=_WAIT_SECONDS)
        except queue.Full:
            continue
        return True
    return False

