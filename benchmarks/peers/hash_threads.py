"""When hashing in threads pays: the measurement behind `HashThreads`. Run: python benchmarks/peers/hash_threads.py

For each size two figures, medians of one and two threads in turn: how many times as fast two are, which needs a machine with
two processors and nothing else to do, and the processor time that two take more, which other programs hardly distort.  Work
of T pays by 1.2 or more where T is at least three times that.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from siltstone.content.batch_hashing import hash_batch
from siltstone.content.hash_threads import ONE_THREAD, HashThreads
from siltstone.content.hashing import ALGORITHMS, digest_of

ROUNDS = 11
KIB = 1 << 10
ALWAYS = HashThreads(minimum_total=0, minimum_mean=0, minimum_single=0)


def clocks() -> tuple[float, float]:
    """Return wall and processor time."""
    return time.perf_counter(), time.process_time()


def compare(one: Callable[[], object], two: Callable[[], object]) -> str:
    """Return the gain, and the microseconds of one thread and those that two take more."""
    gains, alone, more = [], [], []
    for _ in range(ROUNDS):
        start, start_cpu = clocks()
        one()
        middle, middle_cpu = clocks()
        two()
        end, end_cpu = clocks()
        gains.append((middle - start) / (end - middle))
        alone.append(middle_cpu - start_cpu)
        more.append((end_cpu - middle_cpu) - (middle_cpu - start_cpu))
    return f"{statistics.median(gains):5.2f} x ({statistics.median(alone) * 1e6:6.0f} +{statistics.median(more) * 1e6:4.0f} us)"


def compare_batch(pieces: Sequence[bytes], algorithm: str) -> str:
    """Compare the two on a batch."""
    return compare(lambda: hash_batch(pieces, algorithm=algorithm, threads=ONE_THREAD),
                   lambda: hash_batch(pieces, algorithm=algorithm, threads=ALWAYS, free_threads=2))


def compare_one(data: bytes) -> str:
    """Compare the two on one buffer."""
    return compare(lambda: digest_of(data), lambda: digest_of(data, threads=2))


def main() -> int:
    """Print a table for batches by total and by piece, and one for single buffers."""
    data = random.Random(7).randbytes(64 << 20)
    totals = [KIB << shift for shift in (10, 12, 13, 14, 16)]
    for algorithm in ALGORITHMS:
        print(f"{algorithm}: two threads against one, by KiB of a piece (down) and in all (across)")
        print("        " + "".join(f"{total >> 10:22}K" for total in totals))
        for piece in (KIB, 2 * KIB, 4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB, 256 * KIB):
            row = [compare_batch([data[at:at + piece] for at in range(0, total, piece)], algorithm) for total in totals]
            print(f"{piece >> 10:7}K " + "".join(f"{one:>23}" for one in row))
    print("blake3: two threads against one, one buffer")
    for shift in range(8, 17):
        print(f"{1 << shift:7}K {compare_one(data[:KIB << shift])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
