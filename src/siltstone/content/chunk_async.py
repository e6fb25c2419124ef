"""Chunks for ``async for``: reading and cutting run in a thread, one call for each block, never on the loop.

Cancelling waits for the call that is under way (a block is some milliseconds, unless the file itself waits), then closes what
was opened here: nothing runs afterwards.  Iterate inside ``contextlib.aclosing`` where a loop may be left early.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from siltstone.content.buffers import DEFAULT_READ_BYTES, BufferStrategy
from siltstone.content.chunk_slices import DEFAULT_SLICE_CHUNKS, DEFAULT_SLICE_SECONDS, SliceClock
from siltstone.content.chunk_streams import open_reader
from siltstone.content.chunking import Chunk, Chunker
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Result = TypeVar("Result")

_FILE_READ_BYTES = 4 * MIB  # larger than elsewhere: each read is a hop into a thread and back, 0.1 ms
_BLOCK_BYTES = 256 * KIB  # small pieces are gathered: a hop into a thread costs about what cutting this does


class AsyncReader(Protocol):
    """What `asyncio.StreamReader` and most asynchronous files have."""

    async def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, none at the end."""


async def iter_chunks_async(
    source: AsyncIterable[ReadableBuffer] | AsyncReader, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
    owned: bool = False, executor: Executor | None = None, block_bytes: int = _BLOCK_BYTES,
    max_chunks: int = DEFAULT_SLICE_CHUNKS, max_seconds: float = DEFAULT_SLICE_SECONDS,
) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks of an asynchronous *source*: an object with ``async read(size)``, or an iterable of pieces.

    Pieces are gathered to *block_bytes* and cut in a thread of *executor* (default: the loop's); 1 cuts each as it comes.
    Chunks are views, valid as long as *source* leaves its pieces alone, or ``bytes`` where *owned*.  After *max_chunks* or
    *max_seconds* the loop gets a turn.  Memory: the longest chunk, one block and one piece.
    """
    if type(block_bytes) is not int or block_bytes < 1:
        raise ConfigError(f"at least 1, got {block_bytes!r}", field="block_bytes")
    chunker = Chunker(profile=profile, kernel=kernel, owned=owned)
    clock = SliceClock(max_chunks, max_seconds)
    async with aclosing(_blocks_of(_pieces_of(source, block_bytes), block_bytes)) as blocks:
        async for block in blocks:
            for chunk in await _call_in_thread(executor, chunker.feed, block):
                yield chunk
                if clock.is_over():
                    await asyncio.sleep(0)
                    clock.restart()
    for chunk in chunker.finish():
        yield chunk


async def iter_file_chunks_async(
    path: str | os.PathLike[str], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto", owned: bool = False,
    executor: Executor | None = None, buffer: BufferStrategy | None = None,
    max_chunks: int = DEFAULT_SLICE_CHUNKS, max_seconds: float = DEFAULT_SLICE_SECONDS,
) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks of the file at *path*, as `iter_file_chunks` does; views are valid until the next step."""
    clock = SliceClock(max_chunks, max_seconds)
    strategy = buffer or BufferStrategy.adaptive(limit_bytes=_FILE_READ_BYTES)
    reader = await _call_in_thread(executor, lambda: open_reader(path, profile=profile, kernel=kernel, buffer=strategy),
                                   undo=lambda opened: opened.close())
    try:
        while (block := await _call_in_thread(executor, reader.read_block)) is not None:
            for chunk in block.owned() if owned else block:
                yield chunk
                if clock.is_over():
                    await asyncio.sleep(0)
                    clock.restart()
    finally:
        reader.close()


async def _call_in_thread(executor: Executor | None, function: Callable[..., Result], *arguments: Any,
                          undo: Callable[[Result], None] | None = None) -> Result:
    """Return ``function(*arguments)``, run in a thread; a cancellation is passed on once the call has ended."""
    future = asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):  # cancelled again: the thread cannot be left behind for that
                await asyncio.wait({future})
        if undo is not None and future.exception() is None:
            undo(future.result())
        raise


async def _blocks_of(
    pieces: AsyncIterator[ReadableBuffer], block_bytes: int
) -> AsyncGenerator[ReadableBuffer, None]:
    """Yield *pieces* joined to at least *block_bytes*, but for the last; a large one as it is."""
    gathered = bytearray()
    async for piece in pieces:
        size = memoryview(piece).nbytes
        if not gathered and size >= block_bytes:
            yield piece
            continue
        gathered += memoryview(piece).cast("B")
        if len(gathered) >= block_bytes:
            yield gathered
            gathered = bytearray()  # new: views of the one before may live on
    if gathered:
        yield gathered


def _pieces_of(source: Any, size: int) -> AsyncIterator[ReadableBuffer]:
    if callable(getattr(source, "read", None)):  # first: a StreamReader also iterates, but by lines
        return _Reads(source, max(size, DEFAULT_READ_BYTES))
    if isinstance(source, AsyncIterable):
        return aiter(source)
    raise ConfigError(f"expected an asynchronous iterable or reader, got {type(source).__name__}", field="source")


class _Reads:
    """The reads of a reader, one after the other; no generator, so nothing is left to be closed."""

    def __init__(self, reader: AsyncReader, size: int) -> None:
        self._reader, self._size = reader, size

    def __aiter__(self) -> AsyncIterator[ReadableBuffer]:
        return self

    async def __anext__(self) -> ReadableBuffer:
        data = await self._reader.read(self._size)
        if not data:
            raise StopAsyncIteration
        return data
