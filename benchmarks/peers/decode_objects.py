"""Decode every object of a repository: ``git cat-file --batch-all-objects`` and the walk, in turns, and compare them.

Usage: decode_objects.py REPOSITORY [--rounds N] [--threads N] [--max-memory-mb N] [--no-compare].  Every run is a process of
its own; prints medians of wall time, processor time and peak memory, and the digest over all objects on both sides: kind,
size and SHA-256 of the content of each, by id.  Exits 1 where they differ, 2 where git is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from siltstone.core.budget import MIB, Budget
from siltstone.core.metrics import Metrics
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.object_database import ObjectDatabase

LABELS = {kind.label: kind for kind in Kind}
COUNTERS = ("walk.objects", "walk.bytes", "walk.revived", "walk.spilled", "walk.spill_reads")


def git_command(git_dir: Path) -> list[str]:
    return ["git", "--git-dir", str(git_dir), "cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"]


def without_network() -> dict[str, str]:
    return {**os.environ, "GIT_NO_LAZY_FETCH": "1"}


def peak_bytes() -> int:
    """Return the largest resident size of this process so far (VmHWM, mapped pages included)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def walk(git_dir: Path, kinds: list[Kind], threads: int | None, memory_mb: int | None) -> dict[str, float]:
    """Run one walk in this process and tell what it took."""
    start, metrics = time.perf_counter(), Metrics()
    budget = Budget(total_bytes=None if memory_mb is None else memory_mb * MIB)
    with ObjectDatabase.open(git_dir, budget=budget) as database:
        for _ in database.walk_objects(kinds, threads=threads, metrics=metrics):
            pass
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall": time.perf_counter() - start, "cpu": used.ru_utime + used.ru_stime, "peak": peak_bytes(),
        **{name: metrics.counter(name) for name in COUNTERS},
    }  # fmt: skip


def walk_apart(options: argparse.Namespace, kinds: str) -> dict[str, float]:
    """Run one walk in a process of its own."""
    words = [sys.executable, __file__, str(options.repository), "--child", kinds]
    words += [] if options.threads is None else ["--threads", str(options.threads)]
    words += [] if options.max_memory_mb is None else ["--max-memory-mb", str(options.max_memory_mb)]
    told: dict[str, float] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return told


def time_git(git_dir: Path) -> tuple[float, float]:
    """Wall and processor seconds git takes to write every object to nowhere."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(git_command(git_dir), stdout=subprocess.DEVNULL, check=True, env=without_network())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def digest_of(entries: dict[bytes, bytes]) -> str:
    value = hashlib.sha256()
    for oid in sorted(entries):
        value.update(oid)
        value.update(entries[oid])
    return value.hexdigest()


def entry(kind: Kind, content: bytes | memoryview) -> bytes:
    return bytes([kind]) + len(content).to_bytes(8, "big") + hashlib.sha256(content).digest()


def entries_of_walk(options: argparse.Namespace) -> dict[bytes, bytes]:
    """Return kind, size and digest of every object the walk gives."""
    budget = Budget(total_bytes=None if options.max_memory_mb is None else options.max_memory_mb * MIB)
    found: dict[bytes, bytes] = {}
    given = 0
    with ObjectDatabase.open(options.repository, budget=budget) as database:
        for block in database.walk_objects(list(Kind), threads=options.threads):
            given += len(block)
            found |= {bytes(block.oid(i)): entry(block.kind(i), block.content(i)) for i in range(len(block))}
    if given != len(found):
        sys.exit("the walk gave an object twice")
    return found


def objects_of_git(git_dir: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield id and entry of every object git gives."""
    with subprocess.Popen(git_command(git_dir), stdout=subprocess.PIPE, env=without_network()) as child:
        assert child.stdout is not None
        while line := child.stdout.readline():
            name, label, size = line.split()
            content = child.stdout.read(int(size) + 1)[:-1]
            yield bytes.fromhex(name.decode()), entry(LABELS[label], content)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("repository", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--max-memory-mb", type=int)
    parser.add_argument("--no-compare", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run the comparison."""
    options = parse_options()
    if options.child:
        kinds = list(Kind) if options.child == "all" else [LABELS[options.child.encode()]]
        print(json.dumps(walk(options.repository, kinds, options.threads, options.max_memory_mb)))
        return 0
    if shutil.which("git") is None:
        print("needs git")
        return 2
    with ObjectDatabase.open(options.repository) as database:
        options.repository = git_dir = database.git_dir
    git, ours, blobs = [], [], []
    for _ in range(options.rounds):
        git.append(time_git(git_dir))
        ours.append(walk_apart(options, "all"))
        blobs.append(walk_apart(options, "blob"))
    wall, cpu = (statistics.median(run[i] for run in git) for i in (0, 1))
    print(f"git cat-file     {wall:7.2f} s wall {cpu:7.2f} s cpu             every object")
    for name, runs in (("every object", ours), ("blobs", blobs)):
        seconds, work, peak = (statistics.median(run[key] for run in runs) for key in ("wall", "cpu", "peak"))
        print(f"siltstone walk   {seconds:7.2f} s wall {work:7.2f} s cpu {peak / 1e6:6.0f} MB   {name}: "
              f"{runs[0]['walk.objects']:,} objects, {runs[0]['walk.bytes'] / 1e9:.2f} GB")
    ratio = statistics.median(theirs[0] / mine["wall"] for theirs, mine in zip(git, ours, strict=True))
    print(f"ratio of wall times {ratio:.2f} x   " + "  ".join(f"{name} {ours[0][name]:,}" for name in COUNTERS[2:]))
    if options.no_compare:
        return 0
    mine, theirs = digest_of(entries_of_walk(options)), digest_of(dict(objects_of_git(git_dir)))
    print(f"digest of all objects: siltstone {mine}\n                             git {theirs}")
    return 0 if mine == theirs else 1


if __name__ == "__main__":
    sys.exit(main())
