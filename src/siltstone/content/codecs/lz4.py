"""The LZ4 frame format by the ``lz4`` package. Its largest block, 4 MiB at most, is the window."""

from __future__ import annotations

from siltstone.content.codecs import STEP_BYTES, FrameDecoder, FrameEncoder, FrameSpan
from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError

NAME = "lz4"
SUFFIX = ".lz4"
LEVELS = range(13)
DEFAULT_LEVEL = 0
PADDING_BYTES = 0

# LZ4 Frame Format Description 1.6.4
_MAGIC = b"\x04\x22\x4d\x18"
_SKIPPABLE = b"\x2a\x4d\x18"  # after one byte 50 to 5f
_HEAD_BYTES = 6  # magic, FLG, BD: what a window is told from
_BLOCK_CHECKSUM, _CONTENT_SIZE, _CONTENT_CHECKSUM, _DICTIONARY = 0x10, 0x08, 0x04, 0x01
_STORED_BLOCK = 1 << 31
_RATIO_AT_MOST = 256  # an LZ4 block holds no more: 255 bytes of a match for each byte of its length


def compress(data: bytes | memoryview, level: int, /, *, checksum: bool = True) -> bytes:
    """Return *data* as one frame that states its size."""
    from lz4 import frame

    packed: bytes = frame.compress(data, compression_level=level, content_checksum=checksum, store_size=True)
    return packed


def new_encoder(level: int, /, *, checksum: bool = True) -> FrameEncoder:
    """Return an encoder of one frame."""
    return _Encoder(level, checksum)


def new_decoder(window_bytes: int, /) -> FrameDecoder:
    """Return a decoder of one frame, or one skippable frame, whose blocks have at most *window_bytes*."""
    return _Decoder(window_bytes)


def find_frame(data: memoryview, start: int) -> FrameSpan | None:
    """Return the span of the frame at *start*; None where *data* ends inside it. Raises CorruptDataError for no frame."""
    if len(data) - start < 7:
        return None
    if data[start + 1 : start + 4] == _SKIPPABLE and data[start] >> 4 == 5:
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        return FrameSpan(end, 0, 0) if end <= len(data) else None
    if data[start : start + 4] != _MAGIC:
        raise CorruptDataError("not an lz4 frame", offset=start)
    flags, block_bytes = data[start + 4], _block_bytes(data[start + 5])
    here, stated = start + _HEAD_BYTES, None
    if flags & _CONTENT_SIZE:
        stated = int.from_bytes(data[here : here + 8], "little")
        here += 8
    here += 1 + (4 if flags & _DICTIONARY else 0)
    most = 0
    while here + 4 <= len(data):
        field = int.from_bytes(data[here : here + 4], "little")
        here += 4
        if field == 0:
            here += 4 if flags & _CONTENT_CHECKSUM else 0
            return FrameSpan(here, stated, most) if here <= len(data) else None
        stored = field & ~_STORED_BLOCK
        most += min(block_bytes, stored if field & _STORED_BLOCK else stored * _RATIO_AT_MOST)
        here += stored + (4 if flags & _BLOCK_CHECKSUM else 0)
    return None


def _block_bytes(descriptor: int) -> int:
    size = descriptor >> 4 & 7
    return 1 << 2 * size + 8 if size >= 4 else 4 << 20  # below 4 the decoder refuses


class _Encoder:
    def __init__(self, level: int, checksum: bool) -> None:
        from lz4 import frame

        self._context = frame.LZ4FrameCompressor(compression_level=level, content_checksum=checksum)
        self._begun = False

    def encode(self, data: bytes | memoryview) -> bytes:
        head: bytes = b"" if self._begun else self._context.begin()
        self._begun = True
        packed: bytes = self._context.compress(data)
        return head + packed

    def finish(self) -> bytes:
        head: bytes = b"" if self._begun else self._context.begin()
        tail: bytes = self._context.flush()
        return head + tail


class _Decoder:
    def __init__(self, window_bytes: int) -> None:
        from lz4 import frame

        self._context = frame.LZ4FrameDecompressor()
        self._window_bytes = window_bytes
        self._head = b""
        self._skip = -1  # bytes left of a skippable frame
        self._rest: bytes | memoryview = b""

    @property
    def eof(self) -> bool:
        return self._skip == 0 or bool(self._context.eof)

    @property
    def needs_input(self) -> bool:
        return self._skip > 0 or bool(self._context.needs_input)

    @property
    def unused_data(self) -> bytes | memoryview:
        return self._rest if self._skip == 0 else self._context.unused_data or b""

    def decode(self, data: bytes | memoryview) -> bytes:
        if self._skip > 0:
            return self._skip_over(data)
        if len(self._head) < 8:  # the header is held back until it is looked at
            missing = 8 - len(self._head)
            self._head += bytes(data[:missing])
            if len(self._head) < 8:
                self._check_magic()
                return b""
            data = data[missing:]
            if self._check_magic():
                self._skip = int.from_bytes(self._head[4:8], "little")
                return self._skip_over(data)
            self._check_head()
            data = self._head + data
        try:
            content: bytes = self._context.decompress(data, STEP_BYTES)
        except RuntimeError as error:  # what lz4 raises for bytes that are no frame
            raise CorruptDataError(f"not an lz4 frame: {error}") from error
        return content

    def _skip_over(self, data: bytes | memoryview) -> bytes:
        taken = min(self._skip, len(data))
        self._skip -= taken
        self._rest = data[taken:]
        return b""

    def _check_magic(self) -> bool:
        """Return whether the frame is a skippable one."""
        skippable = self._head[:1].hex()[:1] == "5" and _SKIPPABLE.startswith(self._head[1:4])
        if not skippable and not _MAGIC.startswith(self._head[:4]):
            raise CorruptDataError("not an lz4 frame: it begins otherwise")
        return skippable

    def _check_head(self) -> None:
        needed = _block_bytes(self._head[5])
        if needed > self._window_bytes:
            raise BudgetExceeded("window", limit_bytes=self._window_bytes, needed_bytes=needed)
        if self._head[4] & _DICTIONARY:
            raise UnsupportedError("the lz4 frame needs a dictionary")
