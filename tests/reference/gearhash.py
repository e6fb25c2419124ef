"""Cut points of xet, as its chunker does it: skip, then ask the hasher for matches until one lies past the minimum."""

from collections.abc import Sequence

WORD = (1 << 64) - 1
WINDOW = 64


def next_match(data: bytes, start: int, end: int, gear: Sequence[int], mask: int, state: int) -> tuple[int, int | None]:
    """Return the hash, and how many bytes were hashed up to a match, or None (`Hasher::next_match` of the crate)."""
    for at in range(start, end):
        state = ((state << 1) + gear[data[at]]) & WORD
        if not state & mask:
            return state, at + 1 - start
    return state, None


def cut(data: bytes, gear: Sequence[int], minimum: int, maximum: int, mask: int) -> int:
    """Return the size of the first chunk of *data*."""
    at = min(minimum - WINDOW - 1, len(data)) if minimum > WINDOW else 0
    state, end = 0, min(len(data), maximum)
    while True:
        state, hashed = next_match(data, at, end, gear, mask, state)
        if hashed is None:
            return end
        at += hashed
        if at >= minimum:
            return at


def cut_offsets(data: bytes, gear: Sequence[int], minimum: int, maximum: int, mask: int) -> list[int]:
    ends, start = [], 0
    while start < len(data):
        start += cut(data[start:start + maximum], gear, minimum, maximum, mask)
        ends.append(start)
    return ends
