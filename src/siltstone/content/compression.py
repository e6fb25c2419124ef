"""Compressing and decompressing whole buffers, by any codec, within exact limits.

Streams are in `compression_streams`, many buffers in `batch_compression`, big inputs in `parallel_frames`.  Every codec may
come in several frames one after the other; their content is joined.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from siltstone.content.codec_table import AUTO, check_level, codec_named, find_codec
from siltstone.content.codecs import FrameSpan
from siltstone.content.codecs.zstd import PLAIN, ZstdCodec, simple_compressor
from siltstone.content.codecs.zstd_frames import find_frame
from siltstone.content.dictionaries import CompressionDictionary
from siltstone.content.frame_sequence import DEFAULT_LIMIT_BYTES, WINDOW_BYTES, FrameLimits, FrameSequence, reader_of
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, UnsupportedError

NONE = 0  # DO NOT CHANGE: stored
ZSTD = 1  # DO NOT CHANGE: stored
CODECS = {"none": NONE, "zstd": ZSTD}
DEFAULT_LEVEL = 3
_CONTENT_OF_A_BYTE = 32 << 10  # a block takes 4 bytes at least and holds 128 KiB at most
_LEVELS = range(1, 20)  # above 19 a decoder needs more memory than a chunk has bytes


class Compressor:
    """Compresses chunks of a store one by one; threads may share it, each gets a context of its own."""

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
            work = self._contexts.work = simple_compressor(self.level)
        packed = work(data)
        return (ZSTD, packed) if len(packed) < len(data) else (NONE, data)


def compress(data: bytes | memoryview, codec: str = "zstd", *, level: int | None = None, checksum: bool = True,
             dictionary: CompressionDictionary | None = None) -> bytes:
    """Return *data* as one frame of *codec*; zstd and lz4 frames state its size."""
    chosen = codec_named(codec, dictionary=dictionary)
    return chosen.compress(_byte_view(data), check_level(chosen, level), checksum=checksum)


def compress_into(data: bytes | memoryview, out: bytearray | memoryview, codec: str = "zstd", *, level: int | None = None,
                  checksum: bool = True, dictionary: CompressionDictionary | None = None) -> int:
    """Write *data* as one frame of *codec* to the beginning of *out* and return its size.

    Raises BudgetExceeded where *out* is too small; what it then holds is not defined, but nothing lies beyond its end.  For
    zstd no memory of 1 KiB or more is allocated after the first calls of a thread; the other libraries make a copy.
    """
    view, data = _writable(out), _byte_view(data)
    chosen = codec_named(codec, dictionary=dictionary)
    level = check_level(chosen, level)
    if isinstance(chosen, ZstdCodec):
        return chosen.compress_into(data, view, level, checksum=checksum)
    packed = chosen.compress(data, level, checksum=checksum)
    if len(packed) > len(view):
        raise BudgetExceeded("out", limit_bytes=len(view), needed_bytes=len(packed))
    view[: len(packed)] = packed
    return len(packed)


def decompress(data: bytes | memoryview, *, codec: str | int = AUTO, limit_bytes: int = DEFAULT_LIMIT_BYTES,
               limit_ratio: float | None = None, window_bytes: int = WINDOW_BYTES, size: int | None = None,
               dictionary: CompressionDictionary | None = None) -> bytes:
    """Return the content of all frames in *data*.

    With *codec* a number of a stored chunk and *size*, *data* is one frame of exactly *size* bytes, or those bytes themselves.
    Raises CorruptDataError for bytes that are no frame, are cut short, or follow the last frame; BudgetExceeded where there
    are more than *limit_bytes*, or a frame needs more than *window_bytes* of history.
    """
    if isinstance(codec, int):
        return _decompress_chunk(data, codec, size)
    data = _byte_view(data)
    most = limit_bytes if size is None else min(limit_bytes, size)
    limits = FrameLimits(limit_bytes=most, limit_ratio=limit_ratio, window_bytes=window_bytes)
    if codec in (AUTO, "zstd") and find_codec(data) == "zstd":
        content = _join(_iter_zstd(memoryview(data), limits, dictionary))
    else:
        content = _join(FrameSequence(reader_of(data), codec, limits, dictionary=dictionary).iter_content())
    if size is not None and len(content) != size:
        raise CorruptDataError(f"expected {size} bytes, found {len(content)}")
    return content


def decompress_into(data: bytes | memoryview, out: bytearray | memoryview, *, codec: str = AUTO,
                    window_bytes: int = WINDOW_BYTES, dictionary: CompressionDictionary | None = None) -> int:
    """Write the content of all frames in *data* to the beginning of *out* and return its size.

    Raises as `decompress` does, BudgetExceeded where *out* is too small; nothing is written beyond its end.  For zstd no
    memory of 1 KiB or more is allocated after the first calls of a thread.
    """
    view, data = _writable(out), _byte_view(data)
    if codec in (AUTO, "zstd") and find_codec(data) == "zstd":
        return _decompress_zstd_into(memoryview(data), view, window_bytes, dictionary)
    limits = FrameLimits(limit_bytes=len(view), window_bytes=window_bytes)
    written = 0
    for piece in FrameSequence(reader_of(data), codec, limits, dictionary=dictionary).iter_content():
        view[written : written + len(piece)] = piece
        written += len(piece)
    return written


def _decompress_chunk(data: bytes | memoryview, codec: int, size: int | None) -> bytes:
    if size is None:
        raise ConfigError("a stored chunk has one", field="size")
    if codec == NONE:
        if len(data) != size:
            raise CorruptDataError(f"expected {size} bytes, found {len(data)}")
        return bytes(data)
    if codec != ZSTD:
        raise UnsupportedError(f"codec {codec} of a chunk is not known")
    if size > len(data) * _CONTENT_OF_A_BYTE:  # memory is taken for what the header states
        raise CorruptDataError(f"the zstd frame of {len(data)} bytes cannot hold {size}")
    return PLAIN.decompress_frame(data, size, WINDOW_BYTES)


def _zstd_codec(dictionary: CompressionDictionary | None) -> ZstdCodec:
    return PLAIN if dictionary is None else ZstdCodec(dictionary.prepared)


def _iter_zstd(view: memoryview, limits: FrameLimits, dictionary: CompressionDictionary | None) -> Iterator[bytes]:
    """Yield the content of each frame at once where it states its size, which its blocks must be able to hold."""
    codec, start, made = _zstd_codec(dictionary), 0, 0
    while start < len(view):
        span = find_frame(view, start)
        if span is None:
            raise CorruptDataError("the compressed data is cut short", offset=start)
        if span.content_bytes is not None and span.content_bytes > span.most_bytes:
            raise CorruptDataError(f"the zstd frame states {span.content_bytes} bytes and cannot hold them", offset=start)
        if span.content_bytes:
            made += span.content_bytes
            limits.check(made, span.end)
            yield _read_frame(codec, view, start, span, limits.window_bytes)
        else:
            for piece in _iter_unsized(view, start, span.end, limits.window_bytes, dictionary):
                made += len(piece)
                limits.check(made, span.end)
                yield piece
        start = span.end


def _iter_unsized(view: memoryview, start: int, end: int, window_bytes: int,
                  dictionary: CompressionDictionary | None) -> Iterator[bytes]:
    limits = FrameLimits(limit_bytes=None, window_bytes=window_bytes)  # the caller counts over all frames
    try:
        yield from FrameSequence(reader_of(view[start:end]), "zstd", limits, dictionary=dictionary).iter_content()
    except CorruptDataError as error:
        raise error.within("", start) from error


def _read_frame(codec: ZstdCodec, view: memoryview, start: int, span: FrameSpan, window_bytes: int) -> bytes:
    assert span.content_bytes is not None
    try:
        return codec.decompress_frame(view[start : span.end], span.content_bytes, window_bytes)
    except CorruptDataError as error:
        raise CorruptDataError(error.problem, offset=start) from error


def _decompress_zstd_into(view: memoryview, out: memoryview, window_bytes: int,
                          dictionary: CompressionDictionary | None) -> int:
    codec, start, made = _zstd_codec(dictionary), 0, 0
    while start < len(view):
        span = find_frame(view, start)
        if span is None:
            raise CorruptDataError("the compressed data is cut short", offset=start)
        try:
            count = codec.decompress_into(view[start : span.end], out[made:], window_bytes)
        except CorruptDataError as error:
            raise CorruptDataError(error.problem, offset=start) from error
        if count < 0:
            needed = made + max(span.content_bytes or 0, len(out) - made + 1)
            raise BudgetExceeded("out", limit_bytes=len(out), needed_bytes=needed)
        if span.content_bytes not in (None, count):
            raise CorruptDataError(f"the zstd frame holds {count} bytes and states {span.content_bytes}", offset=start)
        made += count
        start = span.end
    return made


def _join(pieces: Iterator[bytes]) -> bytes:
    first = next(pieces, b"")
    second = next(pieces, None)
    return first if second is None else b"".join([first, second, *pieces])


def _byte_view(data: bytes | memoryview) -> bytes | memoryview:
    """Return *data* so that its length is its size in bytes, whatever its items are."""
    if isinstance(data, bytes):
        return data
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _writable(out: bytearray | memoryview) -> memoryview:
    view = memoryview(out)
    if view.readonly:
        raise ConfigError("the buffer is read-only", field="out")
    if view.format != "B" or view.ndim != 1 or not view.contiguous:
        raise ConfigError("expected a contiguous buffer of bytes", field="out")
    return view
