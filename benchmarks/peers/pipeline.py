"""The whole pipeline, nothing written: a plain loop over pyfastcdc, blake3 and zstandard against ours, in turn.

Run: python benchmarks/peers/pipeline.py FILE [ROUNDS]      speed on one core and on two, FILE a few hundred MB or more
     python benchmarks/peers/pipeline.py --memory FILE      whether a process stays within budget and base
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path

from measuring import Measured, measure

from siltstone.core.memory import peak_resident_bytes

MIB = 1 << 20
TARGET = 64 << 10
MEMORY_LIMITS_MIB = (24, 48, 96)
BESIDE_BUFFERS_MIB = 24  # contexts of zstd, digests that the sink remembers, what the allocator keeps


def run_plainly(path: str) -> dict[str, int]:
    """Cut, hash, compress what is new: the loop that anybody would write first."""
    import zstandard
    from blake3 import blake3
    from pyfastcdc import FastCDC

    compress = zstandard.ZstdCompressor(level=3).compress
    data = Path(path).read_bytes()
    seen: set[bytes] = set()
    chunks = packed = 0
    for chunk in FastCDC(avg_size=TARGET, min_size=TARGET // 4, max_size=4 * TARGET).cut_buf(data):
        digest = blake3(chunk.data).digest()
        chunks += 1
        if digest not in seen:
            seen.add(digest)
            packed += len(compress(chunk.data))
    return {"chunks": chunks, "new": len(seen), "packed": packed}


def run_pipeline(path: str, workers: int, limit_mib: int = 0) -> dict[str, int]:
    """Do the same with ours."""
    from siltstone.content import DiscardingSink, Pipeline, PipelineContext, PipelineOptions
    from siltstone.core import Budget

    budget = Budget(pipeline=limit_mib * MIB) if limit_mib else Budget()
    base = peak_resident_bytes()
    summary = Pipeline(PipelineOptions(stream_digest=None), PipelineContext(workers=workers, budget=budget)).run(
        path, DiscardingSink())
    return {"chunks": summary.chunks, "new": summary.new_chunks, "packed": summary.packed_bytes,
            "budget_peak": budget.peak("pipeline"), "resident_growth": peak_resident_bytes() - base}


def child(words: list[str], cores: set[int]) -> Measured:
    """Run this script again for one measurement, on *cores* only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return measure([sys.executable, __file__, *words])
    finally:
        os.sched_setaffinity(0, before)


def compare(path: str, rounds: int) -> int:
    """Print medians for one core and for two; 1 where the chunks differ."""
    cores = sorted(os.sched_getaffinity(0))
    size = os.path.getsize(path)
    print(f"{path}: {size / 1e6:,.0f} MB; pyfastcdc {metadata.version('pyfastcdc')}, zstandard "
          f"{metadata.version('zstandard')}, Python {sys.version.split()[0]}")
    kept = True
    for count, workers in ((1, 0), (2, 2)):
        if len(cores) < count:
            break
        pairs = []
        for _ in range(rounds):
            theirs = child(["--plain", path], set(cores[:count]))
            ours = child(["--workers", str(workers), path], set(cores[:count]))
            pairs.append((theirs, ours))
            told = [json.loads(run.output) for run in (theirs, ours)]
            kept &= all(told[0][key] == told[1][key] for key in ("chunks", "new"))
        speeds = [statistics.median(size / told_seconds(run) / 1e6 for run in side) for side in zip(*pairs, strict=True)]
        ratio = statistics.median(told_seconds(theirs) / told_seconds(ours) for theirs, ours in pairs)
        peaks = [max(run.peak_bytes for run in side) / 1e6 for side in zip(*pairs, strict=True)]
        print(f"{count} core{'s' if count > 1 else ' '}: plain {speeds[0]:6.0f} MB/s {peaks[0]:6.0f} MB   "
              f"ours {speeds[1]:6.0f} MB/s {peaks[1]:6.0f} MB   ratio {ratio:.2f}")
    print(f"chunks {'equal' if kept else 'DIFFER'}")
    return 0 if kept else 1


def told_seconds(run: Measured) -> float:
    """Return what the child measured around the work itself, without the start of Python."""
    return float(json.loads(run.output)["seconds"])


def check_memory(path: str) -> int:
    """Run under several limits; 1 where buffers pass theirs, or where the process grows by more than limit and base."""
    sound = True
    for limit in MEMORY_LIMITS_MIB:
        told = json.loads(measure([sys.executable, __file__, "--workers", "2", "--limit", str(limit), path]).output)
        fits = (told["budget_peak"] <= limit * MIB
                and told["resident_growth"] <= told["budget_peak"] + BESIDE_BUFFERS_MIB * MIB)
        sound &= fits
        print(f"limit {limit:4} MiB: buffers {told['budget_peak'] / MIB:6.1f} MiB at most, process grew by "
              f"{told['resident_growth'] / MIB:6.1f} MiB (VmHWM)   {'ok' if fits else 'TOO MUCH'}")
    return 0 if sound else 1


def main() -> int:
    """Measure, or be one of the measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--limit", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.memory:
        return check_memory(arguments.file)
    if not arguments.plain and arguments.workers is None:
        return compare(arguments.file, arguments.rounds)
    start = time.perf_counter()
    told: dict[str, float]
    if arguments.plain:
        told = {**run_plainly(arguments.file)}
    else:
        told = {**run_pipeline(arguments.file, arguments.workers, arguments.limit)}
    print(json.dumps({**told, "seconds": time.perf_counter() - start}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
