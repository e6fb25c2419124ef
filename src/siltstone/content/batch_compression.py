"""Many buffers compressed or decompressed at once: results in order, a failure belongs to its item, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass

from siltstone.content.codec_table import AUTO, check_level, codec_named
from siltstone.content.compression import compress, decompress
from siltstone.content.dictionaries import CompressionDictionary
from siltstone.content.frame_sequence import DEFAULT_LIMIT_BYTES, WINDOW_BYTES, FrameLimits
from siltstone.core.budget import MIB
from siltstone.core.errors import SiltstoneError
from siltstone.core.ordered_map import check_threads, map_in_order
from siltstone.core.progress import NO_PROGRESS, Progress

_GROUP_ITEMS = 64  # handed to a thread at once, so that small items do not cost a hand-over each
_GROUP_BYTES = 1 * MIB


@dataclass(frozen=True, slots=True)
class CompressedItem:
    """What became of item number *index*: the bytes, or the error that stopped it."""

    index: int
    data: bytes | None
    error: Exception | None = None

    def get(self) -> bytes:
        """Return the bytes, or raise the error."""
        if self.data is None:
            assert self.error is not None
            raise self.error
        return self.data


def compress_batch(items: Iterable[bytes | memoryview], codec: str = "zstd", *, level: int | None = None,
                   checksum: bool = True, dictionary: CompressionDictionary | None = None, threads: int = 1,
                   executor: Executor | None = None, progress: Progress = NO_PROGRESS) -> Iterator[CompressedItem]:
    """Yield each of *items* as one frame, in their order; they are taken only a little ahead.

    They run in *threads* of *executor* or of our own.  An item that is no buffer gives a result with its error; a wrong codec
    or level is raised.  *progress* advances by one for each item, and stops the batch where it is cancelled.
    """
    check_level(codec_named(codec, dictionary=dictionary), level)

    def work(item: bytes | memoryview) -> bytes:
        return compress(item, codec, level=level, checksum=checksum, dictionary=dictionary)

    return _run(work, items, threads, executor, progress)


def decompress_batch(items: Iterable[bytes | memoryview], *, codec: str = AUTO, limit_bytes: int = DEFAULT_LIMIT_BYTES,
                     limit_ratio: float | None = None, window_bytes: int = WINDOW_BYTES,
                     dictionary: CompressionDictionary | None = None, threads: int = 1, executor: Executor | None = None,
                     progress: Progress = NO_PROGRESS) -> Iterator[CompressedItem]:
    """Yield the content of each of *items*, in their order, as `compress_batch` does; the limits are those of one item."""
    FrameLimits(limit_bytes=limit_bytes, limit_ratio=limit_ratio, window_bytes=window_bytes)
    if codec != AUTO:
        codec_named(codec, dictionary=dictionary)

    def work(item: bytes | memoryview) -> bytes:
        return decompress(item, codec=codec, limit_bytes=limit_bytes, limit_ratio=limit_ratio, window_bytes=window_bytes,
                          dictionary=dictionary)

    return _run(work, items, threads, executor, progress)


def _run(work: Callable[[bytes | memoryview], bytes], items: Iterable[bytes | memoryview], threads: int,
         executor: Executor | None, progress: Progress) -> Iterator[CompressedItem]:
    check_threads(threads)

    def work_group(group: Sequence[tuple[int, bytes | memoryview]]) -> list[CompressedItem]:
        return [_work_item(work, index, item) for index, item in group]

    def results() -> Iterator[CompressedItem]:
        with closing(map_in_order(work_group, _groups(items), threads=threads, executor=executor)) as groups:
            for group in groups:
                for result in group:
                    yield result
                    progress.advance()

    return results()


def _work_item(work: Callable[[bytes | memoryview], bytes], index: int, item: bytes | memoryview) -> CompressedItem:
    try:
        return CompressedItem(index, work(memoryview(item).cast("B")))
    except (SiltstoneError, TypeError, ValueError, BufferError) as error:
        return CompressedItem(index, None, error)


def _groups(items: Iterable[bytes | memoryview]) -> Iterator[list[tuple[int, bytes | memoryview]]]:
    group: list[tuple[int, bytes | memoryview]] = []
    size = 0
    for numbered in enumerate(items):
        group.append(numbered)
        size += len(numbered[1]) if isinstance(numbered[1], (bytes, bytearray, memoryview)) else 0
        if len(group) == _GROUP_ITEMS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
