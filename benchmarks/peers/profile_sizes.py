"""What a target size costs: versions of one git repository, cut and compressed.

Run: python benchmarks/peers/profile_sizes.py REPOSITORY [VERSIONS [COMMITS_BETWEEN]]

The presets for archives were chosen from this: each version is a tar of its tree; equal chunks are stored once, zstd 3.
"""

from __future__ import annotations

import subprocess
import sys

from siltstone.content.compression import Compressor
from siltstone.content.hashing import digest_of
from siltstone.content.kernels import cut_offsets
from siltstone.content.profiles import Profile

KIB = 1 << 10
RECORD, INDEX = 36, 52  # bytes that a store keeps for each chunk of a file, and for each different one


def versions(repository: str, count: int, between: int) -> list[bytes]:
    """Return tars of *count* trees of the main line, *between* commits apart, the oldest first."""
    listed = subprocess.run(["git", "-C", repository, "rev-list", "--first-parent", "HEAD"], capture_output=True, check=True)
    commits = listed.stdout.decode().split()[:count * between:between]
    command = ["git", "-C", repository, "archive", "--format=tar"]
    return [subprocess.run([*command, commit], capture_output=True, check=True).stdout for commit in reversed(commits)]


def measure(tars: list[bytes], profile: Profile) -> tuple[int, int, int, int]:
    """Return chunks, different chunks, their bytes, and their bytes when compressed."""
    compressor, sizes, chunks, unique = Compressor(), {}, 0, 0
    for tar in tars:
        view, start = memoryview(tar), 0
        for end in cut_offsets(tar, profile):
            digest = digest_of(view[start:end])
            chunks += 1
            if digest not in sizes:
                sizes[digest] = len(compressor.compress(view[start:end])[1])
                unique += end - start
            start = end
    return chunks, len(sizes), unique, sum(sizes.values())


def main() -> int:
    """Print one line for each target and normalization."""
    repository, count, between = sys.argv[1], *map(int, (sys.argv[2:] + ["5", "150"][len(sys.argv[2:]):])[:2])
    tars = versions(repository, count, between)
    total = sum(map(len, tars))
    print(f"{len(tars)} versions, {total:,} bytes")
    for kib in (8, 16, 32, 64, 128, 256, 512):
        for level in (1, 2):
            profile = Profile(minimum=kib * KIB // 4, target=kib * KIB, maximum=4 * kib * KIB, normalization=level)
            chunks, different, unique, stored = measure(tars, profile)
            whole = stored + RECORD * chunks + INDEX * different
            print(f"target {kib:4} KiB NC{level}: {chunks:7} chunks of {total / chunks / KIB:6.1f} KiB, "
                  f"{different:7} different; of all bytes {unique / total:.4f} kept, "
                  f"{stored / total:.4f} compressed, {whole / total:.4f} with records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
