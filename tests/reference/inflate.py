"""Exact-size inflation with the standard library."""

from __future__ import annotations

import zlib

from siltstone.core.errors import CorruptDataError


def inflate_exact(data: bytes, size: int, offset: int = 0) -> tuple[bytes, int]:
    """Content of exactly *size* bytes, and the compressed bytes it took."""
    if offset < 0 or offset >= len(data):
        raise CorruptDataError("compressed data is missing", offset=offset)
    engine = zlib.decompressobj()
    try:
        content = engine.decompress(data[offset:], size + 1)
    except zlib.error:
        raise CorruptDataError("compressed data is damaged", offset=offset) from None
    if len(content) != size or not engine.eof:
        raise CorruptDataError("content has another size", offset=offset)
    return content, len(data) - offset - len(engine.unused_data)
