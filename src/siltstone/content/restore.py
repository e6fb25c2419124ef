"""Reading a stored file back: groups are decoded ahead by threads, and handed over in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from siltstone.content.group_reader import Run
from siltstone.core.errors import CorruptDataError
from siltstone.core.ordered_map import map_in_order

Read = Callable[[Run], list[memoryview]]


def iter_runs(runs: Iterable[Run], read: Read, read_again: Read, *, workers: int) -> Iterator[list[memoryview]]:
    """Yield what *read* returns for each of *runs*; one that is damaged, or whose pack is gone, goes to *read_again*.

    With more than one worker, up to two groups for each of them are decoded ahead; *read_again* runs in this thread.
    """

    def attempt(run: Run) -> list[memoryview] | Run:
        try:
            return read(run)
        except (CorruptDataError, FileNotFoundError):
            return run

    with closing(map_in_order(attempt, runs, threads=workers)) as results:
        for result in results:
            yield read_again(result) if isinstance(result, Run) else result
