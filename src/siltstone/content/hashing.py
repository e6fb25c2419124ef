"""Hash functions by name: BLAKE3 for chunks and files of a store, SHA-256 where a format asks for it.

The only module that imports the package ``blake3``.  Its threads are always counted, never its "AUTO": that one keeps a pool
for the whole process, and a process forked from it waits for ever for threads that it does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from siltstone.core.errors import ConfigError
from siltstone.core.ordered_map import check_threads

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


def check_algorithm(algorithm: str) -> str:
    """Return *algorithm*. Raises ConfigError for a name outside `ALGORITHMS`."""
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"expected one of {', '.join(ALGORITHMS)}, got {algorithm!r}", field="algorithm")
    return algorithm


def new_hasher(algorithm: str = BLAKE3, *, threads: int = 1) -> Hasher:
    """Return a hasher that has seen nothing. Raises ConfigError for a name outside `ALGORITHMS`.

    With *threads* BLAKE3 splits each update among so many; starting them costs about 0.1 ms, so updates should be of
    megabytes.  SHA-256 has no parallel form and takes one.
    """
    if algorithm == BLAKE3:
        from blake3 import blake3

        hasher: Hasher = blake3(max_threads=check_threads(threads)) if threads != 1 else blake3()
        return hasher
    check_algorithm(algorithm)
    check_threads(threads)
    return hashlib.sha256()


def digest_of(data: ReadableBuffer, *, algorithm: str = BLAKE3, threads: int = 1) -> bytes:
    """Return the 32-byte digest of *data*."""
    hasher = new_hasher(algorithm, threads=threads)
    try:
        hasher.update(data)
    except BufferError:  # BLAKE3 takes items of a byte only
        hasher.update(memoryview(data).cast("B"))
    return hasher.digest()


def digests_of(pieces: Iterable[ReadableBuffer], *, algorithm: str = BLAKE3) -> list[bytes]:
    """Return the digest of each of *pieces*, in order, in this thread; the first that is no buffer of bytes ends it.

    One hasher serves all: at 16 KiB a piece, making a new one each time costs a tenth of the hash itself.
    """
    if algorithm != BLAKE3:
        check_algorithm(algorithm)
        new = hashlib.sha256
        return [new(piece).digest() for piece in pieces]
    from blake3 import blake3

    hasher = blake3()
    update, digest, reset = hasher.update, hasher.digest, hasher.reset
    digests: list[bytes] = []
    append = digests.append
    for piece in pieces:
        update(piece)
        append(digest())
        reset()
    return digests
