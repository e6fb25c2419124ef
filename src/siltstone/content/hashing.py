"""Hash functions by name: BLAKE3 for chunks and files of a store, SHA-256 where a format asks for it.

The only module that imports the package ``blake3``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLAKE3 = "blake3"  # DO NOT CHANGE: stored
SHA256 = "sha256"  # DO NOT CHANGE: stored
ALGORITHMS = (BLAKE3, SHA256)
DIGEST_SIZE = 32  # of both


class Hasher(Protocol):
    """What both libraries give: bytes go in piece by piece, the digest comes out."""

    def update(self, data: ReadableBuffer, /) -> object:
        """Add *data*; without the GIL where it is long."""

    def digest(self) -> bytes:
        """Return the digest of what was added so far."""

    def hexdigest(self) -> str:
        """Return the same in hexadecimal."""


def new_hasher(algorithm: str = BLAKE3) -> Hasher:
    """Return a hasher that has seen nothing. Raises ConfigError for a name outside `ALGORITHMS`."""
    if algorithm == BLAKE3:
        from blake3 import blake3

        hasher: Hasher = blake3()
        return hasher
    if algorithm == SHA256:
        return hashlib.sha256()
    raise ConfigError(f"expected one of {', '.join(ALGORITHMS)}, got {algorithm!r}", field="algorithm")


def digest_of(data: ReadableBuffer, *, algorithm: str = BLAKE3) -> bytes:
    """Return the 32-byte digest of *data*."""
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return hasher.digest()
