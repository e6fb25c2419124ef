"""FastCDC as the crate `fastcdc` publishes it, chunk by chunk: v2020 with two bytes per step, v2016 with one."""

from collections.abc import Sequence

WORD = (1 << 64) - 1


def cut(
    data: bytes, gear: Sequence[int], minimum: int, target: int, maximum: int, mask_before: int, mask_after: int
) -> tuple[int, int]:
    """Return the hash at the first cut of *data*, and the cut."""
    remaining = len(data)
    if remaining <= minimum:
        return 0, remaining
    center = target
    if remaining > maximum:
        remaining = maximum
    elif remaining < center:
        center = remaining
    fingerprint = 0
    for begin, end, mask in ((minimum // 2, center // 2, mask_before), (center // 2, remaining // 2, mask_after)):
        for at in range(2 * begin, 2 * end, 2):
            fingerprint = ((fingerprint << 2) + (gear[data[at]] << 1)) & WORD
            if not fingerprint & (mask << 1):
                return fingerprint, at
            fingerprint = (fingerprint + gear[data[at + 1]]) & WORD
            if not fingerprint & mask:
                return fingerprint, at + 1
    return fingerprint, remaining


def cut_2016(
    data: bytes, gear: Sequence[int], minimum: int, target: int, maximum: int, mask_before: int, mask_after: int
) -> tuple[int, int]:
    """Return the hash at the first cut of *data*, and the cut, by v2016."""
    remaining = min(len(data), maximum)
    if len(data) <= minimum:
        return 0, len(data)
    fingerprint = 0
    for at in range(minimum, remaining):
        fingerprint = ((fingerprint << 1) + gear[data[at]]) & WORD
        if not fingerprint & (mask_before if at < target else mask_after):
            return fingerprint, at
    return fingerprint, remaining


def cuts(data: bytes, gear: Sequence[int], *rules: int) -> tuple[list[int], list[int]]:
    """Return the hashes and the end offsets of all chunks."""
    hashes, ends, start = [], [], 0
    minimum, target, maximum, mask_before, mask_after, *pairs = rules
    cut_one = cut_2016 if pairs == [False] else cut
    while start < len(data):
        fingerprint, size = cut_one(data[start:start + maximum + 1], gear, minimum, target, maximum, mask_before, mask_after)
        start += size
        hashes.append(fingerprint)
        ends.append(start)
    return hashes, ends


def cut_offsets(data: bytes, gear: Sequence[int], *rules: int) -> list[int]:
    return cuts(data, gear, *rules)[1]
