"""Files of the hash cache: any bytes, with a checksum that fits, give a bounded cache or one of our errors."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone.content.file_fingerprint import SETTLED_NS, FileFingerprint
from siltstone.content.hash_cache import ENTRY_BYTES, HashCache
from siltstone.content.hash_cache_file import decode_cache, encode_cache

LIMIT = 4


def _seed(count: int) -> bytes:
    cache = HashCache()
    for number in range(count):
        cache.put(FileFingerprint(1, number, 10, number, -number), "sha256", bytes(32), read_after_ns=2 * SETTLED_NS)
    return encode_cache(cache)[:-32]


SEEDS = [_seed(count) for count in (0, 1, 3, 6)]


def check(data: bytes) -> None:
    """Read *data* with a checksum that fits; without one every change is refused, which the tests show."""
    cache = decode_cache(data + hashlib.sha256(data).digest(), limit_bytes=LIMIT * ENTRY_BYTES)
    assert len(cache) <= LIMIT
    decode_cache(encode_cache(cache))


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
