"""Hashing as a user calls it: buffers of every size and content, batches, files, the cache. The libraries move these too."""

import random
import shutil
import tempfile
from pathlib import Path

from siltstone.content.batch_hashing import hash_batch
from siltstone.content.file_fingerprint import SETTLED_NS, FileFingerprint
from siltstone.content.hash_cache import HashCache
from siltstone.content.hash_files import hash_file
from siltstone.content.hash_text import Hash, format_hash, parse_hash
from siltstone.content.hash_threads import ONE_THREAD
from siltstone.content.hashing import digest_of

KIB, MIB = 1 << 10, 1 << 20


def nar_like(size: int) -> bytes:
    """Return records as an archive of Nix holds them: lengths, short words padded to eight bytes, files of all sizes."""
    rng = random.Random(1966)
    parts, total = [], 0
    while total < size:
        content = rng.randbytes(rng.choice((0, 40, 700, 9_000, 120_000)))
        name = b"file-%06d" % len(parts)
        words = (b"entry", b"(", b"name", name, b"node", b"(", b"type", b"regular", b"contents", content, b")", b")")
        part = b"".join(len(word).to_bytes(8, "little") + word + bytes(-len(word) % 8) for word in words)
        parts.append(part)
        total += len(part)
    return b"".join(parts)[:size]


def content_of(kind: str, size: int) -> bytes:
    """Return *size* bytes, the same on every machine."""
    return {"zeros": lambda: bytes(size), "random": lambda: random.Random(2016).randbytes(size),
            "text": lambda: (b"the quick brown fox jumps over the lazy dog\n" * (size // 44 + 1))[:size],
            "nar": lambda: nar_like(size)}[kind]()


class HashBuffer:
    """One buffer, one thread."""

    params = (["blake3", "sha256"], ["zeros", "random", "text", "nar"], [KIB, 16 * KIB, MIB, 100 * MIB])
    param_names = ("algorithm", "content", "size")

    def setup(self, algorithm: str, content: str, size: int) -> None:
        self.data = content_of(content, size)

    def time_digest(self, algorithm: str, content: str, size: int) -> None:
        digest_of(self.data, algorithm=algorithm)


class HashMany:
    """64 MiB in pieces of one size, and as files."""

    params = (["blake3", "sha256"], [KIB, 16 * KIB, 64 * KIB])
    param_names = ("algorithm", "size")

    def setup(self, algorithm: str, size: int) -> None:
        data = content_of("random", 64 * MIB)
        self.pieces = [data[start:start + size] for start in range(0, len(data), size)]

    def time_one_thread(self, algorithm: str, size: int) -> None:
        hash_batch(self.pieces, algorithm=algorithm, threads=ONE_THREAD)

    def time_free_threads(self, algorithm: str, size: int) -> None:
        hash_batch(self.pieces, algorithm=algorithm)

    def peakmem_free_threads(self, algorithm: str, size: int) -> None:
        hash_batch(self.pieces, algorithm=algorithm)


class HashFiles:
    """A file of 64 MiB, and 1,000 of 4 KiB, in the page cache."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="siltstone-bench-"))
        data = content_of("random", 64 * MIB)
        self.large = self.folder / "large"
        self.large.write_bytes(data)
        self.small = [self.folder / f"{number}" for number in range(1000)]
        for number, path in enumerate(self.small):
            path.write_bytes(data[4096 * number:4096 * (number + 1)])

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def time_large(self) -> None:
        hash_file(self.large)

    def time_small(self) -> None:
        hash_batch(self.small)

    def peakmem_large(self) -> None:
        hash_file(self.large)


class Cache:
    """1,000 lookups and 1,000 insertions in a full cache; a hash as text and back."""

    def setup(self) -> None:
        self.cache = HashCache(1 * MIB)
        self.keys = [FileFingerprint(1, number, 10, number, number) for number in range(4000)]
        self.time_put()
        self.text = format_hash(Hash("sha256", bytes(32)), "nix32")

    def time_get(self) -> None:
        for key in self.keys[-1000:]:
            self.cache.get(key, "blake3")

    def time_put(self) -> None:
        for key in self.keys[-1000:]:
            self.cache.put(key, "blake3", bytes(32), read_after_ns=2 * SETTLED_NS)

    def time_parse_hash(self) -> None:
        parse_hash(self.text)
