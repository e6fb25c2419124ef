"""Digests of many buffers or files at once: order is kept, and what fails is told beside the rest.

Items are taken in groups, a few groups ahead, so memory is bounded by the threads and not by the number of items; what is
returned takes about 80 bytes for each.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from siltstone.content.hash_cache import HashCache
from siltstone.content.hash_files import hash_file_checking
from siltstone.content.hash_threads import AUTOMATIC, ONE_THREAD, HashThreads
from siltstone.content.hashing import BLAKE3, check_algorithm, digest_of, digests_of
from siltstone.core.budget import MIB
from siltstone.core.errors import Cancelled, SiltstoneError
from siltstone.core.ordered_map import map_in_order
from siltstone.core.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    HashItem: TypeAlias = ReadableBuffer | str | os.PathLike[str]

Item = TypeVar("Item")

_SAMPLE_ITEMS = 64  # sizes of the first ones stand for all
_GROUP_BYTES = 4 * MIB  # handed to a thread at once: 0.5 ms of work or more, ten times what handing over costs
_GROUP_ITEMS = 1024
_GROUPS_EACH = 4  # for each thread at least, so that they end together
_BUFFERS = frozenset((bytes, bytearray, memoryview))
_UNKNOWN_COUNT = 1 << 40  # an iterator does not tell its length: taken to be long


@dataclass(frozen=True, slots=True)
class HashBatch:
    """One place for each item, in order: a digest, or None and an error under the item's index."""

    digests: list[bytes | None]
    errors: dict[int, Exception]

    def __len__(self) -> int:
        return len(self.digests)

    def get(self, index: int) -> bytes:
        """Return the digest of item *index*, or raise its error."""
        digest = self.digests[index]
        if digest is None:
            raise self.errors[index]
        return digest


def hash_batch(items: Iterable[HashItem], *, algorithm: str = BLAKE3, threads: HashThreads | None = None,
               free_threads: int | None = None, executor: Executor | None = None, cache: HashCache | None = None,
               progress: Progress = NO_PROGRESS) -> HashBatch:
    """Return the digest of each of *items*: the bytes of a buffer, or the content of a file where it is a path.

    *threads* (default: as measured for *algorithm*) decides by the sizes of the first items, by how many there are, and by
    *free_threads* (default: all that the process may use) whether they are shared among threads, of *executor* or our own.
    A file that cannot be read, or an item that is neither, is an error of that item alone.  *progress* advances by items, a
    group at a time; cancelling it ends the batch, large files included.  *cache* serves files, never buffers.
    """
    check_algorithm(algorithm)
    threads = threads or AUTOMATIC[algorithm]
    groups, count, wanted = _plan(items, threads, free_threads)
    one = threads if wanted == 1 else ONE_THREAD  # a large buffer may use the threads that the batch does not
    work = _Work(algorithm, one, free_threads, cache, progress)
    batch = HashBatch([], {})
    progress.stage("hash", 0 if count == _UNKNOWN_COUNT else count)
    with closing(map_in_order(work.hash_group, groups, threads=wanted, executor=executor if wanted > 1 else None)) as results:
        try:
            for digests, errors in results:
                batch.errors.update({len(batch.digests) + index: error for index, error in errors.items()})
                batch.digests.extend(digests)
                progress.advance(len(digests))
        finally:
            work.stop.set()
    return batch


def _plan(items: Iterable[HashItem], threads: HashThreads, free: int | None) -> tuple[Iterator[list[HashItem]], int, int]:
    """Return the groups to hash, how many items there are, and how many threads hash them."""
    iterator = iter(items)
    if isinstance(items, Sized):
        count, sample = len(items), list(islice(iterator, _SAMPLE_ITEMS))
    else:  # made as they are taken: no more of them at once than their bytes allow
        sample = next(_groups_by_bytes(islice(iterator, _SAMPLE_ITEMS)), [])
        count = _UNKNOWN_COUNT
    total = sum(map(_size_of, sample))
    if len(sample) < _SAMPLE_ITEMS and total < _GROUP_BYTES:
        count = len(sample)
    mean = total // max(len(sample), 1)
    wanted = threads.for_batch(mean * count, count, free=free)
    everything = chain(sample, iterator)
    if not isinstance(items, Sized):
        return _groups_by_bytes(everything), count, wanted
    size = min(_GROUP_BYTES // max(mean, 1), _GROUP_ITEMS, count // (_GROUPS_EACH * wanted) if wanted > 1 else _GROUP_ITEMS)
    return _groups(everything, max(size, 1)), count, wanted


class _Work:
    """What threads share: the settings, and the wish to stop."""

    def __init__(self, algorithm: str, threads: HashThreads, free_threads: int | None, cache: HashCache | None,
                 progress: Progress) -> None:
        self.stop = threading.Event()
        self._algorithm, self._threads, self._free, self._cache = algorithm, threads, free_threads, cache
        self._progress = progress

    def hash_group(self, group: list[HashItem]) -> tuple[list[bytes | None], dict[int, Exception]]:
        """Return the digests of *group*, and errors by place in it."""
        self._check(0)
        # By type: one isinstance with an abstract class costs 5 % of hashing 16 KiB.
        if len(group) > 1 and _BUFFERS.issuperset(map(type, group)):
            try:
                return [*digests_of(group, algorithm=self._algorithm)], {}  # type: ignore[arg-type]
            except (TypeError, ValueError, BufferError):  # found again, and placed, below
                pass
        digests: list[bytes | None] = []
        errors: dict[int, Exception] = {}
        for index, item in enumerate(group):
            try:
                digests.append(self._hash_item(item))
            except Cancelled:
                raise
            except (SiltstoneError, OSError, TypeError, ValueError, BufferError) as error:
                digests.append(None)
                errors[index] = error
        return digests, errors

    def _hash_item(self, item: HashItem) -> bytes:
        if isinstance(item, (str, os.PathLike)):
            return hash_file_checking(item, self._algorithm, self._cache, self._check)
        view = memoryview(item).cast("B")
        threads = self._threads.for_one(len(view), free=self._free) if self._algorithm == BLAKE3 else 1
        return digest_of(view, algorithm=self._algorithm, threads=threads)

    def _check(self, _count: int) -> None:
        if self.stop.is_set():
            raise Cancelled
        self._progress.check()


def _groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def _groups_by_bytes(items: Iterable[HashItem]) -> Iterator[list[HashItem]]:
    group: list[HashItem] = []
    total = 0
    for item in items:
        group.append(item)
        total += _size_of(item)
        if total >= _GROUP_BYTES or len(group) == _GROUP_ITEMS:
            yield group
            group, total = [], 0
    if group:
        yield group


def _size_of(item: HashItem) -> int:
    """Return the bytes of *item*; 0 where it cannot be told: its result will say why."""
    try:
        if isinstance(item, (str, os.PathLike)):
            return os.stat(item).st_size
        return memoryview(item).nbytes
    except (OSError, TypeError, ValueError):
        return 0
