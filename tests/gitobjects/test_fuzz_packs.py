"""The fuzz targets of packs, run briefly with a fixed seed; the scripts in fuzz/ run them for longer."""

from __future__ import annotations

from types import ModuleType

import pytest
from fuzz import (
    fuzz_commit,
    fuzz_commit_graph,
    fuzz_delta,
    fuzz_loose,
    fuzz_midx,
    fuzz_pack,
    fuzz_pack_index,
    fuzz_reverse_index,
)  # fmt: skip
from fuzz.mutation import fuzz


@pytest.mark.parametrize(
    ("target", "iterations"), [
        (fuzz_commit, 2000), (fuzz_commit_graph, 500), (fuzz_delta, 3000), (fuzz_loose, 200), (fuzz_pack, 200),
        (fuzz_pack_index, 400), (fuzz_midx, 600), (fuzz_reverse_index, 400),
    ],
    ids=lambda value: value.__name__ if isinstance(value, ModuleType) else "",
)
def test_a_fuzz_target_holds_and_refuses_some(target: ModuleType, iterations: int) -> None:
    refused = fuzz(target.check, target.SEEDS, seed=20, iterations=iterations)
    assert 0 < refused <= iterations
