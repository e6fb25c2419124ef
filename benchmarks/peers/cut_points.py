"""Cut points: pyfastcdc and ours in turn on the same random bytes. Run: python benchmarks/peers/cut_points.py [MIB]"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata

from siltstone.content.chunking import cut_offsets
from siltstone.content.profiles import Profile

ROUNDS = 7
MIB = 1 << 20


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(data: bytes, target: int) -> bool:
    """Time both on *data*, A B A B, print medians and ratio; return whether the cuts are equal."""
    from pyfastcdc import FastCDC

    profile = Profile(minimum=target // 4, target=target, maximum=8 * target)
    peer = FastCDC(avg_size=target, min_size=target // 4, max_size=8 * target)

    def theirs() -> list[int]:
        return [chunk.offset + chunk.length for chunk in peer.cut_buf(data)]

    def ours() -> list[int]:
        return list(cut_offsets(data, profile=profile))

    equal = theirs() == ours()
    rounds = [(seconds_of(theirs), seconds_of(ours)) for _ in range(ROUNDS)]
    peer_median, our_median = (statistics.median(column) for column in zip(*rounds, strict=True))
    speeds = [len(data) / median / 1e9 for median in (peer_median, our_median)]
    print(f"target {target >> 10:4} KiB   pyfastcdc {metadata.version('pyfastcdc')} {speeds[0]:5.2f} GB/s"
          f"   siltstone {speeds[1]:5.2f} GB/s   ratio {speeds[1] / speeds[0]:.2f}   cuts {'equal' if equal else 'DIFFER'}")
    return equal


def main() -> int:
    """Print one line for each target size; 0 where all cuts are equal, 2 where the peer is missing."""
    try:
        metadata.version("pyfastcdc")
    except metadata.PackageNotFoundError:
        print("pyfastcdc is not installed: pip install pyfastcdc", file=sys.stderr)
        return 2
    data = random.Random(2020).randbytes(int(sys.argv[1] if len(sys.argv) > 1 else 128) * MIB)
    results = [compare(data, kib << 10) for kib in (8, 64, 1024)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
