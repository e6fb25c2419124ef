"""Fuzz the reader of the git index. Run: python fuzz/fuzz_git_index.py [SECONDS [SEED]]

Builds indexes of versions 2 to 4, which must be read back as built, and mutates them under a right checksum, so that the
damage reaches the parser: each gives entries with clean paths in order, or the documented errors.  Ends with 1 and the
offending bytes in hexadecimal otherwise.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from siltstone.core.errors import CorruptDataError, UnsupportedError
from siltstone.gitobjects.git_index import parse_git_index
from siltstone.gitobjects.ids import SHA1, SHA256, HashAlgorithm

_NAMES = (b"a", b"a.c", b"b", b"src", b"\xff\xfe", b"with space", b"n" * 300)


def drop_count(number: int) -> bytes:
    """Return *number* as version 4 writes how much of the path before is dropped (the coding of OFS_DELTA)."""
    out = bytearray([number & 0x7F])
    while number > 0x7F:
        number = (number >> 7) - 1
        out.insert(0, 0x80 | number & 0x7F)
    return bytes(out)


def build(rng: random.Random, algorithm: HashAlgorithm) -> tuple[bytes, list[tuple[bytes, int]]]:
    """Return an index without its checksum, and the paths and stages in it."""
    version = rng.choice((2, 3, 4))
    rows = sorted({
        (b"/".join(rng.choice(_NAMES) for _ in range(rng.randint(1, 3))), rng.choice((0, 0, 1, 2, 3)))
        for _ in range(rng.randrange(7))
    })
    body, before = bytearray(b"DIRC" + version.to_bytes(4) + len(rows).to_bytes(4)), b""
    for path, stage in rows:
        start, extended = len(body), version > 2 and rng.random() < 0.3
        body += rng.randbytes(24) + rng.choice((0o100644, 0o120000, 0o160000)).to_bytes(4) + rng.randbytes(12)
        body += rng.randbytes(algorithm.size) + (extended << 14 | stage << 12 | min(len(path), 0xFFF)).to_bytes(2)
        body += rng.choice((0x4000, 0x2000)).to_bytes(2) if extended else b""
        if version == 4:
            shared = len([None for left, right in zip(before, path, strict=False) if left == right])
            shared = next((i for i in range(shared) if before[i] != path[i]), min(shared, len(before), len(path)))
            body += drop_count(len(before) - shared) + path[shared:] + b"\0"
        else:
            body += path + bytes(8 - (len(body) + len(path) - start) % 8)
        before = path
    if rng.random() < 0.5:
        body += b"TREE" + (5).to_bytes(4) + b"12345"
    return bytes(body), rows


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Return *data* with a few bytes changed, removed or repeated."""
    work = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(work) + 1)
        choice = rng.randrange(3)
        if choice == 0 and at < len(work):
            work[at] = rng.choice((0, 1, 0x2F, 0x40, 0x80, 0xFF, rng.randrange(256)))
        elif choice == 1:
            del work[at : at + rng.randrange(9)]
        else:
            work[at:at] = work[at : at + rng.randrange(70)]
    return bytes(work)


def sealed(body: bytes, algorithm: HashAlgorithm) -> bytes:
    """Return *body* with its checksum."""
    return body + hashlib.new(algorithm.name, body, usedforsecurity=False).digest()


def find_difference(rng: random.Random) -> str | None:
    """Try one index whole and mutated; return what went wrong, or None."""
    algorithm = rng.choice((SHA1, SHA256))
    body, rows = build(rng, algorithm)
    if [(entry.path, entry.stage) for entry in parse_git_index(sealed(body, algorithm), algorithm)] != rows:
        return f"built {algorithm.name} {body.hex()}"
    damaged = mutate(rng, body)
    try:
        entries = parse_git_index(sealed(damaged, algorithm), algorithm)
    except (CorruptDataError, UnsupportedError):
        return None
    keys = [(entry.path, entry.stage) for entry in entries]
    clean = all(part not in (b"", b".", b"..") for path, _ in keys for part in path.removesuffix(b"/").split(b"/"))
    return None if clean and keys == sorted(set(keys)) else f"damaged {algorithm.name} {damaged.hex()}"


def run(seconds: float, seed: int) -> str | None:
    """Fuzz for *seconds*; return the first difference, or None. Any other error passes, with its trace."""
    rng, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        difference = find_difference(rng)
        if difference is not None:
            return difference
    return None


if __name__ == "__main__":
    problem = run(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(problem or "no difference")
    sys.exit(1 if problem else 0)
