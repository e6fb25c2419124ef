"""Where a pipeline's bytes come from: a path, a file object, a buffer, or buffers one after the other; cut into blocks.

Every block but the last of a stream holds the same number of newly read bytes, however short the reads of the source
are, so what is stored does not depend on them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from siltstone.content import kernels
from siltstone.content.profiles import Profile
from siltstone.content.sources import ByteSource, open_source, source_of
from siltstone.core.errors import ConfigError

SCANNER_SLACK = 64  # bytes by which a scanner may decide later than at the longest chunk


def longest_block(block_bytes: int, profile: Profile) -> int:
    """Return the most bytes of a block for which *block_bytes* were read: an open chunk from before lies in front."""
    return block_bytes + profile.maximum + SCANNER_SLACK


class RawBlock(NamedTuple):
    """Whole chunks: *offset* in the stream, *data*, and the *ends* in it; *buffer* is what *data* lies in, if it is ours."""

    offset: int
    data: memoryview
    ends: list[int]
    buffer: bytearray | None


class BlockSource(Protocol):
    """One stream, block by block; *read_seconds* and *cut_seconds* tell about the last one."""

    read_seconds: float
    cut_seconds: float

    def buffer_bytes(self, block_bytes: int) -> int:
        """Return the memory of ours that the next block takes when *block_bytes* are read for it; 0: none from the pool."""

    def next_block(self, block_bytes: int) -> RawBlock | None:
        """Return the next block, None at the end."""


class BufferPool:
    """Buffers of one size to be used again: fresh memory costs a page fault for every 4 KiB. One thread."""

    def __init__(self, count: int) -> None:
        self._free: list[bytearray] = []
        self._count = count
        self.size = 0

    def __len__(self) -> int:
        return len(self._free)

    def fit(self, size: int) -> None:
        """Hold buffers of *size* bytes from now on, and none of another size."""
        if size != self.size:
            self.size = size
            self._free.clear()

    def take(self) -> bytearray:
        """Return a buffer, its content undefined."""
        return self._free.pop() if self._free else bytearray(self.size)

    def give(self, buffer: bytearray) -> bool:
        """Take a buffer back and return True; one of another size, or that somebody still looks into, is left to him."""
        if len(buffer) != self.size or len(self._free) >= self._count:
            return False
        try:
            buffer.append(buffer.pop())  # refused as long as a view exists, as any change of size is
        except BufferError:
            return False
        self._free.append(buffer)
        return True

    def clear(self) -> None:
        """Let all free buffers go."""
        self._free.clear()

    def free_bytes(self) -> int:
        """Return the bytes of all free buffers."""
        return self.size * len(self._free)


class StreamBlocks:
    """Blocks of what *source* gives; the open chunk at the end of one is copied to the front of the next."""

    def __init__(self, source: ByteSource, profile: Profile, pool: BufferPool) -> None:
        self._source, self._profile, self._pool = source, profile, pool
        self._scanner = kernels.scanner(profile)
        self._carried = b""
        self._base = 0  # offset in the stream where the open chunk starts
        self._ended = False
        self.read_seconds = self.cut_seconds = 0.0

    def buffer_bytes(self, block_bytes: int) -> int:
        """Return the size of the buffer, and of the open chunk that is carried on after it."""
        return longest_block(block_bytes, self._profile) + self._profile.maximum + SCANNER_SLACK

    def next_block(self, block_bytes: int) -> RawBlock | None:
        """Return the next *block_bytes* of the source, as far as whole chunks go."""
        self.read_seconds = self.cut_seconds = 0.0
        if self._ended:
            return None
        self._pool.fit(longest_block(block_bytes, self._profile))
        buffer = self._pool.take()
        view, filled = memoryview(buffer), len(self._carried)
        view[:filled] = self._carried
        ends: list[int] = []
        while not ends and not self._ended:
            window = self._fill(view[filled:filled + block_bytes])
            self._ended = len(window) < block_bytes
            ends = self._cut(window)
            filled += len(window)
        last = ends[-1] if ends else 0
        block = RawBlock(self._base, view[:last], ends, buffer)
        self._carried = bytes(view[last:filled])
        self._base += last
        return block if ends else None

    def _fill(self, window: memoryview) -> memoryview:
        """Return *window*, full, or as far as the source reaches."""
        start, filled = time.perf_counter(), 0
        while filled < len(window):
            count = self._source.read_into(window[filled:])
            if count is None:
                raise ConfigError("expected a file that blocks, got one that would have to wait", field="source")
            if count == 0:
                break
            filled += count
        self.read_seconds += time.perf_counter() - start
        return window[:filled]

    def _cut(self, window: memoryview) -> list[int]:
        start = time.perf_counter()
        cuts = self._scanner.feed(window)
        if self._ended:
            cuts.extend(self._scanner.finish())
        base = self._base
        ends = [cut - base for cut in cuts]
        self.cut_seconds += time.perf_counter() - start
        return ends


class BufferBlocks:
    """Blocks of a buffer that is there already: views, no copies, no memory of our own."""

    def __init__(self, data: memoryview, profile: Profile) -> None:
        self._data, self._scanner = data, kernels.scanner(profile)
        self._base = self._fed = 0
        self.read_seconds = self.cut_seconds = 0.0

    def buffer_bytes(self, block_bytes: int) -> int:
        """Return 0: the buffer is the caller's."""
        return 0

    def next_block(self, block_bytes: int) -> RawBlock | None:
        """Return the chunks that end in the next *block_bytes* of the buffer."""
        start, base = time.perf_counter(), self._base
        ends: list[int] = []
        while not ends and self._base < len(self._data):
            window = self._data[self._fed:self._fed + block_bytes]
            cuts = self._scanner.feed(window)
            self._fed += len(window)
            if self._fed == len(self._data):
                cuts.extend(self._scanner.finish())
            ends = [cut - base for cut in cuts]
            self._base = cuts[-1] if ends else self._base
        self.cut_seconds = time.perf_counter() - start
        return RawBlock(base, self._data[base:self._base], ends, None) if ends else None


@contextmanager
def open_blocks(source: Any, profile: Profile, pool: BufferPool) -> Iterator[BlockSource]:
    """Open the blocks of *source*: a path, a file object, a buffer, or an iterable of buffers.

    A path is closed at the end, a file object stays open. Raises TypeError for anything else.
    """
    view = _view_of(source)
    if view is not None:
        yield BufferBlocks(view, profile)
        return
    if isinstance(source, (str, os.PathLike)):
        opened = open_source(source)
    elif any(hasattr(source, name) for name in ("readinto", "recv_into", "read")):
        opened = source_of(source)
    elif isinstance(source, Iterable):
        opened = _Pieces(source)
    else:
        raise TypeError(f"expected a path, a file, a buffer or an iterable of buffers, got {type(source).__name__}")
    try:
        yield StreamBlocks(opened, profile, pool)
    finally:
        opened.close()


def _view_of(source: Any) -> memoryview | None:
    try:
        return memoryview(source).cast("B")
    except TypeError:
        return None


class _Pieces:
    """Buffers one after the other, as one source."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self._iterator = iter(pieces)
        self._rest = memoryview(b"")

    def read_into(self, room: memoryview, /) -> int | None:
        while not self._rest:
            piece = next(self._iterator, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece).cast("B")
        count = min(len(self._rest), len(room))
        room[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Leave the iterable to the caller."""
        self._rest = memoryview(b"")
