"""Big inputs as many independent frames, made and read by several threads.

Invariants: the frames depend on the input, the codec, the level and the frame size, never on the number of threads; content
comes in order; what waits is bounded: two frames a thread, of 64 MiB at most when reading.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing
from typing import NamedTuple

from siltstone.content.codec_table import AUTO, MAGIC_BYTES, check_level, codec_named, find_codec
from siltstone.content.codecs import FrameSpan, lz4, zstd_frames
from siltstone.content.dictionaries import CompressionDictionary
from siltstone.content.frame_sequence import FrameLimits, FrameSequence, reader_of
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError, CorruptDataError
from siltstone.core.ordered_map import check_threads, map_in_order

FRAME_BYTES = 16 * MIB  # as Nix 2.35 writes: a frame costs its window anew, below 0.1 % at this size
FRAME_BYTES_AT_MOST = 1024 * MIB
PARALLEL_FRAME_BYTES = 64 * MIB  # content of a frame that is read as a whole; a larger one is read as a stream
_READ_BYTES = 1 * MIB
_FINDERS: dict[str, Callable[[memoryview, int], FrameSpan | None]] = {"zstd": zstd_frames.find_frame, "lz4": lz4.find_frame}

Read = Callable[[int], bytes | memoryview]


def iter_frames(read: Read, codec: str = "zstd", *, level: int | None = None, frame_bytes: int = FRAME_BYTES,
                checksum: bool = True, threads: int = 1, executor: Executor | None = None,
                dictionary: CompressionDictionary | None = None) -> Generator[bytes, None, None]:
    """Yield what *read* gives as frames of *frame_bytes* of content each, the last one shorter; one empty frame for nothing.

    Memory: about ``2 * threads + 2`` frames.  Closing the generator stops the threads.
    """
    check_threads(threads)
    if not 4 * KIB <= frame_bytes <= FRAME_BYTES_AT_MOST:
        raise ConfigError(f"expected {4 * KIB} to {FRAME_BYTES_AT_MOST} bytes, got {frame_bytes}", field="frame_bytes")
    chosen = codec_named(codec, dictionary=dictionary)
    level = check_level(chosen, level)

    def pack(piece: bytes) -> bytes:
        return chosen.compress(piece, level, checksum=checksum)

    return map_in_order(pack, _iter_pieces(read, frame_bytes), threads=threads, executor=executor)


def compress_frames(data: bytes | memoryview, codec: str = "zstd", *, level: int | None = None, frame_bytes: int = FRAME_BYTES,
                    checksum: bool = True, threads: int = 1, executor: Executor | None = None,
                    dictionary: CompressionDictionary | None = None) -> bytes:
    """Return *data* as independent frames, the same for any number of threads."""
    return b"".join(iter_frames(reader_of(data), codec, level=level, frame_bytes=frame_bytes, checksum=checksum,
                                threads=threads, executor=executor, dictionary=dictionary))


def iter_decompressed(read: Read, *, codec: str = AUTO, limits: FrameLimits | None = None, threads: int = 1,
                      executor: Executor | None = None, dictionary: CompressionDictionary | None = None,
                      source: str = "") -> Generator[bytes, None, None]:
    """Yield the content of all frames that *read* gives, in order.

    Frames of zstd and lz4 that state their size, 64 MiB at most, are decoded by *threads* at once; others one after the
    other in pieces.  Limits and errors are those of `frame_sequence`.
    """
    check_threads(threads)
    limits = limits or FrameLimits()
    if threads == 1:
        return FrameSequence(read, codec, limits, source=source, dictionary=dictionary).iter_content()
    return _iter_in_threads(_FrameFinder(read, codec, limits, source, dictionary), threads, executor)


class _Job(NamedTuple):
    """One frame in memory, where it begins in the input, and what it states."""

    frame: bytes
    offset: int
    content_bytes: int


class _FrameFinder:
    """Cuts the input into whole frames as far as it can; the rest is read as a stream."""

    def __init__(self, read: Read, codec: str, limits: FrameLimits, source: str,
                 dictionary: CompressionDictionary | None) -> None:
        self._read, self.codec, self.limits, self.source, self.dictionary = read, codec, limits, source, dictionary
        self._waiting = bytearray()
        self._offset = 0  # of _waiting in the input
        self._made = 0
        self._ended = False

    def iter_jobs(self) -> Iterator[_Job]:
        """Yield frames that may be decoded whole; ends at the first that may not, or at the end."""
        while len(self._waiting) < MAGIC_BYTES and self._more():
            pass
        name = find_codec(self._waiting) if self.codec == AUTO else self.codec
        find = _FINDERS.get(name or "")
        while find is not None and (self._waiting or self._more()):
            span = self._find(find)
            if span is None:
                return
            assert span.content_bytes is not None
            frame = bytes(self._waiting[: span.end])
            del self._waiting[: span.end]
            self._made += span.content_bytes
            self.limits.check(self._made, self._offset + span.end)
            yield _Job(frame, self._offset, span.content_bytes)
            self._offset += span.end
            self.codec = name or AUTO  # a later frame must be of the same

    def _find(self, find: Callable[[memoryview, int], FrameSpan | None]) -> FrameSpan | None:
        """Return the span of the next frame; None where it has to be read as a stream."""
        while True:
            try:
                with memoryview(self._waiting) as view:
                    span = find(view, 0)
            except CorruptDataError:
                return None  # the stream says what is wrong, and where
            if span is not None:
                fits = span.content_bytes is not None and span.content_bytes <= min(span.most_bytes, PARALLEL_FRAME_BYTES)
                return span if fits else None
            size = len(self._waiting)
            if size > PARALLEL_FRAME_BYTES or not self._grow(min(2 * size, PARALLEL_FRAME_BYTES + 1)):
                return None

    def _grow(self, size: int) -> bool:
        """Read until *size* bytes wait, return whether any came: a frame is walked anew each time, so over twice as much."""
        before = len(self._waiting)
        while len(self._waiting) < size and self._more():
            pass
        return len(self._waiting) > before

    def _more(self) -> bool:
        data = self._read(_READ_BYTES)
        self._waiting += data
        return bool(data)

    def iter_rest(self) -> Iterator[bytes]:
        """Yield the content of what `iter_jobs` left, piece by piece."""
        if not self._waiting and self._offset and not self._more():
            return
        first = reader_of(bytes(self._waiting))
        own = FrameLimits(limit_bytes=None, window_bytes=self.limits.window_bytes)
        sequence = FrameSequence(lambda size: first(size) or self._read(size), self.codec, own, source=self.source,
                                 dictionary=self.dictionary)
        try:
            for piece in sequence.iter_content():
                self.limits.check(self._made + sequence.made_bytes, self._offset + sequence.read_bytes)
                yield piece
        except CorruptDataError as error:
            raise error.within(self.source, self._offset) from error


def _iter_in_threads(finder: _FrameFinder, threads: int, executor: Executor | None) -> Generator[bytes, None, None]:
    window_bytes, dictionary, source = finder.limits.window_bytes, finder.dictionary, finder.source

    def unpack(job: _Job) -> list[bytes]:
        limits = FrameLimits(limit_bytes=job.content_bytes, window_bytes=window_bytes)
        sequence = FrameSequence(reader_of(job.frame), finder.codec, limits, dictionary=dictionary)
        try:
            pieces = list(sequence.iter_content())
        except CorruptDataError as error:
            raise CorruptDataError(error.problem, source=source, offset=job.offset) from error
        if sequence.made_bytes != job.content_bytes:
            raise CorruptDataError(f"the frame does not hold the {job.content_bytes} bytes it states", source=source,
                                   offset=job.offset)
        return pieces

    with closing(map_in_order(unpack, finder.iter_jobs(), threads=threads, executor=executor)) as results:
        for pieces in results:
            yield from pieces
    yield from finder.iter_rest()


def _iter_pieces(read: Read, size: int) -> Iterator[bytes]:
    piece = _read_exactly(read, size)
    while True:
        following = _read_exactly(read, size) if len(piece) == size else b""
        yield piece
        if not following:
            return
        piece = following


def _read_exactly(read: Read, size: int) -> bytes:
    first = read(size)
    if len(first) in (0, size):
        return bytes(first)
    pieces = [bytes(first)]
    missing = size - len(first)
    while missing and (piece := read(missing)):
        pieces.append(bytes(piece))
        missing -= len(piece)
    return b"".join(pieces)
