"""Peak memory of chunking a small and a large file, each way in a fresh process: VmHWM, and the difference of the two.

The files are sparse but for a block of noise every 16 MiB, so that 2 GB cost little disk; both have chunks of all lengths.
Run: python benchmarks/peers/chunk_memory.py [SMALL_MB LARGE_MB]
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

MB = 1_000_000
NOISE_BYTES = 8 << 20
STEP_BYTES = 16 << 20
ALLOWED_BYTES = 5 * MB

WAYS = {
    "iter_file_chunks": "for chunk in c.iter_file_chunks(path): pass",
    "iter_file_chunks, owned": "for chunk in c.iter_file_chunks(path, owned=True): pass",
    "iter_file_chunks, mapped": "for chunk in c.iter_file_chunks(path, mapped=True): pass",
    "read_chunks": "with open(path, 'rb') as file:\n for chunk in c.read_chunks(file): pass",
    "iter_file_cuts, 2 threads": "for ends in c.iter_file_cuts(path, threads=2): pass",
    "file_cut_offsets, 2 threads": "c.file_cut_offsets(path, threads=2)",
    "iter_file_chunks_async": (
        "import asyncio\nasync def run():\n async for chunk in c.iter_file_chunks_async(path): pass\nasyncio.run(run())"
    ),
    "silt chunk": "from siltstone.cli.main import main\nmain(['chunk', path, '--quiet'])",
    "silt chunk --threads 2": "from siltstone.cli.main import main\nmain(['chunk', path, '--quiet', '--threads', '2'])",
}
_AFTER = "\nfrom siltstone.core.memory import peak_resident_bytes\nimport sys\nprint(peak_resident_bytes(), file=sys.stderr)"


def write_input(path: Path, size: int) -> None:
    """Write noise and holes in turn."""
    rng = random.Random(size)
    with open(path, "wb") as file:
        for start in range(0, size, STEP_BYTES):
            file.seek(start)
            file.write(rng.randbytes(min(NOISE_BYTES, size - start)))
        file.truncate(size)


def peak_of(way: str, path: Path) -> int:
    """Return the peak of a fresh process that chunks *path*."""
    code = f"import siltstone.content as c\npath = {str(path)!r}\n{WAYS[way]}{_AFTER}"
    done = subprocess.run([sys.executable, "-P", "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return int(done.stderr.split()[-1])


def main() -> int:
    """Print both peaks of each way; 0 where every difference is below 5 MB."""
    sizes = [int(word) * MB for word in (sys.argv[1:3] or ["100", "2000"])]
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(size) for size in sizes]
        for path, size in zip(paths, sizes, strict=True):
            write_input(path, size)
        for way in WAYS:
            small, large = (peak_of(way, path) for path in paths)
            worst = max(worst, large - small)
            print(f"{way:28} {sizes[0] / MB:6.0f} MB: {small / MB:6.1f} MB   {sizes[1] / MB:6.0f} MB: {large / MB:6.1f} MB"
                  f"   difference {(large - small) / MB:5.1f} MB")
    return 0 if worst < ALLOWED_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
