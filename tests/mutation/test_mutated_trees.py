"""Mutated trees and index files: the fuzz targets, under the build that is being tested."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from fuzz import fuzz_git_index, fuzz_tree


@pytest.mark.parametrize("target", [fuzz_tree, fuzz_git_index], ids=lambda target: target.__name__.rpartition(".")[2])
def test_mutated_bytes_give_what_the_twin_gives(target: ModuleType) -> None:
    source = random.Random(103)
    assert [found for _ in range(1500) if (found := target.find_difference(source))] == []
