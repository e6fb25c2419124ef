"""xz by the standard library's ``lzma``; its memory limit stands for the window."""

from __future__ import annotations

from siltstone.content.codecs import STEP_BYTES, FrameDecoder, FrameEncoder
from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError

NAME = "xz"
SUFFIX = ".xz"
LEVELS = range(10)
DEFAULT_LEVEL = 6
PADDING_BYTES = 4  # "stream padding", section 2.2 of the .xz file format 1.2.1
_DECODER_EXTRA_BYTES = 1 << 20  # liblzma counts its own tables too; `xz -vv` shows 65 MiB for a dictionary of 64


def compress(data: bytes | memoryview, level: int, /, *, checksum: bool = True) -> bytes:
    """Return *data* as one stream, with CRC-64 or without a check."""
    import lzma

    return lzma.compress(data, lzma.FORMAT_XZ, check=_check_kind(checksum), preset=level)


def new_encoder(level: int, /, *, checksum: bool = True) -> FrameEncoder:
    """Return an encoder of one stream."""
    return _Encoder(level, checksum)


def new_decoder(window_bytes: int, /) -> FrameDecoder:
    """Return a decoder of one stream that takes at most *window_bytes* of dictionary."""
    return _Decoder(window_bytes)


def _check_kind(checksum: bool) -> int:
    import lzma

    return lzma.CHECK_CRC64 if checksum else lzma.CHECK_NONE


class _Encoder:
    def __init__(self, level: int, checksum: bool) -> None:
        import lzma

        self._context = lzma.LZMACompressor(lzma.FORMAT_XZ, check=_check_kind(checksum), preset=level)

    def encode(self, data: bytes | memoryview) -> bytes:
        return self._context.compress(data)

    def finish(self) -> bytes:
        return self._context.flush()


class _Decoder:
    def __init__(self, window_bytes: int) -> None:
        import lzma

        self._errors = lzma.LZMAError
        self._context = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=window_bytes + _DECODER_EXTRA_BYTES)
        self._window_bytes = window_bytes

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
        try:
            return self._context.decompress(data, STEP_BYTES)
        except self._errors as error:
            problem = str(error)
            if "limit" in problem:  # how much was needed is not told; more than was allowed
                needed = self._window_bytes + 1
                raise BudgetExceeded("window", limit_bytes=self._window_bytes, needed_bytes=needed) from error
            if "nsupported" in problem:
                raise UnsupportedError(f"xz stream: {problem}") from error
            raise CorruptDataError(f"not an xz stream: {problem}") from error
