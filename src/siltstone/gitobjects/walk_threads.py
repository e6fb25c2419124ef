"""Several native walkers over one pack at once, their blocks in the order of the segments or as they come.

Each walker has a thread. A walker that is ahead waits once the blocks that nobody took yet fill their allowance; the one
whose segment is next waits only while a block of it can be taken, so there is always a way on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from siltstone._native.pack_walk import BlockBuffer, PackWalker

BLOCKS_AHEAD = 2  # blocks of each walker that may wait

Columns = tuple[
    BlockBuffer, bytearray, bytearray, bytearray, bytes, int, int, tuple[bytes, bytearray, bytearray, bytearray] | None
]


@dataclass(frozen=True, slots=True)
class Made:
    """What one walker made: its number, the columns of `PackWalker.next_block`, and what it could not decode on the way."""

    worker: int
    columns: Columns
    faults: list[tuple[int, str, bool]]


def make_next(walker: PackWalker, number: int, block_bytes: int, *, in_order: bool) -> Made | None:
    """Return the next block of a walker, or None where nothing is left."""
    columns = walker.next_block(block_bytes, in_order=in_order)
    return None if columns is None else Made(number, columns, walker.take_faults())


class WalkTeam:
    """Walkers at work in threads of their own, for one who takes their blocks."""

    def __init__(self, walkers: list[PackWalker], block_bytes: int, *, in_order: bool) -> None:
        self._walkers, self._block_bytes, self._in_order = walkers, block_bytes, in_order
        self._allowance = BLOCKS_AHEAD * len(walkers) * block_bytes
        self._changed = threading.Condition()
        self._waiting: dict[int, deque[Made]] = {}  # by segment; all under 0 where the order is free
        self._held = 0  # bytes of blocks that wait
        self._head = 0  # the segment whose blocks are handed out now
        self._running = len(walkers)
        self._error: BaseException | None = None
        self._stopped = False

    def blocks(self) -> Generator[Made, None, None]:
        """Yield everything; closing the generator ends the threads before it returns."""
        threads = [
            threading.Thread(target=self._work, args=(number,), name=f"siltstone-walk-{number}", daemon=True)
            for number in range(len(self._walkers))
        ]
        try:
            for thread in threads:
                thread.start()
            while (made := self._take()) is not None:
                yield made
                del made  # the buffer of a block must not live on while the next one is awaited
        finally:
            with self._changed:
                self._stopped = True
                self._waiting.clear()
                self._changed.notify_all()
            for thread in threads:  # one may not have started; the collector may close us in one of them
                if thread.ident is not None and thread is not threading.current_thread():
                    thread.join()
        if self._error is not None:
            raise self._error

    def _take(self) -> Made | None:
        with self._changed:
            while True:
                if self._error is not None:
                    return None
                waiting = self._waiting.get(self._head)
                if waiting:
                    break
                if not self._running:
                    return None
                self._changed.wait()
            made = waiting.popleft()
            self._held -= self._weight(made)
            if self._in_order and made.columns[6] < 0:  # the last block of its segment
                del self._waiting[self._head]
                self._head += 1
            self._changed.notify_all()
            return made

    def _work(self, number: int) -> None:
        walker = self._walkers[number]
        try:
            while (made := make_next(walker, number, self._block_bytes, in_order=self._in_order)) is not None:
                if not self._give(made):
                    break
                del made
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that reads
            with self._changed:
                self._error = error
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def _give(self, made: Made) -> bool:
        """Queue a block; False where nobody wants it any more."""
        segment = made.columns[6]
        place = (segment if segment >= 0 else ~segment) if self._in_order else 0
        with self._changed:
            while not self._stopped and self._held >= self._allowance and (place != self._head or self._waiting.get(place)):
                self._changed.wait()
            if not self._stopped:
                self._waiting.setdefault(place, deque()).append(made)
                self._held += self._weight(made)
                self._changed.notify_all()
            return not self._stopped

    def _weight(self, made: Made) -> int:
        return max(len(made.columns[0]), self._block_bytes)
