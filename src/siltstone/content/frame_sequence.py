"""Frame after frame of one codec, from bytes that come in pieces: every way to decompress goes through here.

Invariants: limits count over all frames; no more than one step of content (128 KiB) is made beyond what a limit allows; what
follows the last frame, and a frame that is cut short, are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from siltstone.content.codec_table import AUTO, MAGIC_BYTES, codec_named, detect_codec
from siltstone.content.codecs import Codec, FrameDecoder
from siltstone.content.dictionaries import CompressionDictionary
from siltstone.core.budget import GIB, MIB
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, UnsupportedError

DEFAULT_LIMIT_BYTES = 1 * GIB  # of content made in one piece
WINDOW_BYTES = 128 * MIB  # what `zstd -d` takes without being asked; xz -9 needs 65
READ_BYTES = 64 << 10  # decoders copy what they cannot use yet, so this is small
_RATIO_FREE_BYTES = 1 * MIB  # below it a ratio says nothing: a kilobyte of zeros is no attack


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLimits:
    """How much content may be made: in all, as a multiple of the input (once there is a MiB), and the history of a frame.

    None is no limit; it is for readers that keep nothing.
    """

    limit_bytes: int | None = DEFAULT_LIMIT_BYTES
    limit_ratio: float | None = None
    window_bytes: int = WINDOW_BYTES

    def __post_init__(self) -> None:
        if self.limit_bytes is not None and self.limit_bytes < 0:
            raise ConfigError(f"expected a number of bytes, got {self.limit_bytes}", field="limit_bytes")
        if self.limit_ratio is not None and self.limit_ratio < 1:
            raise ConfigError(f"expected 1 or more, got {self.limit_ratio}", field="limit_ratio")
        if self.window_bytes < 1 << 10:
            raise ConfigError(f"expected 1024 bytes or more, got {self.window_bytes}", field="window_bytes")

    def check(self, made_bytes: int, read_bytes: int) -> None:
        """Raise BudgetExceeded where *made_bytes* of content from *read_bytes* of input are too many."""
        if self.limit_bytes is not None and made_bytes > self.limit_bytes:
            raise BudgetExceeded("content", limit_bytes=self.limit_bytes, needed_bytes=made_bytes)
        if self.limit_ratio is not None and made_bytes > max(_RATIO_FREE_BYTES, self.limit_ratio * read_bytes):
            allowed = int(max(_RATIO_FREE_BYTES, self.limit_ratio * read_bytes))
            raise BudgetExceeded("ratio", limit_bytes=allowed, needed_bytes=made_bytes)


class FrameSequence:
    """Decodes what *read* gives, one frame after the other. `codec` is known after the first piece.

    What *read* returns is used until it is called again, so it may be a view of a buffer that is filled anew.
    """

    def __init__(self, read: Callable[[int], bytes | memoryview], codec: str, limits: FrameLimits, *, source: str = "",
                 dictionary: CompressionDictionary | None = None) -> None:
        self._read, self._limits, self._source, self._dictionary = read, limits, source, dictionary
        self._codec: Codec | None = None if codec == AUTO else codec_named(codec, dictionary=dictionary)
        self._unread: bytes | memoryview = b""
        self._fed_bytes = 0
        self._frame_start = 0
        self.made_bytes = 0
        self.frames = 0

    @property
    def codec(self) -> str:
        """The name of the codec, ``auto`` before it is known."""
        return AUTO if self._codec is None else self._codec.NAME

    @property
    def read_bytes(self) -> int:
        """The bytes of input taken so far."""
        return self._fed_bytes

    def iter_content(self) -> Generator[bytes, None, None]:
        """Yield the content of all frames, in pieces of at most 128 KiB, none empty.

        Raises CorruptDataError for bytes that are no frame or end inside one, BudgetExceeded at a limit, UnsupportedError
        for an unknown codec, NotFoundError for a dictionary that is not there.
        """
        codec = self._codec = self._codec or self._detect()
        data = self._unread or self._next_data()
        while data or not self.frames:
            self._frame_start = self._fed_bytes - len(data)
            decoder = codec.new_decoder(self._limits.window_bytes)
            try:
                yield from self._iter_frame(decoder, data)
            except CorruptDataError as error:
                raise CorruptDataError(error.problem, source=self._source, offset=self._frame_start) from error
            self.frames += 1
            data = decoder.unused_data or self._next_data()
            if codec.PADDING_BYTES:
                data = self._skip_padding(data, codec.PADDING_BYTES)

    def _iter_frame(self, decoder: FrameDecoder, data: bytes | memoryview) -> Iterator[bytes]:
        while True:
            content = decoder.decode(data)
            if content:
                self.made_bytes += len(content)
                self._limits.check(self.made_bytes, self._fed_bytes)
                yield content
            if decoder.eof:
                return
            data = b""
            if decoder.needs_input:
                data = self._next_data()
                if not data:
                    self._end_inside()
                    return

    def _end_inside(self) -> None:
        """What has no frames of its own ends with its input."""
        if self._codec is None or self._codec.NAME != "none":
            raise CorruptDataError("the compressed data is cut short")

    def _next_data(self) -> bytes | memoryview:
        data = self._read(READ_BYTES)
        self._fed_bytes += len(data)
        return data

    def _detect(self) -> Codec:
        head = b""
        while len(head) < MAGIC_BYTES and (more := self._next_data()):
            head += bytes(more)
        self._unread = head
        if not head:
            raise CorruptDataError("nothing is there to decompress", source=self._source, offset=0)
        try:
            name = detect_codec(head)
        except UnsupportedError as error:
            raise UnsupportedError(str(error), source=self._source) from error
        return codec_named(name, dictionary=self._dictionary)

    def _skip_padding(self, data: bytes | memoryview, unit: int) -> bytes | memoryview:
        start = self._fed_bytes - len(data)
        zeros = 0
        while data:
            rest = bytes(data).lstrip(b"\0")
            zeros += len(data) - len(rest)
            data = rest or self._next_data()
            if rest:
                break
        if zeros % unit:
            raise CorruptDataError(f"padding is not a multiple of {unit} bytes", source=self._source, offset=start)
        return data


def reader_of(data: bytes | memoryview) -> Callable[[int], memoryview]:
    """Return a function that gives *data* piece by piece, without copies."""
    view, here = memoryview(data), 0

    def read(size: int) -> memoryview:
        nonlocal here
        piece = view[here : here + size]
        here += len(piece)
        return piece

    return read
