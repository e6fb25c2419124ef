"""Zstandard dictionaries: what many small inputs have in common, trained once, named in every frame that needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError, CorruptDataError
from siltstone.core.files import write_atomically

if TYPE_CHECKING:
    from siltstone.content.codecs.zstd import ZstdDictionary

DICTIONARY_BYTES = 110 * KIB  # the size `zstd --train` makes; larger ones won nothing on 32 KiB inputs
DICTIONARY_BYTES_AT_MOST = 2 * MIB
SAMPLE_BYTES_AT_MOST = 256 * MIB  # read for one training, which needs some ten times as much memory
_MAGIC = b"\x37\xa4\x30\xec"  # RFC 8878, section 6


@dataclass(frozen=True, eq=False)
class CompressionDictionary:
    """A dictionary in zstd's own format, as ``zstd -D`` reads it; *level* is the default for what is compressed with it."""

    data: bytes = field(repr=False)
    level: int = 3

    def __post_init__(self) -> None:
        if self.data[:4] != _MAGIC or len(self.data) < 8:
            raise CorruptDataError("not a zstd dictionary: it begins otherwise", offset=0)
        if len(self.data) > DICTIONARY_BYTES_AT_MOST:
            raise ConfigError(f"expected at most {DICTIONARY_BYTES_AT_MOST} bytes, got {len(self.data)}", field="dictionary")

    @property
    def identity(self) -> int:
        """The id that frames name, 1 to 2³²-1."""
        return int.from_bytes(self.data[4:8], "little")

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the dictionary: ids are chosen by chance and may collide, this may not."""
        return hashlib.sha256(self.data).digest()

    @cached_property
    def prepared(self) -> ZstdDictionary:
        """The dictionary as the library holds it. Raises CorruptDataError where it is damaged."""
        from siltstone.content.codecs.zstd import ZstdDictionary

        return ZstdDictionary(self.data, self.level)


def train_dictionary(samples: Iterable[bytes], *, size: int = DICTIONARY_BYTES, level: int = 3) -> CompressionDictionary:
    """Return a dictionary of at most *size* bytes made of *samples*: a hundred or more, each like what will be compressed.

    Raises ConfigError for sizes out of range and for more than 256 MiB of samples, CorruptDataError where nothing comes
    of them.
    """
    from siltstone.content.codecs import zstd

    if not KIB <= size <= DICTIONARY_BYTES_AT_MOST:
        raise ConfigError(f"expected {KIB} to {DICTIONARY_BYTES_AT_MOST} bytes, got {size}", field="size")
    kept: list[bytes] = []
    total = 0
    for sample in samples:
        total += len(sample)
        if total > SAMPLE_BYTES_AT_MOST:
            raise ConfigError(f"expected at most {SAMPLE_BYTES_AT_MOST} bytes of samples", field="samples")
        kept.append(sample)
    return CompressionDictionary(zstd.train_dictionary(kept, size, level), level)


def load_dictionary(path: Path, *, level: int = 3, digest: bytes | None = None) -> CompressionDictionary:
    """Return the dictionary in the file *path*. Raises CorruptDataError where it is none, or does not match *digest*."""
    with open(path, "rb") as file:
        data = file.read(DICTIONARY_BYTES_AT_MOST + 1)
    try:
        dictionary = CompressionDictionary(data, level)
    except CorruptDataError as error:
        raise error.within(str(path)) from error
    if digest is not None and dictionary.digest != digest:
        raise CorruptDataError(f"dictionary {dictionary.identity} does not match its digest", source=str(path))
    return dictionary


def save_dictionary(dictionary: CompressionDictionary, path: Path) -> None:
    """Write *dictionary* to *path*, whole or not at all."""
    write_atomically(path, dictionary.data)
