"""Zstandard by the ``zstandard`` package, on every Python: it alone writes into a caller's buffer.

Measured against ``backports.zstd`` (the library of Python 3.14): as quick at level 3, quicker at reading, and no allocation
a call where the other has one to three.  The outside of frames is read by `zstd_frames` first, because the package allocates
what a header states and reads only the first of several frames.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from siltstone.content.codecs import FrameEncoder
from siltstone.content.codecs import zstd_frames as frames
from siltstone.content.context_pools import ContextPool
from siltstone.core.errors import BudgetExceeded, CorruptDataError, NotFoundError

NAME = "zstd"
_PROBE = threading.local()
_TYPICAL_BYTES = 512 << 10  # a group of chunks of a store
_SHORT_TABLE_LOG = 14  # 64 KiB, for matches of five bytes
_LONG_TABLE_LOG = 15  # 128 KiB, for matches of eight


class ZstdDictionary:
    """A dictionary as the library holds it: prepared for *level*, and as it is for all others.

    What is prepared has its own level and no other. *identity* is what frames say they need.
    """

    def __init__(self, data: bytes, level: int) -> None:
        import zstandard

        try:
            self.library = zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_FULLDICT)
            self.library.precompute_compress(level=level)
            self._bare = zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_FULLDICT)
        except zstandard.ZstdError as error:
            raise CorruptDataError(f"not a zstd dictionary: {error}") from error
        self.identity: int = self.library.dict_id()
        self.level = level

    def library_for(self, level: int) -> Any:
        """Return what compresses at *level*; a context that takes the bare one prepares it once, for itself."""
        return self.library if level == self.level else self._bare


def train_dictionary(samples: Sequence[bytes], size: int, level: int) -> bytes:
    """Return a dictionary of at most *size* bytes. Raises CorruptDataError where the samples are too few or too small."""
    import zstandard

    try:
        trained: bytes = zstandard.train_dictionary(size, list(samples), level=level).as_bytes()
    except zstandard.ZstdError as error:
        raise CorruptDataError(f"no dictionary comes of these samples: {error}") from error
    return trained


_WriteKey = tuple[int, bool, ZstdDictionary | None]  # level, checksum
_ReadKey = tuple[int, ZstdDictionary | None]  # window


class ZstdCodec:
    """Zstandard frames, with a dictionary or without."""

    NAME = NAME
    SUFFIX = ".zst"
    LEVELS = range(1, 23)
    DEFAULT_LEVEL = 3
    PADDING_BYTES = 0

    def __init__(self, dictionary: ZstdDictionary | None = None) -> None:
        self._dictionary = dictionary
        if dictionary is not None:
            self.DEFAULT_LEVEL = dictionary.level

    def compress(self, data: bytes | memoryview, level: int, /, *, checksum: bool = True) -> bytes:
        """Return *data* as one frame that states its size."""
        key = (level, checksum, self._dictionary)
        context = _COMPRESSORS.take(key)
        packed: bytes = context.compress(data)
        _COMPRESSORS.give(key, context)
        return packed

    def compress_into(self, data: bytes | memoryview, out: memoryview, level: int, /, *, checksum: bool = True) -> int:
        """Write *data* as one frame to the beginning of *out* and return its size. Raises BudgetExceeded where it is larger."""
        if not data or not out:  # the library's reader never ends on either
            return _copy(self.compress(data, level, checksum=checksum), out)
        key = (level, checksum, self._dictionary)
        context = _COMPRESSORS.take(key)
        with context.stream_reader(data, size=len(data)) as reader:
            written = _fill(reader, out)
        if written < 0:
            raise BudgetExceeded("out", limit_bytes=len(out), needed_bytes=len(data) + (len(data) >> 8) + 64)
        _COMPRESSORS.give(key, context)
        return written

    def decompress_into(self, frame: memoryview, out: memoryview, window_bytes: int, /) -> int:
        """Write the content of one whole frame to the beginning of *out* and return its size; -1 where it is larger."""
        import zstandard

        header = frames.find_header(frame)
        assert header is not None, "the caller has found a whole frame"
        if header.is_skippable:
            return 0
        self._check(header, window_bytes)
        key = (window_bytes, self._dictionary)
        context = _DECOMPRESSORS.take(key)
        try:
            with context.stream_reader(frame) as reader:
                written = _fill(reader, out)
        except zstandard.ZstdError as error:
            raise CorruptDataError(f"not a zstd frame: {error}") from error
        _DECOMPRESSORS.give(key, context)
        return written

    def decompress_frame(self, frame: bytes | memoryview, size: int, window_bytes: int, /) -> bytes:
        """Return the content of one whole frame whose header states *size*, which the caller has found to be possible."""
        import zstandard

        header = frames.find_header(frame)
        if header is None or header.is_skippable or header.content_bytes != size:
            raise CorruptDataError(f"the zstd frame does not state {size} bytes")
        self._check(header, window_bytes)
        key = (window_bytes, self._dictionary)
        context = _DECOMPRESSORS.take(key)
        try:
            content: bytes = context.decompress(frame, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptDataError(f"not a zstd frame: {error}") from error
        if len(content) != size:
            raise CorruptDataError(f"the zstd frame does not hold exactly {size} bytes")
        _DECOMPRESSORS.give(key, context)
        return content

    def new_encoder(self, level: int, /, *, checksum: bool = True) -> FrameEncoder:
        """Return an encoder of one frame."""
        return _Encoder((level, checksum, self._dictionary))

    def new_decoder(self, window_bytes: int, /) -> ZstdDecoder:
        """Return a decoder of one frame, or one skippable frame."""
        return ZstdDecoder(self, window_bytes)

    def open_frame(self, header: frames.FrameHeader, window_bytes: int) -> tuple[_ReadKey, Any]:
        """Return a context for a frame with this header, after checking that it may be read, and the key to give it back."""
        self._check(header, window_bytes)
        key = (window_bytes, self._dictionary)
        return key, _DECOMPRESSORS.take(key)

    def _check(self, header: frames.FrameHeader, window_bytes: int) -> None:
        if header.window_bytes > window_bytes:
            raise BudgetExceeded("window", limit_bytes=window_bytes, needed_bytes=header.window_bytes)
        given = self._dictionary.identity if self._dictionary else 0
        if header.dictionary_id not in (0, given):
            what = f"dictionary {given} was given" if given else "no dictionary was given"
            raise NotFoundError(f"the zstd frame needs it, {what}", name=f"dictionary {header.dictionary_id}")


def simple_compressor(level: int) -> Callable[[bytes | memoryview], bytes]:
    """Return the library's own function, without checksum: one context, so of one thread only.

    The double-fast levels (3, 4) get smaller tables than the library's own, which do not stay in the nearest caches: 12 to
    14 % faster for 0.6 to 1.0 % more bytes (three slices of 200 MB of /usr in pieces of 512 KiB, zstd 1.5.7, Zen 4).
    """
    import zstandard

    settings = zstandard.ZstdCompressionParameters.from_level(level, source_size=_TYPICAL_BYTES)
    if settings.strategy == zstandard.STRATEGY_DFAST:
        settings = zstandard.ZstdCompressionParameters.from_level(
            level, source_size=_TYPICAL_BYTES, chain_log=_SHORT_TABLE_LOG, hash_log=_LONG_TABLE_LOG)
    compress: Callable[[bytes | memoryview], bytes] = zstandard.ZstdCompressor(compression_params=settings).compress
    return compress


def _fill(reader: Any, out: memoryview) -> int:
    """Read all that *reader* has into *out*; return the count, or -1 where more remains."""
    written = 0
    while written < len(out):
        count = reader.readinto(out[written:] if written else out)
        if count == 0:
            return written
        written += count
    probe = getattr(_PROBE, "byte", None)
    if probe is None:
        probe = _PROBE.byte = bytearray(1)
    return written if reader.readinto(probe) == 0 else -1


def _copy(packed: bytes, out: memoryview) -> int:
    if len(packed) > len(out):
        raise BudgetExceeded("out", limit_bytes=len(out), needed_bytes=len(packed))
    out[: len(packed)] = packed
    return len(packed)


def _make_compressor(key: _WriteKey) -> Any:
    import zstandard

    level, checksum, dictionary = key
    return zstandard.ZstdCompressor(
        level=level, write_checksum=checksum, dict_data=dictionary.library_for(level) if dictionary is not None else None)


def _make_decompressor(key: _ReadKey) -> Any:
    import zstandard

    window_bytes, dictionary = key
    return zstandard.ZstdDecompressor(
        max_window_size=max(window_bytes, 1 << 10), dict_data=dictionary.library if dictionary is not None else None)


def _memory_of(context: Any) -> int:
    size: int = context.memory_size()
    return size


_COMPRESSORS: ContextPool[_WriteKey, Any] = ContextPool(_make_compressor, _memory_of)
_DECOMPRESSORS: ContextPool[_ReadKey, Any] = ContextPool(_make_decompressor, _memory_of)


class _Encoder:
    """Has a context of its own until the frame is finished."""

    def __init__(self, key: _WriteKey) -> None:
        self._key = key
        self._context = _COMPRESSORS.take(key)
        self._frame = self._context.compressobj()

    def encode(self, data: bytes | memoryview) -> bytes:
        packed: bytes = self._frame.compress(data)
        return packed

    def finish(self) -> bytes:
        packed: bytes = self._frame.flush()
        _COMPRESSORS.give(self._key, self._context)
        return packed


class ZstdDecoder:
    """Reads one frame block by block, so that no call makes more than one block of content, whatever is fed."""

    def __init__(self, codec: ZstdCodec, window_bytes: int) -> None:
        self._codec, self._window_bytes = codec, window_bytes
        self._waiting = bytearray()
        self._here = 0  # the next byte of _waiting
        self._header: frames.FrameHeader | None = None
        self._key: _ReadKey = (0, None)
        self._context: Any = None
        self._frame: Any = None
        self._skip = 0
        self._made = 0
        self._in_blocks = True
        self.eof = False
        self.needs_input = True

    @property
    def unused_data(self) -> bytes:
        return bytes(self._waiting[self._here :])

    def decode(self, data: bytes | memoryview) -> bytes:
        """Take *data* and return the content of the next block that is whole."""
        if data:
            del self._waiting[: self._here]
            self._here = 0
            self._waiting += data
        self.needs_input = False
        if self._header is None and not self._open():
            return self._ask()
        if self._header is not None and self._header.is_skippable:
            return self._skip_data()
        content = b""
        while not content and not self.eof:
            piece = self._next_piece()
            if piece == 0:
                return self._ask()
            content = self._feed(piece)
        return content

    def _ask(self) -> bytes:
        self.needs_input = True
        return b""

    def _open(self) -> bool:
        header = frames.find_header(self._waiting)
        if header is None:
            return False
        self._header = header
        if header.is_skippable:
            self._skip, self._here = header.skipped_bytes, header.size
            return True
        self._key, self._context = self._codec.open_frame(header, self._window_bytes)
        self._frame = self._context.decompressobj(write_size=frames.BLOCK_AT_MOST + 64)
        self._feed(header.size)
        return True

    def _skip_data(self) -> bytes:
        taken = min(self._skip, len(self._waiting) - self._here)
        self._skip -= taken
        self._here += taken
        self.eof = self._skip == 0
        self.needs_input = not self.eof
        return b""

    def _next_piece(self) -> int:
        """Return the size of the next block or checksum; 0 where it is not there yet."""
        there = len(self._waiting) - self._here
        if not self._in_blocks:
            return 4 if there >= 4 else 0
        if there < frames.BLOCK_HEADER_BYTES:
            return 0
        assert self._header is not None
        block = frames.block_at(self._waiting, self._here, self._header.window_bytes)
        size = frames.BLOCK_HEADER_BYTES + block.stored_bytes
        if there < size:
            return 0
        self._in_blocks = not block.is_last
        return size

    def _feed(self, size: int) -> bytes:
        import zstandard

        with memoryview(self._waiting) as view, view[self._here : self._here + size] as piece:
            try:
                content: bytes = self._frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise CorruptDataError(f"not a zstd frame: {error}") from error
        self._here += size
        self._made += len(content)
        self.eof = bool(self._frame.eof)
        if self.eof:
            _DECOMPRESSORS.give(self._key, self._context)
            self._check_size()
        return content

    def _check_size(self) -> None:
        """The library lets a frame pass that states a size and ends with an empty block before it is reached."""
        stated = self._header.content_bytes if self._header is not None else None
        if stated not in (None, self._made):
            raise CorruptDataError(f"the zstd frame holds {self._made} bytes and states {stated}")


PLAIN = ZstdCodec()
