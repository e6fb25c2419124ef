"""Hashing and base 32 against the bare libraries, in turn, medians. Run: python benchmarks/peers/hashing.py [MIB]

Two things are called raw BLAKE3: one update over all the bytes in one thread, and a new hasher for each piece.  The first is
the harder one: no call is paid for but one, and the tree is wide from end to end.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from blake3 import blake3

from siltstone.content.base32 import decode_base32_batch, encode_base32_batch, encode_base32_texts, kernels
from siltstone.content.batch_hashing import hash_batch
from siltstone.content.hash_files import hash_file
from siltstone.content.hash_threads import ONE_THREAD, HashThreads
from siltstone.content.sha_support import measure_sha_support
from siltstone.core.errors import UnsupportedError

ROUNDS = 9
MIB = 1 << 20
PIECE = 16 << 10
DIGESTS = 200_000


ALWAYS = HashThreads(minimum_total=0, minimum_mean=0)


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall time and the processor time of one call; other programs distort the second one less."""
    start, start_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - start_cpu


def compare(title: str, works: dict[str, Callable[[], object]], amount: float, unit: str) -> None:
    """Time all of *works* in turn; print what each does of *amount* a second, and medians of how fast the last is beside it."""
    for work in works.values():
        work()
    rounds = [[seconds_of(work) for work in works.values()] for _ in range(ROUNDS)]
    print(title)
    for place, name in enumerate(works):
        speed = amount / statistics.median(one[place][0] for one in rounds)
        shares = [statistics.median(one[place][kind] / one[-1][kind] for one in rounds) for kind in (0, 1)]
        print(f"  {name:44} {speed:9.2f} {unit}   last is {shares[0]:5.2f} of it, by processor time {shares[1]:5.2f}")


def pieces_of_16_kib(data: bytes) -> None:
    """The figure to reach: at least 0.90 of raw BLAKE3."""
    pieces = [data[start:start + PIECE] for start in range(0, len(data), PIECE)]
    compare(f"BLAKE3, {len(pieces):,} pieces of 16 KiB, one thread", {
        "blake3: one update over all bytes": lambda: blake3(data).digest(),
        "blake3: a hasher for each piece": lambda: [blake3(piece).digest() for piece in pieces],
        "hash_batch": lambda: hash_batch(pieces, threads=ONE_THREAD),
    }, len(data) / 1e9, "GB/s")
    compare("the same, two threads", {
        "blake3: one update over all bytes, 2 threads": lambda: blake3(data, max_threads=2).digest(),
        "hash_batch, one thread": lambda: hash_batch(pieces, threads=ONE_THREAD),
        "hash_batch, all that are free": lambda: hash_batch(pieces, threads=ALWAYS),
    }, len(data) / 1e9, "GB/s")
    compare("SHA-256, the same pieces, one thread", {
        "hashlib: one update over all bytes": lambda: hashlib.sha256(data).digest(),
        "hashlib: a hasher for each piece": lambda: [hashlib.sha256(piece).digest() for piece in pieces],
        "hash_batch": lambda: hash_batch(pieces, algorithm="sha256", threads=ONE_THREAD),
    }, len(data) / 1e9, "GB/s")


def one_file(data: bytes) -> None:
    """A file of somebody else in the page cache; the peer maps it, which we do not do to files we do not own."""
    with tempfile.TemporaryDirectory(prefix="siltstone-bench-") as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        compare(f"one file of {len(data) // MIB} MiB, BLAKE3", {
            "blake3.update_mmap, one thread": lambda: blake3().update_mmap(path).digest(),
            "blake3.update_mmap, two threads": lambda: blake3(max_threads=2).update_mmap(path).digest(),
            "hash_file": lambda: hash_file(path),
        }, len(data) / 1e9, "GB/s")


def base32() -> None:
    """The figure to reach: ten million digests a second; the vectors twice the plain variant."""
    packed = random.Random(32).randbytes(32 * DIGESTS)
    text = encode_base32_batch(packed)
    works: dict[str, Callable[[], object]] = {}
    for kernel in kernels():
        works[f"encode, {kernel}"] = lambda kernel=kernel: encode_base32_batch(packed, kernel=kernel)
        works[f"decode, {kernel}"] = lambda kernel=kernel: decode_base32_batch(text, kernel=kernel)
    works["encode into a list of texts"] = lambda: encode_base32_texts(packed)
    works["encode, the best"] = lambda: encode_base32_batch(packed)
    compare(f"base 32 of {DIGESTS:,} digests of 32 bytes, one thread", works, DIGESTS / 1e6, "million/s")


def main() -> int:
    """Print all comparisons."""
    data = random.Random(2020).randbytes(int(sys.argv[1] if len(sys.argv) > 1 else 64) * MIB)
    print(f"blake3 {metadata.version('blake3')}, Python {sys.version.split()[0]}, {ROUNDS} rounds in turn, medians")
    pieces_of_16_kib(data)
    one_file(data)
    base32()
    try:
        print(f"SHA instructions: {measure_sha_support()}")
    except UnsupportedError as error:
        print(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
