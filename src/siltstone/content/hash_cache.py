"""Digests of files, and of parts of files, that need no reading again: the least recently used go first.

A key is a fingerprint of the whole file (see `file_fingerprint` for what it cannot see), the function, and the part.  No key
is made of sampled content: two different chunks may agree on every sample, and a wrong digest is worse than a slow one.  A
digest of a file that was not settled when it was read is not kept.
"""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from siltstone.content.file_fingerprint import FileFingerprint
from siltstone.content.hashing import ALGORITHMS, DIGEST_SIZE, check_algorithm
from siltstone.core.budget import MIB
from siltstone.core.errors import ConfigError

DEFAULT_LIMIT_BYTES: Final = 16 * MIB  # 32,768 files
ENTRY_BYTES: Final = 512  # measured: up to 452 while the table turns over, and 21 lost to the allocator's steps of 16
KEY: Final = struct.Struct("<QQQqqQQB")  # DO NOT CHANGE: stored; fingerprint, offset, size, place in ALGORITHMS
_UNSIGNED: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class HashCacheStats:
    """What a cache holds, and what it was asked since it was made; *unsettled* digests came too early to be believed."""

    entries: int
    bytes: int
    limit_bytes: int
    hits: int
    misses: int
    evictions: int
    unsettled: int

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


class HashCache:
    """A bounded map from fingerprint to digest; safe to share between threads."""

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Hold at most *limit_bytes*, each entry counted with `ENTRY_BYTES`, all the interpreter's overhead included."""
        if limit_bytes < ENTRY_BYTES:
            raise ConfigError(f"one entry takes {ENTRY_BYTES} bytes, got {limit_bytes}", field="limit_bytes")
        self._limit_bytes = limit_bytes
        self._capacity = limit_bytes // ENTRY_BYTES
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()  # least recently used first
        self._lock = threading.Lock()
        self._hits = self._misses = self._evictions = self._unsettled = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, fingerprint: FileFingerprint, algorithm: str, *, offset: int = 0, size: int | None = None) -> bytes | None:
        """Return the digest of *size* bytes from *offset* on (default: of the whole file), or None."""
        key = _key(fingerprint, algorithm, offset, size)
        with self._lock:
            digest = self._entries.get(key)
            if digest is None:
                self._misses += 1
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            return digest

    def put(self, fingerprint: FileFingerprint, algorithm: str, digest: bytes, *, read_after_ns: int, offset: int = 0,
            size: int | None = None) -> bool:
        """Keep *digest*; return False, and keep nothing, where the file was not settled.

        *read_after_ns* is a time of ``time.time_ns()`` before *fingerprint* was taken, which is before the bytes were read.
        """
        if len(digest) != DIGEST_SIZE:
            raise ConfigError(f"{algorithm} has {DIGEST_SIZE} bytes, got {len(digest)}", field="digest")
        key = _key(fingerprint, algorithm, offset, size)
        settled = fingerprint.is_settled(read_after_ns)
        with self._lock:
            if settled:
                self._keep(key, digest)
            else:
                self._unsettled += 1
        return settled

    def clear(self) -> None:
        """Forget all digests; the counts stay."""
        with self._lock:
            self._entries.clear()

    def stats(self) -> HashCacheStats:
        """Return the counts at one moment."""
        with self._lock:
            return HashCacheStats(len(self._entries), len(self._entries) * ENTRY_BYTES, self._limit_bytes, self._hits,
                                  self._misses, self._evictions, self._unsettled)

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Return all (packed key, digest), least recently used first: what `hash_cache_file` writes."""
        with self._lock:
            return list(self._entries.items())

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Add entries as `entries` returned them, the last the most recently used; what does not fit goes, uncounted."""
        with self._lock:
            before = self._evictions
            for key, digest in entries:
                self._keep(key, digest)
            self._evictions = before

    def _keep(self, key: bytes, digest: bytes) -> None:
        self._entries[key] = digest
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
            self._evictions += 1


def _key(fingerprint: FileFingerprint, algorithm: str, offset: int, size: int | None) -> bytes:
    check_algorithm(algorithm)
    length = fingerprint.size - offset if size is None else size
    if offset < 0 or length < 0 or offset + length > fingerprint.size:
        raise ConfigError(f"{length} bytes from {offset} are outside the file of {fingerprint.size}", field="offset")
    device, inode = fingerprint.device & _UNSIGNED, fingerprint.inode & _UNSIGNED
    return KEY.pack(device, inode, *fingerprint[2:], offset, length, ALGORITHMS.index(algorithm))


def iter_records(data: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Yield (packed key, digest) from records of `KEY` and `DIGEST_SIZE` bytes that stand one behind the other."""
    width = KEY.size + DIGEST_SIZE
    for start in range(0, len(data), width):
        yield bytes(data[start:start + KEY.size]), bytes(data[start + KEY.size:start + width])
