"""References taken out of a stream and put back: builds that differ in their store paths only become equal bytes.

Every occurrence of a given hash part, from the left and each after the one before, becomes the same 32 zero bytes; a table
keeps where which part stood.  The table alone decides what is restored, so placeholders that were in the content before mean
nothing, and one placeholder for all parts lets streams be equal whose references differ in number, order and name.  Zeros are
what Nix hashes in place of references to the object itself (libstore/references.cc, `HashModuloSink`).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from siltstone._native import refscan
from siltstone.content.hash_text import Hash
from siltstone.content.reference_table import DEFAULT_LIMIT_BYTES, HIT_BYTES, ReferenceTable
from siltstone.content.references import unique_parts
from siltstone.content.store_path import HASH_PART_SIZE
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PLACEHOLDER: Final = bytes(HASH_PART_SIZE)  # DO NOT CHANGE: stored


class ReferenceNormalizer:
    """Takes references out of a stream that comes in pieces of any size. One thread at a time.

    Memory: one piece, and 12 bytes for each occurrence, *limit_bytes* of them at most.
    """

    __slots__ = ("_limit_bytes", "_matcher", "_numbers", "_offset", "_offsets", "_parts", "_tail")

    def __init__(self, hash_parts: Iterable[str], *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Take out *hash_parts*, 32 digits each. For an object that refers to itself its own part is one of them."""
        self._parts = unique_parts(hash_parts)
        self._matcher = refscan.ReferenceMatcher("".join(self._parts).encode("ascii"))
        self._offsets, self._numbers = array("Q"), array("I")
        self._offset = 0  # of the first byte of the tail
        self._tail = b""
        self._limit_bytes = limit_bytes

    def feed(self, data: ReadableBuffer) -> memoryview:
        """Return the next bytes of the normalised stream, in memory of their own; up to 31 bytes are kept back.

        Raises BudgetExceeded where the occurrences would need more than the limit; the normaliser is of no use after that.
        """
        buffer = bytearray(self._tail)
        buffer += data
        offsets, numbers, rest = self._matcher.take(buffer, PLACEHOLDER, self._offset)
        needed = (len(self._offsets) + len(offsets)) * HIT_BYTES
        if needed > self._limit_bytes:
            raise BudgetExceeded("reference table", limit_bytes=self._limit_bytes, needed_bytes=needed)
        self._offsets.extend(offsets)
        self._numbers.extend(numbers)
        self._tail = bytes(buffer[rest:])
        self._offset += rest
        return memoryview(buffer)[:rest].toreadonly()

    def finish(self) -> tuple[bytes, ReferenceTable]:
        """Return the last bytes of the stream, and the table that restores it."""
        tail, self._tail = self._tail, b""
        self._offset += len(tail)
        return tail, ReferenceTable(self._parts, self._offset, self._offsets, self._numbers)


class ReferenceRestorer:
    """Puts the references of *table* back into a normalised stream that comes in pieces of any size. One thread at a time."""

    __slots__ = ("_done", "_offset", "_parts", "_table")

    def __init__(self, table: ReferenceTable) -> None:
        self._table = table
        self._parts = "".join(table.hash_parts).encode("ascii")
        self._offset = self._done = 0

    def feed(self, data: ReadableBuffer) -> memoryview:
        """Return the restored bytes of *data*, in memory of their own.

        Raises CorruptDataError with the offset in the stream where it is not the one of the table.
        """
        buffer = bytearray(data)
        if self._offset + len(buffer) > self._table.size:
            problem = f"the stream is longer than the {self._table.size:,} bytes of its table"
            raise CorruptDataError(problem, offset=self._table.size)
        self._done = refscan.put(
            buffer, self._table.offsets, self._table.numbers, self._done, self._parts, PLACEHOLDER, self._offset
        )
        self._offset += len(buffer)
        return memoryview(buffer).toreadonly()

    def finish(self) -> None:
        """Raise CorruptDataError where the stream ended before its size."""
        if self._offset < self._table.size:
            raise CorruptDataError(f"the stream ends before the {self._table.size:,} bytes of its table", offset=self._offset)


def hash_modulo(pieces: Iterable[ReadableBuffer], hash_part: str, algorithm: str = "sha256") -> Hash:
    """Return the hash of the stream made of *pieces* with its own *hash_part* taken out, as Nix computes it.

    The hash of the normalised bytes, then of ``|<offset>`` for each occurrence: what a path that refers to itself is
    addressed by.
    """
    if algorithm not in ("md5", "sha1", "sha256", "sha512"):
        raise ConfigError(f"expected md5, sha1, sha256 or sha512, got {algorithm!r}", field="algorithm")
    hasher, normalizer = hashlib.new(algorithm, usedforsecurity=False), ReferenceNormalizer([hash_part])
    for piece in pieces:
        hasher.update(normalizer.feed(piece))
    tail, table = normalizer.finish()
    hasher.update(tail)
    for offset in table.offsets:
        hasher.update(b"|%d" % offset)
    return Hash(algorithm, hasher.digest())
