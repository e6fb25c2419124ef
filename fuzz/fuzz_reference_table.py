"""Fuzz the reader of reference tables. Run: python fuzz/fuzz_reference_table.py [--seed N] [--iterations N]

A table is mutated under a right digest, so that the damage reaches the parser: it gives a documented error, or a table that is
written as it was read and that restores a stream of its size or refuses it.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import mutation

from siltstone.content.hashing import digest_of
from siltstone.content.reference_rewrite import ReferenceNormalizer, ReferenceRestorer
from siltstone.content.reference_table import format_reference_table, parse_reference_table
from siltstone.core.errors import SiltstoneError

_PARTS = ("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q", "0" * 32)
_LIMIT_BYTES = 1 << 20


def _seed() -> bytes:
    normalizer = ReferenceNormalizer(_PARTS)
    normalizer.feed(b"-".join(part.encode() for part in _PARTS * 3) + b"\0" * 300 + _PARTS[0].encode())
    return format_reference_table(normalizer.finish()[1])[:-32]


SEEDS = (_seed(),)


def target(body: bytes) -> None:
    """Read *body* as it is, which must fail, and under its digest."""
    assert not is_read(body)
    data = body + digest_of(body)
    table = parse_reference_table(data, source="fuzz", limit_bytes=_LIMIT_BYTES)
    assert format_reference_table(table) == data
    restorer = ReferenceRestorer(table)
    size = min(table.size, 2_000)
    assert len(restorer.feed(bytes(size))) == size


def is_read(data: bytes) -> bool:
    """Whether *data* is a table."""
    try:
        parse_reference_table(data, limit_bytes=_LIMIT_BYTES)
    except SiltstoneError:
        return False
    return True


def find_difference(source: random.Random, count: int) -> str | None:
    """Try *count* mutations; return what went wrong, or None."""
    for _ in range(count):
        body = mutation.mutate(source, source.choice(SEEDS))
        try:
            target(body)
        except SiltstoneError:
            continue
        except AssertionError:
            return body.hex()
    return None


if __name__ == "__main__":
    sys.exit(mutation.run(target, SEEDS))
