"""Runs whole commands in turn, A B A B, and tells their wall time and the peak memory of their process trees.

Memory: the sum of PSS over the tree, sampled every 20 ms (shared pages count once), and of a single process VmHWM, which
misses nothing.  Never ``ru_maxrss``, which a child inherits from its parent.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from siltstone.core.memory import children_of

_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one command."""

    seconds: float
    peak_bytes: int
    exit_code: int
    output: bytes


def _field(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)


def peak_of(process: int) -> int:
    """Return VmHWM of a living process in bytes, 0 once it ended."""
    return _field(Path(f"/proc/{process}/status"), "VmHWM:")


def measure(words: Sequence[str], *, cwd: Path | None = None) -> Measured:
    """Run *words* once, its output kept, its errors shown."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=cwd, env={**os.environ, "CODEGRAPH_TELEMETRY": "0"})
    peak, ended = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(_SAMPLE_SECONDS):
            tree = [process.pid, *children_of(process.pid)]
            if len(tree) == 1:
                peak = max(peak, _field(Path(f"/proc/{process.pid}/status"), "VmHWM:"))
            else:
                peak = max(peak, sum(_field(Path(f"/proc/{one}/smaps_rollup"), "Pss:") for one in tree))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        output, _ = process.communicate()
    finally:
        ended.set()
        sampler.join()
    return Measured(time.perf_counter() - start, peak, process.returncode, output)


def alternate(
    runs: dict[str, Callable[[], Measured]], *, rounds: int, accept: Sequence[int] = (0,)
) -> dict[str, list[Measured]]:
    """Call each of *runs* in turn, *rounds* times; a command that fails ends the comparison."""
    results: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            done = run()
            if done.exit_code not in accept:
                sys.exit(f"{name} ended with {done.exit_code}")
            results[name].append(done)
    return results


def report(results: dict[str, list[Measured]]) -> None:
    """Print medians, and the ratio of each to the last, which is ours."""
    ours = statistics.median(run.seconds for run in list(results.values())[-1])
    for name, runs in results.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_bytes for run in runs)
        print(f"{name:28} {seconds:8.2f} s   {peak / 1e6:8.0f} MB   {seconds / ours:6.2f} x ours")
