"""Deltas: any bytes give a result equal to the twin's, or CorruptDataError."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone._native import delta
from siltstone.core.errors import CorruptDataError
from tests.reference import delta as reference

BASE = bytes(range(256)) * 4
SEEDS = [
    reference.encode(1024, [(0, 1024)]),
    reference.encode(1024, [b"insert", (100, 30), (1000, 24), b"x" * 127, (0, 1)]),
    reference.encode(1024, [b"only"]),
    reference.encode(1024, []),
]


def check(program: bytes) -> None:
    """Hold the kernel to its twin."""
    try:
        expected: bytes | None = reference.apply(BASE, program)
    except CorruptDataError:
        expected = None
    try:
        found: bytes | None = delta.apply(BASE, program)
    except CorruptDataError:
        found = None
    assert found == expected
    if found is None:
        raise CorruptDataError("refused", offset=0)


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
