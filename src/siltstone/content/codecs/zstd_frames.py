"""The outside of zstd frames (RFC 8878, section 3.1.1): headers and block sizes, read without decompressing anything.

Libraries allocate what a header states and do not say where a frame ends; both are told here first.
"""

from __future__ import annotations

from typing import NamedTuple

from siltstone.content.codecs import FrameSpan
from siltstone.core.errors import CorruptDataError

MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE_TAIL = b"\x2a\x4d\x18"  # of the magic, after one byte 50 to 5f
BLOCK_AT_MOST = 128 << 10
BLOCK_HEADER_BYTES = 3
_DICTIONARY_BYTES = (0, 1, 2, 4)
_RAW, _RLE, _COMPRESSED, _RESERVED = range(4)


class FrameHeader(NamedTuple):
    """What a frame says before its first block; a skippable frame has no block and *skipped_bytes* of data."""

    size: int
    content_bytes: int | None = None
    window_bytes: int = 0
    dictionary_id: int = 0
    has_checksum: bool = False
    skipped_bytes: int = -1

    @property
    def is_skippable(self) -> bool:
        return self.skipped_bytes >= 0


class BlockHeader(NamedTuple):
    """One block: its bytes after the header, the most it can hold, and whether it is the last of its frame."""

    stored_bytes: int
    most_bytes: int
    is_last: bool


def find_header(data: bytes | bytearray | memoryview, start: int = 0) -> FrameHeader | None:
    """Return the header of the frame at *start*; None where *data* ends inside it. Raises CorruptDataError for no frame."""
    head = bytes(data[start : start + 18])
    if head[1:4] == SKIPPABLE_TAIL and head[0] >> 4 == 5:
        return FrameHeader(8, skipped_bytes=int.from_bytes(head[4:8], "little")) if len(head) >= 8 else None
    if not MAGIC.startswith(head[:4]) and not (head[0] >> 4 == 5 and SKIPPABLE_TAIL.startswith(head[1:4])):
        raise CorruptDataError("not a zstd frame", offset=start)
    if len(head) < 5:
        return None
    flags = head[4]
    if flags & 0x08:
        raise CorruptDataError("a reserved bit of the zstd frame is set", offset=start + 4)
    single = bool(flags & 0x20)
    id_bytes = _DICTIONARY_BYTES[flags & 3]
    content_field = 1 << (flags >> 6) if flags >> 6 or single else 0
    size = 5 + (not single) + id_bytes + content_field
    if len(head) < size:
        return None
    stated = int.from_bytes(head[size - content_field : size], "little") + (256 if content_field == 2 else 0)
    window = stated if single else (1 << 10 + (head[5] >> 3)) // 8 * (8 + (head[5] & 7))
    dictionary = int.from_bytes(head[size - content_field - id_bytes : size - content_field], "little")
    return FrameHeader(size, stated if content_field else None, window, dictionary, bool(flags & 4))


def block_at(data: bytes | bytearray | memoryview, start: int, window_bytes: int) -> BlockHeader:
    """Return the block whose three-byte header is at *start*. Raises CorruptDataError for what no block is."""
    word = data[start] | data[start + 1] << 8 | data[start + 2] << 16
    kind, size = word >> 1 & 3, word >> 3
    most = min(BLOCK_AT_MOST, max(window_bytes, 1 << 10))
    if kind == _RESERVED or size > most or (kind == _COMPRESSED and size == 0):  # the library takes the last one in streams
        raise CorruptDataError("a block of the zstd frame has no valid header", offset=start)
    return BlockHeader(1 if kind == _RLE else size, size if kind in (_RAW, _RLE) else most, bool(word & 1))


def find_frame(data: memoryview, start: int) -> FrameSpan | None:
    """Return the span of the frame at *start*; None where *data* ends inside it. Raises CorruptDataError for no frame."""
    header = find_header(data, start) if start < len(data) else None
    if header is None:
        return None
    here, total, most = start + header.size, len(data), 0
    if header.is_skippable:
        end = here + header.skipped_bytes
        return FrameSpan(end, 0, 0) if end <= total else None
    while here + BLOCK_HEADER_BYTES <= total:
        block = block_at(data, here, header.window_bytes)
        here += BLOCK_HEADER_BYTES + block.stored_bytes
        most += block.most_bytes
        if block.is_last:
            end = here + (4 if header.has_checksum else 0)
            return FrameSpan(end, header.content_bytes, most) if end <= total else None
    return None
