"""Many literals, the obvious way: `bytes.find` on folded text, one literal and one segment after the other."""

from __future__ import annotations

from collections.abc import Sequence

from siltstone.core.errors import ConfigError


def find_literals(
    literals: Sequence[bytes], data: bytes, starts: Sequence[int], ends: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Return sorted ``(segment, offset, literal)``; offsets count from the start of the segment."""
    if not all(1 <= len(literal) <= 255 for literal in literals):
        raise ConfigError("a literal has 1 to 255 bytes", field="literals")
    hits = []
    for segment, (start, end) in enumerate(zip(starts, ends, strict=True)):
        text = bytes(data[start:end]).lower()
        for number, literal in enumerate(literals):
            at = text.find(literal.lower())
            while at >= 0:
                hits.append((segment, at, number))
                at = text.find(literal.lower(), at + 1)
    return sorted(hits)
