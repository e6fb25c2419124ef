"""bzip2 by the standard library's ``bz2``. The format has no content size; its block, 900 kB at most, is the window."""

from __future__ import annotations

from siltstone.content.codecs import STEP_BYTES, FrameDecoder, FrameEncoder
from siltstone.core.errors import BudgetExceeded, CorruptDataError

NAME = "bzip2"
SUFFIX = ".bz2"
LEVELS = range(1, 10)
DEFAULT_LEVEL = 9
PADDING_BYTES = 0
_BLOCK_BYTES = 100_000  # times the digit of the header


def compress(data: bytes | memoryview, level: int, /, *, checksum: bool = True) -> bytes:  # noqa: ARG001 - as every codec
    """Return *data* as one stream; the format always has checksums."""
    import bz2

    return bz2.compress(data, level)


def new_encoder(level: int, /, *, checksum: bool = True) -> FrameEncoder:  # noqa: ARG001 - as every codec
    """Return an encoder of one stream."""
    return _Encoder(level)


def new_decoder(window_bytes: int, /) -> FrameDecoder:
    """Return a decoder of one stream whose block is at most *window_bytes*."""
    return _Decoder(window_bytes)


class _Encoder:
    def __init__(self, level: int) -> None:
        import bz2

        self._context = bz2.BZ2Compressor(level)

    def encode(self, data: bytes | memoryview) -> bytes:
        return self._context.compress(data)

    def finish(self) -> bytes:
        return self._context.flush()


class _Decoder:
    def __init__(self, window_bytes: int) -> None:
        import bz2

        self._context = bz2.BZ2Decompressor()
        self._window_bytes = window_bytes
        self._head = b""  # until the header is whole

    @property
    def eof(self) -> bool:
        return self._context.eof

    @property
    def needs_input(self) -> bool:
        return self._context.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._context.unused_data

    def decode(self, data: bytes | memoryview) -> bytes:
        if len(self._head) < 4:
            missing = 4 - len(self._head)
            self._head += bytes(data[:missing])
            self._check_head()
        try:
            return self._context.decompress(data, STEP_BYTES)
        except (OSError, ValueError) as error:  # what bz2 raises for bytes that are no stream
            raise CorruptDataError(f"not a bzip2 stream: {error}") from error

    def _check_head(self) -> None:
        if not b"BZh".startswith(self._head[:3]):
            raise CorruptDataError("not a bzip2 stream: it begins otherwise")
        if len(self._head) == 4:
            needed = (self._head[3] - ord("0")) * _BLOCK_BYTES
            if needed > self._window_bytes and self._head[3:].isdigit():
                raise BudgetExceeded("window", limit_bytes=self._window_bytes, needed_bytes=needed)
