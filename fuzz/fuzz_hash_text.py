"""Hashes as text, and lines of them: any bytes give a value that is written back as the same value, or CorruptDataError."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone.content.hash_text import DIGEST_SIZES, STYLES, Hash, format_hash, parse_hash
from siltstone.content.sum_file import format_sum_line, parse_sum_line

HASHES = [Hash(name, bytes(range(7, 7 + size))) for name, size in DIGEST_SIZES.items()]
TEXTS = [format_hash(value, style) for value in HASHES for style in STYLES]
SEEDS = [format_sum_line(text, name).encode() for text in TEXTS for name in ("file", "line\nfeed\\", "\udcff")]


def check(data: bytes) -> None:
    """Read a line, then its digits."""
    digits, name = parse_sum_line(data)
    assert parse_sum_line(format_sum_line(digits, name).encode()) == (digits, name)
    value = parse_hash(digits)
    assert all(parse_hash(format_hash(value, style)) == value for style in STYLES)


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
