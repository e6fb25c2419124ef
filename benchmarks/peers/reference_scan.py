"""Reference scan: `re` and ours in turn on the same bytes. Run: python benchmarks/peers/reference_scan.py [MIB]

The peer is an alternation of the hash parts in the standard library's `re`; Nix offers its own scan only inside of a build.
Inputs: random bytes, text like source code, base 64, and random bytes with a reference every 1,000, each with 1 and 100 parts.
Wall time, medians of 7 alternating rounds, one thread; both must find the same references.
"""

from __future__ import annotations

import base64
import random
import re
import statistics
import sys
import time
from collections.abc import Callable

from siltstone.content.references import find_references

ROUNDS = 7
MIB = 1 << 20
DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
WORDS = b"static int return const char struct void if else for while NULL size_t buf len name git_ error path".split()


def inputs(size: int, parts: list[str], rng: random.Random) -> dict[str, bytes]:
    """Return the kinds of content by name; the last part never occurs, so that nobody stops early."""
    page = b"".join(b"\t" + b" ".join(rng.choices(WORDS, k=8)) + b" = %d;\n" % rng.getrandbits(20) for _ in range(4_000))
    noise = rng.randbytes(size)
    names = [f"/nix/store/{part}-x".encode() for part in parts[:-1]]
    store = b"".join(noise[at:at + 955] + rng.choice(names) for at in range(0, size, 1_000)) if names else noise
    return {"random": noise, "text": (page * (size // len(page) + 1))[:size],
            "base64": base64.b64encode(noise[: size * 3 // 4]), "store": store}


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(kind: str, data: bytes, parts: list[str]) -> bool:
    """Time both on *data*, A B A B, print medians and ratio; return whether they found the same."""
    pattern = re.compile("|".join(parts).encode())

    def theirs() -> set[str]:
        return {match.decode() for match in pattern.findall(data)}

    def ours() -> frozenset[str]:
        return find_references([data], parts)

    equal = theirs() == ours()
    rounds = [(seconds_of(theirs), seconds_of(ours)) for _ in range(ROUNDS)]
    speeds = [len(data) / statistics.median(column) / 1e9 for column in zip(*rounds, strict=True)]
    ratio = statistics.median(peer / own for peer, own in rounds)
    print(f"{kind:8} {len(parts):4} parts   re {speeds[0]:6.3f} GB/s   siltstone {speeds[1]:6.2f} GB/s   ratio {ratio:7.1f}"
          f"   found {'equal' if equal else 'DIFFER'}")
    return equal


def main() -> int:
    """Print a line for each input; 0 where both found the same everywhere."""
    rng = random.Random(2003)
    size = int(sys.argv[1] if len(sys.argv) > 1 else 64) * MIB
    results = []
    for count in (1, 100):
        parts = ["".join(rng.choices(DIGITS, k=32)) for _ in range(count)]
        results += [compare(kind, data, parts) for kind, data in inputs(size, parts, rng).items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
