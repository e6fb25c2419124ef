"""FastCDC v2020 as the crate `fastcdc` publishes it: two bytes per step, chunk by chunk."""

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


def cuts(data: bytes, gear: Sequence[int], *rules: int) -> tuple[list[int], list[int]]:
    """Return the hashes and the end offsets of all chunks."""
    hashes, ends, start = [], [], 0
    minimum, target, maximum, mask_before, mask_after = rules
    while start < len(data):
        fingerprint, size = cut(data[start:start + maximum + 1], gear, minimum, target, maximum, mask_before, mask_after)
        start += size
        hashes.append(fingerprint)
        ends.append(start)
    return hashes, ends


def cut_offsets(data: bytes, gear: Sequence[int], *rules: int) -> list[int]:
    return cuts(data, gear, *rules)[1]
