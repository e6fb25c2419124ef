"""The fuzz targets of this layer run and find nothing in a few hundred fixed tries."""

from __future__ import annotations

import random

from fuzz import fuzz_git_index, fuzz_tree


def test_tree_kernels_survive_mutation() -> None:
    rng = random.Random(2_026)
    assert [found for _ in range(600) if (found := fuzz_tree.find_difference(rng))] == []


def test_git_index_survives_mutation() -> None:
    rng = random.Random(2_027)
    assert [found for _ in range(600) if (found := fuzz_git_index.find_difference(rng))] == []
