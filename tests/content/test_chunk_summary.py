"""Sizes are counted exactly; distinct bytes exactly at first, then from a fair sample in bounded memory."""

from __future__ import annotations

import hashlib
import random

import pytest

from siltstone.content.chunk_summary import ChunkSummary, SharedBytes


def digest(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def test_sizes_are_counted_by_powers_of_two() -> None:
    summary = ChunkSummary()
    for size in (1, 1_023, 1_024, 2_047, 2_048):
        summary.add(size)
    assert summary.histogram() == [(1, 1), (512, 1), (1_024, 2), (2_048, 1)]
    assert (summary.chunks, summary.bytes, summary.smallest, summary.largest) == (5, 6_143, 1, 2_048)
    assert summary.mean == pytest.approx(6_143 / 5)
    assert summary.as_dict()["distinct_share"] is None
    assert ChunkSummary().as_dict()["chunks"] == 0


def test_few_chunks_are_counted_exactly() -> None:
    shared = SharedBytes()
    for number, size in ((1, 100), (2, 300), (1, 100), (1, 100)):
        shared.add(digest(number), size)
    assert shared.is_exact
    assert shared.distinct_share == pytest.approx(400 / 600)
    assert SharedBytes().distinct_share == 1.0


def test_many_chunks_are_estimated_within_a_few_percent_and_few_are_kept() -> None:
    rng = random.Random(7)
    shared, seen, total = SharedBytes(keys_at_most=2_048), {}, 0
    for _ in range(60_000):
        number = rng.randrange(40_000)
        size = 1_000 + number % 5_000
        shared.add(digest(number), size)
        seen[number] = size
        total += size
    assert not shared.is_exact
    assert len(shared._seen) <= 2_048
    assert shared.distinct_share == pytest.approx(sum(seen.values()) / total, rel=0.05)
