"""What taking references out saves: two builds of one tree. Run: python benchmarks/peers/reference_dedup.py [TREE]

The first 256 MiB of the regular files of TREE (default: the standard library of this Python), end to end, in which every
``/usr/``, ``/bin/`` and ``/lib/`` becomes a store path, as a build for a store has them: twice, with different hash parts.
Prints how many bytes the second build adds to a store that has the first one, before and after, and the speed of taking out
and putting back. Restored bytes must be equal.
"""

from __future__ import annotations

import os
import random
import re
import sys
import sysconfig
import time
from pathlib import Path

from siltstone.content.chunking import iter_chunks
from siltstone.content.hashing import digest_of
from siltstone.content.profiles import get_profile
from siltstone.content.reference_rewrite import ReferenceNormalizer, ReferenceRestorer
from siltstone.content.reference_table import ReferenceTable, format_reference_table, parse_reference_table

DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
PIECE = 1 << 20
MOST_BYTES = 256 << 20
NAMES = (b"/usr/", b"/bin/", b"/lib/")


def read_tree(root: Path) -> bytes:
    """Return the first bytes of the regular files below *root*, in order of their names."""
    content = bytearray()
    for path in sorted(Path(folder) / name for folder, _, names in os.walk(root) for name in names):
        if path.is_file() and not path.is_symlink() and len(content) < MOST_BYTES:
            content += path.read_bytes()
    return bytes(content[:MOST_BYTES])


def build(content: bytes, parts: dict[bytes, str]) -> bytes:
    """Return *content* as a build whose dependencies have the hash *parts*."""
    pattern = re.compile(b"|".join(map(re.escape, NAMES)))
    return pattern.sub(lambda match: b"/nix/store/%s-dependency%s" % (parts[match[0]].encode(), match[0]), content)


def chunks(data: bytes) -> dict[bytes, int]:
    """Return the size of each distinct chunk, by digest."""
    return {digest_of(chunk): len(chunk) for chunk in iter_chunks(data, profile=get_profile("nar"))}


def added(first: bytes, second: bytes) -> int:
    """Return the bytes of chunks that *second* has and *first* has not."""
    known = chunks(first)
    return sum(size for digest, size in chunks(second).items() if digest not in known)


def normalise(data: bytes, parts: list[str]) -> tuple[bytes, ReferenceTable, float]:
    """Return the normalised bytes, the table, and the seconds it took."""
    start, view, normalizer = time.perf_counter(), memoryview(data), ReferenceNormalizer(parts)
    pieces = [normalizer.feed(view[at:at + PIECE]) for at in range(0, len(data), PIECE)]
    tail, table = normalizer.finish()
    seconds = time.perf_counter() - start
    return b"".join([*pieces, tail]), table, seconds


def restore(data: bytes, stored: bytes) -> tuple[bytes, float]:
    """Return the restored bytes, and the seconds it took, the reading of the table included."""
    start, view = time.perf_counter(), memoryview(data)
    restorer = ReferenceRestorer(parse_reference_table(stored))
    pieces = [restorer.feed(view[at:at + PIECE]) for at in range(0, len(data), PIECE)]
    restorer.finish()
    seconds = time.perf_counter() - start
    return b"".join(pieces), seconds


def main() -> int:
    """Print the comparison; 0 where both builds are restored exactly."""
    rng = random.Random(2017)
    content = read_tree(Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("stdlib")))
    sets = [{name: "".join(rng.choices(DIGITS, k=32)) for name in NAMES} for _ in range(2)]
    builds = [build(content, parts) for parts in sets]
    done = [normalise(data, list(parts.values())) for data, parts in zip(builds, sets, strict=True)]
    stored = [format_reference_table(table) for _, table, _ in done]
    back = [restore(body, table) for (body, _, _), table in zip(done, stored, strict=True)]
    size = len(builds[1])
    before, after = added(*builds), added(done[0][0], done[1][0])
    print(f"{size:,} bytes a build, {len(done[1][1]):,} references in it")
    print(f"second build adds, as it is:    {before:14,} bytes  ({before / size:.1%})")
    print(f"second build adds, normalised:  {after:14,} bytes  ({after / size:.1%}), and its table {len(stored[1]):,}")
    print(f"taken out at {size / done[1][2] / 1e9:.2f} GB/s, put back at {size / back[1][1] / 1e9:.2f} GB/s")
    equal = [data for data, _ in back] == builds
    print("restored bytes are equal" if equal else "restored bytes DIFFER")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
