"""The fuzz targets of hashing find nothing in a few hundred fixed tries."""

from __future__ import annotations

from fuzz import fuzz_hash_cache, fuzz_hash_text
from fuzz.mutation import fuzz


def test_hash_text_survives_mutation() -> None:
    assert fuzz(fuzz_hash_text.check, fuzz_hash_text.SEEDS, seed=1, iterations=1500) > 100


def test_hash_cache_survives_mutation() -> None:
    assert fuzz(fuzz_hash_cache.check, fuzz_hash_cache.SEEDS, seed=2, iterations=800) > 100
