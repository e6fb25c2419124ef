"""What many chunks amount to, counted in bounded memory: how long they are, and how much of them is there twice."""

from __future__ import annotations

from typing import Any

_KEYS_AT_MOST = 1 << 14  # exact up to so many distinct chunks: 1 GiB at a 64 KiB target, in about 2 MB
_SIZE_BITS = 32  # a chunk is shorter than 4 GiB
_KEY_BYTES = 8


class SharedBytes:
    """Says how many bytes are distinct: exactly for some thousand distinct chunks, from a fair sample of them beyond.

    The sample are the chunks whose digest ends in so many zero bits, one more each time the table is full (Gibbons,
    Distinct Sampling, VLDB 2001): all copies of a chunk are in it, or none.
    """

    def __init__(self, keys_at_most: int = _KEYS_AT_MOST) -> None:
        self._keys_at_most = keys_at_most
        self._seen: dict[int, int] = {}  # start of the digest -> (copies << 32) + size
        self._mask = 0

    @property
    def is_exact(self) -> bool:
        """Whether every chunk was counted."""
        return not self._mask

    @property
    def distinct_share(self) -> float:
        """Distinct bytes over all bytes, 1.0 where nothing is there twice."""
        distinct = total = 0
        for value in self._seen.values():
            size = value & (1 << _SIZE_BITS) - 1
            distinct += size
            total += size * (value >> _SIZE_BITS)
        return distinct / total if total else 1.0

    def add(self, digest: bytes, size: int) -> None:
        """Count one chunk."""
        key = int.from_bytes(digest[:_KEY_BYTES], "big")
        if key & self._mask:
            return
        self._seen[key] = self._seen.get(key, size) + (1 << _SIZE_BITS)
        while len(self._seen) > self._keys_at_most:
            self._mask = self._mask << 1 | 1
            self._seen = {key: value for key, value in self._seen.items() if not key & self._mask}


class ChunkSummary:
    """Counts chunks by size, and their distinct bytes where digests are given."""

    def __init__(self) -> None:
        self.chunks = self.bytes = self.smallest = self.largest = 0
        self.shared: SharedBytes | None = None
        self._by_size: dict[int, int] = {}  # number of bits of the size -> chunks

    @property
    def mean(self) -> float:
        """Mean size in bytes, 0 without chunks."""
        return self.bytes / self.chunks if self.chunks else 0.0

    def add(self, size: int, digest: bytes | None = None) -> None:
        """Count one chunk."""
        self.smallest = min(self.smallest, size) if self.chunks else size
        self.largest = max(self.largest, size)
        self.chunks += 1
        self.bytes += size
        bits = size.bit_length()
        self._by_size[bits] = self._by_size.get(bits, 0) + 1
        if digest is not None:
            if self.shared is None:
                self.shared = SharedBytes()
            self.shared.add(digest, size)

    def histogram(self) -> list[tuple[int, int]]:
        """Return ``(from, chunks)``, ascending: the chunks of at least *from* bytes and less than twice as many."""
        return [(1 << bits - 1 if bits else 0, count) for bits, count in sorted(self._by_size.items())]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values; ``distinct_share`` is null without digests."""
        return {
            "chunks": self.chunks, "bytes": self.bytes, "mean": round(self.mean, 1), "smallest": self.smallest,
            "largest": self.largest, "histogram": [{"from": low, "chunks": count} for low, count in self.histogram()],
            "distinct_share": round(self.shared.distinct_share, 6) if self.shared else None,
            "distinct_share_exact": self.shared.is_exact if self.shared else None,
        }
