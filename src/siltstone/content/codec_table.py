"""The codecs by name, by the suffix of a file and by the first bytes of a frame."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from siltstone.content.codecs import Codec
from siltstone.core.errors import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from siltstone.content.dictionaries import CompressionDictionary

AUTO = "auto"
CODEC_NAMES = ("zstd", "lz4", "xz", "bzip2", "none")
SUFFIXES = {".zst": "zstd", ".lz4": "lz4", ".xz": "xz", ".bz2": "bzip2"}
MAGIC_BYTES = 6  # of the longest magic


def codec_named(name: str, *, dictionary: CompressionDictionary | None = None) -> Codec:
    """Return the codec *name*, bound to *dictionary*, which only zstd takes. Raises ConfigError for what does not exist."""
    if name not in CODEC_NAMES:
        raise ConfigError(f"expected one of {', '.join(CODEC_NAMES)}, got {name!r}", field="codec")
    if dictionary is not None and name != "zstd":
        raise ConfigError(f"only zstd has dictionaries, the codec is {name}", field="dictionary")
    if name == "zstd":
        from siltstone.content.codecs.zstd import PLAIN, ZstdCodec

        return PLAIN if dictionary is None else ZstdCodec(dictionary.prepared)
    codec: Codec = import_module(f"siltstone.content.codecs.{name}")
    return codec


def check_level(codec: Codec, level: int | None) -> int:
    """Return *level*, or the codec's own where it is None. Raises ConfigError where the codec has no such level."""
    if level is None:
        return codec.DEFAULT_LEVEL
    if level not in codec.LEVELS:
        allowed = f"{codec.LEVELS.start} to {codec.LEVELS.stop - 1}"
        raise ConfigError(f"expected {allowed} for {codec.NAME}, got {level!r}", field="level")
    return level


def find_codec(head: bytes | bytearray | memoryview) -> str | None:
    """Return the codec whose magic *head* begins with, None where it is none of ours; the most frequent is looked for first."""
    start = bytes(head[:MAGIC_BYTES])
    if start[:4] == b"\x28\xb5\x2f\xfd" or (start[1:4] == b"\x2a\x4d\x18" and start[0] >> 4 == 5):
        return "zstd"
    if start[:4] == b"\x04\x22\x4d\x18":
        return "lz4"
    if start == b"\xfd7zXZ\0":
        return "xz"
    if start[:3] == b"BZh" and start[3:4].isdigit() and start[3:4] != b"0":
        return "bzip2"
    return None


def detect_codec(head: bytes | memoryview) -> str:
    """Return the codec whose magic *head* begins with. Raises UnsupportedError where it is none of ours."""
    found = find_codec(head)
    if found is None:
        raise UnsupportedError(f"no compressed frame that is known begins with {bytes(head[:MAGIC_BYTES]).hex() or 'nothing'}")
    return found
