"""What each way to chunk costs over one call of `cut_offsets`, and what a second thread gains; pyfastcdc's ways beside them.

All ways run in turn on the same bytes, random ones or those of a file, A B C A B C; every one must give the same cuts.
Run: python benchmarks/peers/chunk_ways.py [MIB or FILE [TARGET_KIB [ROUNDS]]]
"""

from __future__ import annotations

import asyncio
import io
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import metadata
from itertools import accumulate
from pathlib import Path

from siltstone.content import (
    Chunker,
    ChunkPoller,
    PollState,
    Profile,
    cut_offsets,
    file_cut_offsets,
    iter_chunks,
    iter_file_chunks,
    iter_file_chunks_async,
    read_chunks,
)

MIB = 1 << 20
WINDOW = 4 * MIB


def ends_of(chunks: Iterable[bytes | memoryview]) -> list[int]:
    """Return where *chunks* end; each is let go at once."""
    return list(accumulate(map(len, chunks)))


def pushed(data: bytes, profile: Profile) -> list[int]:
    """Feed windows of 4 MiB."""
    chunker, view, sizes = Chunker(profile=profile), memoryview(data), []
    for start in range(0, len(data), WINDOW):
        sizes += map(len, chunker.feed(view[start:start + WINDOW]))
    sizes += map(len, chunker.finish())
    return list(accumulate(sizes))


def polled(data: bytes, profile: Profile) -> list[int]:
    """Poll to the end."""
    poller, sizes = ChunkPoller(io.BytesIO(data), profile=profile), []
    while (poll := poller.poll_next_chunk()).state is not PollState.DONE:
        if poll.chunk is not None:
            sizes.append(len(poll.chunk))
    return list(accumulate(sizes))


def awaited(path: Path, profile: Profile) -> list[int]:
    """Iterate over a file asynchronously."""
    async def collect() -> list[int]:
        return [len(chunk) async for chunk in iter_file_chunks_async(path, profile=profile)]

    return list(accumulate(asyncio.run(collect())))


def ways_of(data: bytes, path: Path, profile: Profile) -> dict[str, Callable[[], Iterable[int]]]:
    """Return every way by its name, the one they are compared with first."""
    ways: dict[str, Callable[[], Iterable[int]]] = {
        "cut_offsets": lambda: cut_offsets(data, profile=profile),
        "cut_offsets, 2 threads": lambda: cut_offsets(data, profile=profile, threads=2),
        "iter_chunks": lambda: ends_of(iter_chunks(data, profile=profile)),
        "Chunker.feed, 4 MiB": lambda: pushed(data, profile),
        "read_chunks, BytesIO": lambda: ends_of(read_chunks(io.BytesIO(data), profile=profile)),
        "read_chunks, owned": lambda: ends_of(read_chunks(io.BytesIO(data), profile=profile, owned=True)),
        "ChunkPoller": lambda: polled(data, profile),
        "iter_file_chunks": lambda: ends_of(iter_file_chunks(path, profile=profile)),
        "iter_file_chunks, mapped": lambda: ends_of(iter_file_chunks(path, profile=profile, mapped=True)),
        "iter_file_chunks_async": lambda: awaited(path, profile),
        "file_cut_offsets": lambda: file_cut_offsets(path, profile=profile),
        "file_cut_offsets, 2 threads": lambda: file_cut_offsets(path, profile=profile, threads=2),
    }
    with suppress(metadata.PackageNotFoundError):
        version = metadata.version("pyfastcdc")
        from pyfastcdc import FastCDC

        peer = FastCDC(avg_size=profile.target, min_size=profile.minimum, max_size=profile.maximum)
        ways[f"pyfastcdc {version} cut_buf"] = lambda: [chunk.offset + chunk.length for chunk in peer.cut_buf(data)]
        ways[f"pyfastcdc {version} cut_stream"] = lambda: [
            chunk.offset + chunk.length for chunk in peer.cut_stream(io.BytesIO(data))
        ]
        ways[f"pyfastcdc {version} cut_file"] = lambda: [chunk.offset + chunk.length for chunk in peer.cut_file(path)]
    return ways


def main() -> int:
    """Print the median time of each way over that of `cut_offsets` in the same round; 0 where all cuts are equal."""
    given, target, rounds = sys.argv[1:4] + ["256", "64", "9"][len(sys.argv[1:4]):]
    target, rounds = int(target), int(rounds)
    profile = Profile(minimum=target << 8, target=target << 10, maximum=target << 13)
    rng = random.Random(2020)
    data = b"".join(rng.randbytes(MIB) for _ in range(int(given))) if given.isdigit() else Path(given).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(data)
        ways = ways_of(data, path, profile)
        expected = list(cut_offsets(data, profile=profile))
        equal = {name: list(way()) == expected for name, way in ways.items()}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - start)
    first = seconds["cut_offsets"]
    for name, times in seconds.items():
        ratio = statistics.median(one / base for one, base in zip(times, first, strict=True))
        print(f"{name:30} {len(data) / statistics.median(times) / 1e9:6.2f} GB/s   {ratio:5.2f} x the time of cut_offsets"
              f"   {1 / ratio:5.2f} x its speed   cuts {'equal' if equal[name] else 'DIFFER'}")
    return 0 if all(equal.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
