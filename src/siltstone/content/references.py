"""Which store paths a stream of bytes refers to: the hash parts that occur in it, found as Nix finds them.

Constant memory, and the same answer for any split of the stream. A reference is any occurrence of the 32 digits, also inside a
longer run of digits; what was compressed or encoded is not found, here as there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from siltstone._native.refscan import ReferenceMatcher
from siltstone.content.store_path import HASH_PART_SIZE, check_hash_part
from siltstone.core.errors import ConfigError, CorruptDataError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MOST_REFERENCES: Final = 1 << 20  # 48 MB of tables; the largest closures have some 100,000 paths

_KEPT = HASH_PART_SIZE - 1  # bytes of a reference that may lie before the border of two pieces


class ReferenceScanner:
    """Takes a stream piece by piece and knows which of *hash_parts* have occurred. One thread at a time."""

    __slots__ = ("_matcher", "_missing", "_parts", "_seen", "_tail")

    def __init__(self, hash_parts: Iterable[str]) -> None:
        """Search for the 32-digit *hash_parts* of store paths; one that is there twice counts once."""
        self._parts = unique_parts(hash_parts)
        self._matcher = ReferenceMatcher("".join(self._parts).encode("ascii"))
        self._seen = bytearray(len(self._parts))
        self._missing = len(self._parts)
        self._tail = b""

    @property
    def complete(self) -> bool:
        """Whether every part has occurred: nothing that is still fed can change the answer."""
        return not self._missing

    @property
    def found(self) -> frozenset[str]:
        """The hash parts that occur in what was fed so far."""
        return frozenset(part for part, mark in zip(self._parts, self._seen, strict=True) if mark)

    def feed(self, data: ReadableBuffer) -> None:
        """Scan the next bytes of the stream; costs nothing once every part has occurred."""
        if self.complete:
            return
        with memoryview(data).cast("B") as view:
            border = self._tail + view[:_KEPT]  # a reference over the border lies in these bytes
            self._missing -= self._matcher.mark(border, self._seen)
            if len(view) > _KEPT:
                self._missing -= self._matcher.mark(view, self._seen)
                self._tail = bytes(view[-_KEPT:])
            else:
                self._tail = border[-_KEPT:]


def find_references(pieces: Iterable[ReadableBuffer], hash_parts: Iterable[str]) -> frozenset[str]:
    """Return which of *hash_parts* occur in the stream made of *pieces*; stops reading once all have."""
    scanner = ReferenceScanner(hash_parts)
    for piece in pieces:
        scanner.feed(piece)
        if scanner.complete:
            break
    return scanner.found


def unique_parts(hash_parts: Iterable[str]) -> tuple[str, ...]:
    """Return *hash_parts* in order, each once. Raises ConfigError for one that is no hash part, and for too many."""
    parts = tuple(dict.fromkeys(hash_parts))
    if len(parts) > MOST_REFERENCES:
        raise ConfigError(f"at most {MOST_REFERENCES:,} at once, got {len(parts):,}", field="hash_parts")
    for part in parts:
        try:
            check_hash_part(part)
        except CorruptDataError as error:
            raise ConfigError(f"{part[:48]!r}: {error.problem}", field="hash_parts") from None
    return parts
