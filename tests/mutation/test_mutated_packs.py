"""Mutated packs, indexes, deltas and loose objects: the fuzz targets, long enough for a sanitized build to see a bad access."""

from __future__ import annotations

from types import ModuleType

import pytest
from fuzz import fuzz_delta, fuzz_loose, fuzz_pack, fuzz_pack_index
from fuzz.mutation import fuzz

RUNS = {fuzz_delta: 6000, fuzz_loose: 600, fuzz_pack: 400, fuzz_pack_index: 1500}


@pytest.mark.parametrize("seed", [101, 102])
@pytest.mark.parametrize("target", RUNS, ids=lambda target: target.__name__.rpartition(".")[2])
def test_mutated_bytes_give_a_value_or_an_error_of_ours(target: ModuleType, seed: int) -> None:
    assert fuzz(target.check, target.SEEDS, seed=seed, iterations=RUNS[target]) > 0
