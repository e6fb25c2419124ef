"""Fuzz every decoder of compressed frames. Run: python fuzz/fuzz_frames.py [--seed N] [--iterations N]

Whatever the bytes are, each way of reading gives the same content or a documented error, and never more than the limit.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.mutation import run

from siltstone.content.codec_table import codec_named
from siltstone.content.compression import compress, decompress, decompress_into
from siltstone.content.frame_sequence import FrameLimits, FrameSequence, reader_of
from siltstone.content.parallel_frames import iter_decompressed
from siltstone.core.errors import SiltstoneError

LIMIT_BYTES = 1 << 18
_CONTENT = b"layers of silt " * 40 + random.Random(1).randbytes(200) + bytes(3000)


def _unsized(codec: str) -> bytes:
    encoder = codec_named(codec).new_encoder(1)
    return encoder.encode(_CONTENT) + encoder.finish()


_FRAMED = ("zstd", "lz4", "xz", "bzip2")
SEEDS = [
    *(compress(_CONTENT, codec) for codec in _FRAMED), *(_unsized(codec) for codec in _FRAMED),
    *(compress(_CONTENT[:50], codec) * 3 for codec in _FRAMED), compress(b"", "zstd") + compress(b"", "zstd"),
    b"\x51\x2a\x4d\x18\x02\0\0\0ab" + compress(bytes(90_000)), compress(bytes(200_000), "lz4"),
]  # fmt: skip


def _outcome(data: bytes, way: int) -> bytes | None:
    try:
        if way == 0:
            return decompress(data, limit_bytes=LIMIT_BYTES)
        if way == 1:
            out = bytearray(LIMIT_BYTES)
            return bytes(out[: decompress_into(data, out)])
        limits = FrameLimits(limit_bytes=LIMIT_BYTES)
        if way == 2:
            return b"".join(FrameSequence(reader_of(data), "auto", limits).iter_content())
        return b"".join(iter_decompressed(reader_of(data), limits=limits, threads=2))
    except SiltstoneError:
        return None


def check(data: bytes) -> None:
    """Read *data* in every way; all must agree, and a refusal is raised again so that it is counted."""
    found = [_outcome(data, way) for way in range(3 if len(data) % 8 else 4)]
    assert all(content == found[0] for content in found), [content is None or len(content) for content in found]
    decompress(data, limit_bytes=LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
