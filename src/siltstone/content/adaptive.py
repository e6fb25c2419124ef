"""Whether compressing pays, told from a glance: first bytes that only packed formats have, then the entropy of a sample.

A wrong guess costs space or time, never content.  Measured on 20,000 files of a system: docs/guide/compression.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siltstone.content.codec_table import check_level, codec_named
from siltstone.core.errors import ConfigError

# (offset, bytes, what it is): formats whose content is compressed by nature
PACKED_MAGIC = (
    (0, b"\x28\xb5\x2f\xfd", "zstd"), (0, b"\x1f\x8b\x08", "gzip"), (0, b"PK\x03\x04", "zip"), (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"), (0, b"\xfd7zXZ\0", "xz"), (0, b"BZh", "bzip2"), (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"GIF8", "gif"), (8, b"WEBP", "webp"), (4, b"ftyp", "mp4"), (0, b"wOF2", "woff2"), (0, b"wOFF", "woff"),
    (0, b"OggS", "ogg"), (0, b"fLaC", "flac"), (0, b"ID3", "mp3"), (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"), (0, b"Rar!\x1a\x07", "rar"), (0, b"LZIP", "lzip"), (0, b"\x5d\0\0\x80\0", "lzma"),
    (0, b"MSCF", "cabinet"), (0, b"PACK", "git pack"),
)
_SAMPLES, _SAMPLE_BYTES = 4, 1024  # spread over the data; 4 KiB cost about 15 us, compressing 64 KiB of text 200
_ENTROPY_AT_LEAST = 7.80  # bits a byte of the whole sample; 4 KiB of noise show 7.95 to 7.97
_JUDGED_BYTES = 16 << 10  # less than this is compressed to see: zstd gives up on noise quickly
DEFAULT_RATIO = 0.97  # what does not get smaller than this is kept as it is: reading it back then costs nothing


@dataclass(frozen=True, slots=True)
class AdaptiveResult:
    """What was done with the data: *codec* is ``none`` where it was kept, and *reason* says why."""

    codec: str
    payload: bytes | memoryview
    reason: str


def find_packed_format(data: bytes | memoryview) -> str | None:
    """Return the name of the compressed format *data* begins like, None where it begins like none."""
    head = bytes(data[:16])
    return next((name for offset, magic, name in PACKED_MAGIC if head.startswith(magic, offset)), None)


def sample_entropy(data: bytes | memoryview) -> float:
    """Return the entropy of the bytes in a sample of *data*, in bits a byte: 0 to 8."""
    view = memoryview(data).cast("B")
    if len(view) <= _SAMPLES * _SAMPLE_BYTES:
        sample = bytes(view)
    else:
        last = len(view) - _SAMPLE_BYTES
        starts = (last * at // (_SAMPLES - 1) for at in range(_SAMPLES))
        sample = b"".join(bytes(view[start : start + _SAMPLE_BYTES]) for start in starts)
    if not sample:
        return 0.0
    counts = np.bincount(np.frombuffer(sample, dtype=np.uint8))
    shares = counts[counts > 0] / len(sample)
    return max(0.0, -float(np.dot(shares, np.log2(shares))))


def compress_adaptive(data: bytes | memoryview, codec: str = "zstd", *, level: int | None = None,
                      ratio: float = DEFAULT_RATIO) -> AdaptiveResult:
    """Return *data* compressed, or as it is where that does not pay: packed by its format, like noise, or not smaller.

    The payload is kept as it is unless it shrinks to *ratio* of its size or less.
    """
    if not 0 < ratio <= 1:
        raise ConfigError(f"expected a ratio above 0 and up to 1, got {ratio}", field="ratio")
    chosen = codec_named(codec)
    level = check_level(chosen, level)
    if codec == "none":
        return AdaptiveResult("none", data, "not asked for")
    if (found := find_packed_format(data)) is not None:
        return AdaptiveResult("none", data, f"{found} is compressed already")
    view = memoryview(data).cast("B")
    size = len(view)
    if size >= _JUDGED_BYTES and (entropy := sample_entropy(view)) >= _ENTROPY_AT_LEAST:
        return AdaptiveResult("none", data, f"like noise: {entropy:.2f} bits a byte")
    packed = chosen.compress(view, level)
    if len(packed) > ratio * size:
        return AdaptiveResult("none", data, f"{len(packed)} of {size} bytes: too little is won")
    return AdaptiveResult(codec, packed, f"{len(packed)} of {size} bytes")
