"""Chunks for callers who share a thread: in slices of time, and by polling a source that does not wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from siltstone.content.buffers import BufferStrategy
from siltstone.content.chunk_streams import ChunkReader, Step
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.content.sources import ByteSource, source_of
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from siltstone.content.chunking import Chunk

DEFAULT_SLICE_CHUNKS = 64
DEFAULT_SLICE_SECONDS = 0.005  # unnoticed by a loop that also answers requests


class SliceClock:
    """Tells when a slice of work is over: after *max_chunks* chunks or *max_seconds*, whichever comes first."""

    __slots__ = ("_clock", "_count", "_max_chunks", "_max_seconds", "_started")

    def __init__(self, max_chunks: int, max_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        if type(max_chunks) is not int or max_chunks < 1:
            raise ConfigError(f"at least 1, got {max_chunks!r}", field="max_chunks")
        if not max_seconds > 0:
            raise ConfigError(f"more than 0, got {max_seconds!r}", field="max_seconds")
        self._max_chunks, self._max_seconds, self._clock = max_chunks, max_seconds, clock
        self.restart()

    def restart(self) -> None:
        """Begin a slice now."""
        self._count, self._started = 0, self._clock()

    def is_over(self) -> bool:
        """Count one chunk; return whether the slice ends with it."""
        self._count += 1
        return self._count >= self._max_chunks or self._clock() - self._started >= self._max_seconds


def iter_in_slices(
    chunks: Iterable[Chunk], *, max_chunks: int = DEFAULT_SLICE_CHUNKS, max_seconds: float = DEFAULT_SLICE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Chunk | None, None, None]:
    """Yield *chunks*, and None whenever *max_chunks* of them or *max_seconds* have passed: time to let others work.

    A slice begins when the caller comes back from the None before.  The time counts what the caller does with the chunks,
    and is looked at after each chunk.  The last slice ends with the chunks, without a None.  A view is valid as long as
    that which gave it says; a None counts as a step.
    """
    slice_clock = SliceClock(max_chunks, max_seconds, clock)
    over = False
    iterator = iter(chunks)
    try:
        for chunk in iterator:
            if over:
                yield None
                slice_clock.restart()
            yield chunk
            over = slice_clock.is_over()
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


class PollState(Enum):
    """What a poll found."""

    READY = "ready"  # a chunk
    PENDING = "pending"  # none yet: poll again, when the source has more or others had their turn
    DONE = "done"  # the source has ended, and every chunk was given


@dataclass(frozen=True, slots=True)
class Poll:
    """The answer of a poll; *chunk* is None unless it is ready."""

    state: PollState
    chunk: Chunk | None = None


_PENDING, _DONE = Poll(PollState.PENDING), Poll(PollState.DONE)


class ChunkPoller:
    """Gives chunks to a caller with a loop of its own: a poll reads at most once and, if the source does not wait, never waits.

    *file* is what `read_chunks` takes; a non-blocking file or socket makes a poll pending until it has bytes, so register it
    with a selector.  A blocking one makes a poll wait for that one read.  Views are valid until the next poll.
    """

    __slots__ = ("_chunks", "_error", "_owned", "_reader")

    def __init__(self, file: Any, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
                 buffer: BufferStrategy | None = None, owned: bool = False) -> None:
        source: ByteSource = source_of(file)
        self._reader = ChunkReader(source, profile=profile, kernel=kernel, buffer=buffer)
        self._chunks: Iterator[Chunk] = iter(())
        self._error: Exception | None = None
        self._owned = owned

    def poll_next_chunk(self) -> Poll:
        """Return the next chunk, or that there is none yet, or none any more; an error of the source comes with every poll."""
        chunk = next(self._chunks, None)
        if chunk is not None:
            return Poll(PollState.READY, chunk)
        if self._error is not None:
            raise self._error
        try:
            step = self._reader.step()
        except Exception as error:
            self._error = error  # else the next poll would take the end of the reader for the end of the source
            raise
        if step is Step.DONE:
            return _DONE
        block = self._reader.block
        if block is None:
            return _PENDING
        self._chunks = block.owned() if self._owned else iter(block)
        return Poll(PollState.READY, next(self._chunks))

    def close(self) -> None:
        """Let the memory go; later polls are done. The file stays open."""
        self._chunks, self._error = iter(()), None
        self._reader.close()
