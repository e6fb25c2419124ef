"""Cut points: pyfastcdc, our scalar and our lanes in turn on the same random bytes, one thread; then one thread and two.

Run: python benchmarks/peers/cut_points.py [MIB].  Ratios are medians over rounds A B C A B C, by the time of the thread, so
that other programs on the machine disturb them little.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata

from siltstone.content import cut_offsets, kernels
from siltstone.content.profiles import Profile

ROUNDS = 9
TARGETS_KIB = (16, 64, 512, 2, 8, 32)
MIB = 1 << 20


def seconds_of(work: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def compare(data: bytes, target: int) -> bool:
    """Time all on *data*, print speeds and ratios; return whether the cuts are equal."""
    from pyfastcdc import FastCDC

    profile = Profile(minimum=target // 4, target=target, maximum=8 * target)
    peer = FastCDC(avg_size=target, min_size=target // 4, max_size=8 * target)

    def theirs() -> list[int]:
        return [chunk.offset + chunk.length for chunk in peer.cut_buf(data)]

    def with_kernel(name: str) -> Callable[[], list[int]]:
        return lambda: list(kernels.cut_offsets(data, profile, kernel=name))

    works = {"pyfastcdc": theirs, **{name: with_kernel(name) for name in kernels.available()}}
    equal = all(work() == theirs() for work in works.values())
    rounds = [{name: seconds_of(work) for name, work in works.items()} for _ in range(ROUNDS)]
    shown = []
    for name in works:
        speed = len(data) / statistics.median(times[name] for times in rounds) / 1e9
        ratio = statistics.median(times["pyfastcdc"] / times[name] for times in rounds)
        shown.append(f"{name} {speed:5.2f} GB/s" + (f" ({ratio:.2f}x)" if name != "pyfastcdc" else ""))
    print(f"target {target >> 10:4} KiB   {'   '.join(shown)}   cuts {'equal' if equal else 'DIFFER'}", flush=True)
    return equal


def compare_threads(data: bytes, kernel: str) -> bool:
    """Cut *data* with one thread and with two, by wall time; return whether the cuts are equal."""
    times: dict[int, list[float]] = {1: [], 2: []}
    found = {}
    for _ in range(ROUNDS):
        for threads, taken in times.items():
            start = time.perf_counter()
            found[threads] = cut_offsets(data, kernel=kernel, threads=threads)
            taken.append(time.perf_counter() - start)
    one, two = (len(data) / statistics.median(taken) / 1e9 for taken in times.values())
    equal = found[1] == found[2]
    print(f"target   64 KiB   {kernel} one thread {one:5.2f} GB/s   two {two:5.2f} GB/s ({two / one:.2f}x)   "
          f"cuts {'equal' if equal else 'DIFFER'}", flush=True)
    return equal


def main() -> int:
    """Print one line for each target size; 0 where all cuts are equal, 2 where the peer is missing."""
    try:
        version = metadata.version("pyfastcdc")
    except metadata.PackageNotFoundError:
        print("pyfastcdc is not installed: pip install pyfastcdc", file=sys.stderr)
        return 2
    size = int(sys.argv[1] if len(sys.argv) > 1 else 128) * MIB
    print(f"pyfastcdc {version}, {size >> 20} MiB of random bytes, medians of {ROUNDS}")
    source = random.Random(2020)
    data = b"".join(source.randbytes(min(MIB, size - at)) for at in range(0, size, MIB))
    results = [compare(data, kib << 10) for kib in TARGETS_KIB]
    results += [compare_threads(data, name) for name in kernels.available()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
