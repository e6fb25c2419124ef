"""How often the adaptive choice errs, on real files. Run: python benchmarks/peers/adaptive_choice.py FOLDER [FILES]

For each file (the first MiB of it): what the choice was, what zstd 3 would have made of it, and what both cost.  A file that
was kept and would have shrunk to 97 % or less is a false negative.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from siltstone.content.adaptive import DEFAULT_RATIO, compress_adaptive, find_packed_format, sample_entropy
from siltstone.content.compression import compress

MOST_BYTES = 1 << 20


def files_below(folder: str, most: int) -> list[Path]:
    """Return up to *most* regular files by chance, the same each time."""
    found = [Path(root) / name for root, _, names in os.walk(folder) for name in sorted(names)]
    random.Random(3).shuffle(found)
    return [path for path in found if path.is_file() and not path.is_symlink()][:most]


def main() -> int:
    """Print counts, bytes and times."""
    counts: Counter[str] = Counter()
    glance = full = 0.0
    worst: list[tuple[int, str, str]] = []
    for path in files_below(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20_000):
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
        start = time.thread_time()
        if find_packed_format(data) is None and len(data) >= 16 << 10:
            sample_entropy(data)
        glance += time.thread_time() - start
        start = time.thread_time()
        packed = len(compress(data))
        full += time.thread_time() - start
        result = compress_adaptive(data)
        pays = packed <= DEFAULT_RATIO * len(data)
        counts["files"] += 1
        counts["bytes"] += len(data)
        counts["bytes if all are compressed"] += min(packed, len(data))
        counts["bytes as chosen"] += len(result.payload)
        skipped = result.codec == "none" and "too little" not in result.reason
        counts["skipped at a glance"] += skipped
        if skipped and pays:
            counts["skipped, would have paid"] += 1
            worst.append((len(data) - packed, result.reason, str(path)))
        counts["compressed in vain"] += not skipped and not pays
    for name, count in counts.items():
        print(f"{name:30} {count:>14,}")
    lost = counts["bytes as chosen"] / counts["bytes if all are compressed"] - 1
    print(f"{'size lost by the choice':30} {100 * lost:>13.2f}%")
    print(f"{'glance / compressing, seconds':30} {glance:.2f} / {full:.2f}")
    for saved, reason, name in sorted(worst, reverse=True)[:5]:
        print(f"  {saved:>10,} bytes not saved: {name} ({reason})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
