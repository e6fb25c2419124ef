"""Compressed files as file objects: a reader of every frame of any codec, and a writer, both in bounded memory."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from siltstone.content.codec_table import AUTO, SUFFIXES, check_level, codec_named
from siltstone.content.codecs import FrameEncoder
from siltstone.content.context_pools import BUFFERS
from siltstone.content.dictionaries import CompressionDictionary
from siltstone.content.frame_sequence import READ_BYTES, WINDOW_BYTES, FrameLimits, FrameSequence
from siltstone.core.errors import ConfigError
from siltstone.core.files import atomic_writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_SLICE_BYTES = 1 << 20  # handed to an encoder at once: what it returns is then bounded too


class Readable(Protocol):
    """What a reader needs of its source."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, nothing at the end."""


class Writable(Protocol):
    """What a writer needs of its target."""

    def write(self, data: bytes, /) -> object:
        """Take all of *data*."""


class CompressedReader(io.RawIOBase):
    """Reads the content of every frame of *source*; the codec is found by its magic, or named.

    Memory: the window of the frame plus some 300 KiB, whatever is read.  *limit_bytes* is exact over all frames: the byte
    beyond it is never handed out, but BudgetExceeded is raised.  Closing does not close *source*.
    """

    def __init__(self, source: Readable, *, codec: str = AUTO, limit_bytes: int | None = None, limit_ratio: float | None = None,
                 window_bytes: int = WINDOW_BYTES, dictionary: CompressionDictionary | None = None) -> None:
        super().__init__()
        self._buffer: bytearray | None = None
        self._pieces: Generator[bytes, None, None] | None = None
        limits = FrameLimits(limit_bytes=limit_bytes, limit_ratio=limit_ratio, window_bytes=window_bytes)
        name = getattr(source, "name", "")
        self._sequence = FrameSequence(self._reading(source), codec, limits, dictionary=dictionary,
                                       source=name if isinstance(name, str) else "")
        self._pieces = self._sequence.iter_content()
        self._rest = memoryview(b"")
        self._failure: Exception | None = None

    def _reading(self, source: Readable) -> Callable[[int], bytes | memoryview]:
        """Return how to read *source*: into a buffer of this thread's pool where it can be filled."""
        fill = getattr(source, "readinto", None)
        if fill is None:
            return source.read
        self._buffer = BUFFERS.take(READ_BYTES)
        view = memoryview(self._buffer)

        def read(size: int) -> memoryview:
            return view[: fill(view[:size]) or 0]

        return read

    @property
    def codec(self) -> str:
        """The name of the codec; ``auto`` until the first byte was read."""
        return self._sequence.codec

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill *buffer* as far as one piece of content goes and return the count; 0 at the end. An error stays an error."""
        self._check_open()
        target = memoryview(buffer).cast("B")
        if not target:
            return 0
        if not self._rest:
            self._rest = memoryview(self._next_piece())
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def iter_content(self) -> Iterator[bytes]:
        """Yield what is left, in pieces of at most 128 KiB and without copies."""
        self._check_open()
        if self._rest:
            rest, self._rest = bytes(self._rest), memoryview(b"")
            yield rest
        while piece := self._next_piece():
            yield piece

    def close(self) -> None:
        """Let go of the decoder and its memory; closing twice is harmless."""
        self._rest = memoryview(b"")
        if self._pieces is not None:
            self._pieces.close()
        if self._buffer is not None:
            BUFFERS.give(self._buffer)
            self._buffer = None
        super().close()

    def _next_piece(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        try:
            return b"" if self._pieces is None else next(self._pieces, b"")
        except Exception as error:
            self._failure = error
            raise

    def _check_open(self) -> None:
        if self.closed:
            raise ConfigError("the reader is closed", field="reader")


class CompressedWriter(io.RawIOBase):
    """Writes what it is given to *target* as one frame, or as frames of *frame_bytes* of content each.

    `close` ends the frame; `abort`, which an error inside a ``with`` block calls, leaves it without an end, so that no
    reader takes it for whole.  Neither closes *target*.  `flush` does not cut a block: it would cost compression.
    """

    def __init__(self, target: Writable, codec: str = "zstd", *, level: int | None = None, checksum: bool = True,
                 frame_bytes: int | None = None, dictionary: CompressionDictionary | None = None) -> None:
        super().__init__()
        if frame_bytes is not None and frame_bytes < 1:
            raise ConfigError(f"expected 1 or more, got {frame_bytes}", field="frame_bytes")
        chosen = codec_named(codec, dictionary=dictionary)
        level = check_level(chosen, level)
        self._target, self._frame_bytes = target, frame_bytes
        self._make: Callable[[], FrameEncoder] = lambda: chosen.new_encoder(level, checksum=checksum)
        self._encoder: FrameEncoder | None = self._make()
        self._room = frame_bytes or 0
        self.content_bytes = 0
        self.written_bytes = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Take all of *data* and return its size in bytes."""
        if self.closed:
            raise ConfigError("the writer is closed", field="writer")
        view = memoryview(data).cast("B")
        here = 0
        while here < len(view):
            if self._encoder is None:
                self._encoder, self._room = self._make(), self._frame_bytes or 0
            size = min(_SLICE_BYTES, len(view) - here, self._room if self._frame_bytes else _SLICE_BYTES)
            self._put(self._encoder.encode(view[here : here + size]))
            here += size
            self._room -= size
            if self._frame_bytes and not self._room:
                self._end_frame()
        self.content_bytes += len(view)
        return len(view)

    def close(self) -> None:
        """End the frame; closing twice is harmless. Without any content there is one empty frame."""
        if self.closed:
            return
        try:
            self._end_frame()
        finally:
            super().close()

    def abort(self) -> None:
        """Write nothing more; what was written is no whole frame."""
        self._encoder = None
        super().close()

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        """A writer that was not closed was not finished: its frame must not look whole."""
        self.abort()

    def _end_frame(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            self._put(encoder.finish())

    def _put(self, packed: bytes) -> None:
        if packed:
            self._target.write(packed)
            self.written_bytes += len(packed)


@contextmanager
def open_compressed(path: str | os.PathLike[str], mode: str = "rb", *, codec: str = AUTO, level: int | None = None,
                    limit_bytes: int | None = None, dictionary: CompressionDictionary | None = None,
                    ) -> Iterator[io.BufferedIOBase | CompressedWriter]:
    """Open a compressed file: ``rb`` gives a buffered reader, ``wb`` a writer whose file appears when the block ends well.

    When writing, ``auto`` takes the codec from the suffix.  Raises ConfigError for another mode or an unknown suffix.
    """
    place = Path(path)
    if mode == "rb":
        with open(place, "rb") as file:
            raw = CompressedReader(file, codec=codec, limit_bytes=limit_bytes, dictionary=dictionary)
            with io.BufferedReader(raw, 128 << 10) as reader:
                yield reader
    elif mode == "wb":
        chosen = SUFFIXES.get(place.suffix) if codec == AUTO else codec
        if chosen is None:
            raise ConfigError(f"no codec goes with the suffix {place.suffix!r}", field="codec")
        with atomic_writer(place) as out, CompressedWriter(out, chosen, level=level, dictionary=dictionary) as writer:
            yield writer
    else:
        raise ConfigError(f"expected 'rb' or 'wb', got {mode!r}", field="mode")
