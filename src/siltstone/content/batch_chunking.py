"""The cuts of many buffers or files: results in order, a failure belongs to its item, the rest goes on."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from siltstone.content import kernels
from siltstone.content.chunk_threads import file_cut_offsets
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.core.budget import MIB
from siltstone.core.errors import SiltstoneError
from siltstone.core.ordered_map import check_threads, map_in_order
from siltstone.core.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    BatchItem: TypeAlias = ReadableBuffer | str | os.PathLike[str]

_GROUP_ITEMS = 256  # handed to a thread at once: handing over costs about what cutting 100 KB does
_GROUP_BYTES = 1 * MIB


@dataclass(frozen=True, slots=True)
class ChunkedItem:
    """What became of item number *index*: its cuts, as `cut_offsets` returns them, or the error that stopped it."""

    index: int
    ends: array[int] | None
    error: Exception | None = None

    def get(self) -> array[int]:
        """Return the cuts, or raise the error."""
        if self.ends is None:
            assert self.error is not None
            raise self.error
        return self.ends


def chunk_batch(items: Iterable[BatchItem], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto", threads: int = 1,
                executor: Executor | None = None, progress: Progress = NO_PROGRESS) -> Iterator[ChunkedItem]:
    """Yield the cuts of each of *items*, a buffer or a path, in their order.

    They run in *threads* of *executor* or of our own, and are taken from *items* only a little ahead.  An item that is no
    buffer, or a file that cannot be read, gives a result with its error; *progress* advances by one for each item, and
    stops the batch where it is cancelled.  A wrong *profile* or *kernel* is no failure of an item and is raised.
    """
    check_threads(threads)
    kernels.scanner(profile, kernel=kernel)

    def cut_group(group: Sequence[tuple[int, BatchItem]]) -> list[ChunkedItem]:
        return [_cut_item(index, item, profile, kernel) for index, item in group]

    with closing(map_in_order(cut_group, _groups(items), threads=threads, executor=executor)) as groups:
        for results in groups:
            for result in results:
                yield result
                progress.advance()


def _cut_item(index: int, item: BatchItem, profile: Profile, kernel: str) -> ChunkedItem:
    try:
        if isinstance(item, (str, os.PathLike)):
            return ChunkedItem(index, file_cut_offsets(item, profile=profile, kernel=kernel))
        return ChunkedItem(index, kernels.cut_offsets(memoryview(item).cast("B"), profile, kernel=kernel))
    except (SiltstoneError, OSError, TypeError, ValueError, BufferError) as error:
        return ChunkedItem(index, None, error)


def _groups(items: Iterable[BatchItem]) -> Iterator[list[tuple[int, BatchItem]]]:
    group: list[tuple[int, BatchItem]] = []
    size = 0
    for numbered in enumerate(items):
        group.append(numbered)
        size += _size_of(numbered[1])
        if len(group) == _GROUP_ITEMS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _size_of(item: BatchItem) -> int:
    if isinstance(item, (str, os.PathLike)):
        return _GROUP_BYTES
    try:
        return memoryview(item).nbytes
    except TypeError:  # no buffer: its result will say so
        return 0
