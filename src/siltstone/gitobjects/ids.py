"""Object ids, object kinds and the two hash algorithms of git."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from siltstone.core.errors import ConfigError

ObjectId = NewType("ObjectId", bytes)  # the raw digest: 20 bytes (SHA-1) or 32 (SHA-256)


class Kind(IntEnum):
    """Object types, numbered as in a pack entry (gitformat-pack). DO NOT CHANGE: stored."""

    COMMIT = 1
    TREE = 2
    BLOB = 3
    TAG = 4

    @property
    def label(self) -> bytes:
        """The name git writes into an object header."""
        return self.name.lower().encode()


@dataclass(frozen=True, slots=True)
class HashAlgorithm:
    """How a repository names its objects; *size* is the length of an id in bytes."""

    name: str
    size: int

    def object_id(self, kind: Kind, content: bytes) -> ObjectId:
        """Return the id git gives to *content*: the hash of ``<kind> <size>\\0`` and the content."""
        header = b"%s %d\0" % (kind.label, len(content))
        return ObjectId(hashlib.new(self.name, header + content, usedforsecurity=False).digest())


SHA1 = HashAlgorithm("sha1", 20)
SHA256 = HashAlgorithm("sha256", 32)
ALGORITHMS = {algorithm.name: algorithm for algorithm in (SHA1, SHA256)}


def parse_object_id(text: str) -> ObjectId:
    """Return the id written as 40 or 64 hexadecimal digits. Raises ConfigError for anything else."""
    try:
        digest = bytes.fromhex(text) if len(text) in (40, 64) else b""
    except ValueError:
        digest = b""
    if not digest:
        raise ConfigError(f"expected 40 or 64 hexadecimal digits, got {text[:80]!r}", field="object id")
    return ObjectId(digest)
