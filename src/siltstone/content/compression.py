"""Codecs of stored chunks: none and zstd, with the exact size of the result known beforehand and enforced.

The only module that imports a zstd library: ``compression.zstd`` of Python 3.14 and up, ``zstandard`` before.  Both work
without the GIL.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from siltstone.core.errors import ConfigError, CorruptDataError, UnsupportedError

NONE = 0  # DO NOT CHANGE: stored
ZSTD = 1  # DO NOT CHANGE: stored
CODECS = {"none": NONE, "zstd": ZSTD}
DEFAULT_LEVEL = 3
_LEVELS = range(1, 20)  # above 19 a decoder needs more memory than a chunk has bytes


class Compressor:
    """Compresses chunks one by one; threads may share it, each gets a context of its own."""

    __slots__ = ("_contexts", "codec", "level")

    def __init__(self, codec: str = "zstd", *, level: int = DEFAULT_LEVEL) -> None:
        if codec not in CODECS:
            raise ConfigError(f"expected one of {', '.join(CODECS)}, got {codec!r}", field="codec")
        if level not in _LEVELS:
            raise ConfigError(f"expected {_LEVELS.start} to {_LEVELS.stop - 1}, got {level!r}", field="level")
        self.codec, self.level = codec, level
        self._contexts = threading.local()

    def compress(self, data: bytes | memoryview) -> tuple[int, bytes | memoryview]:
        """Return the codec used and the result: never longer than *data*, which is returned itself where nothing is won."""
        if self.codec == "none":
            return NONE, data
        work = getattr(self._contexts, "work", None)
        if work is None:
            work = self._contexts.work = _zstd_compress(self.level)
        packed = work(data)
        return (ZSTD, packed) if len(packed) < len(data) else (NONE, data)


def decompress(data: bytes, *, codec: int, size: int) -> bytes:
    """Return the *size* bytes that *data* stands for; never makes more, whatever the data says.

    Raises CorruptDataError where *data* is not one whole frame of exactly *size* bytes, UnsupportedError for an unknown codec.
    """
    if codec == NONE:
        if len(data) != size:
            raise CorruptDataError(f"expected {size} bytes, found {len(data)}")
        return data
    if codec != ZSTD:
        raise UnsupportedError(f"codec {codec} of a chunk is not known")
    return _zstd_decompress(data, size)


if sys.version_info >= (3, 14):

    def _zstd_compress(level: int) -> Callable[[bytes | memoryview], bytes]:
        from compression import zstd

        context = zstd.ZstdCompressor(level=level)

        def compress(data: bytes | memoryview) -> bytes:
            context.set_pledged_input_size(memoryview(data).nbytes)
            packed: bytes = context.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
            return packed

        return compress

    def _zstd_decompress(data: bytes, size: int) -> bytes:
        from compression import zstd

        try:
            stated = zstd.get_frame_info(data).decompressed_size
            _check_stated_size(stated, size)
            context = zstd.ZstdDecompressor()
            content: bytes = context.decompress(data, max_length=size + 1)
        except zstd.ZstdError as error:
            raise CorruptDataError(f"not a zstd frame: {error}") from error
        if len(content) != size or not context.eof or context.unused_data:
            raise CorruptDataError(f"the zstd frame does not hold exactly {size} bytes")
        return content

else:

    def _zstd_compress(level: int) -> Callable[[bytes | memoryview], bytes]:
        import zstandard

        compress: Callable[[bytes | memoryview], bytes] = zstandard.ZstdCompressor(level=level).compress
        return compress

    def _zstd_decompress(data: bytes, size: int) -> bytes:
        import zstandard

        try:
            _check_stated_size(zstandard.get_frame_parameters(data).content_size, size)
            content: bytes = zstandard.ZstdDecompressor().decompress(data, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptDataError(f"not a zstd frame: {error}") from error
        if len(content) != size:
            raise CorruptDataError(f"the zstd frame does not hold exactly {size} bytes")
        return content


def _check_stated_size(stated: Any, size: int) -> None:
    # Decoders allocate what the frame states: it must be checked before.
    if stated != size:
        raise CorruptDataError(f"the zstd frame states {stated} bytes, expected {size}")
