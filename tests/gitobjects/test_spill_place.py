"""The arena of a database: made at first need, paid from the budget, gone with the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import ConfigError
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.spill_arena import DEFAULT_ALLOWANCE, SpillPlace, default_spill_bytes, open_spill_arena
from tests.gitobjects.histories import make_bare


def test_a_database_has_one_arena_until_it_is_closed(tmp_path: Path) -> None:
    repository = make_bare(tmp_path / "bare", "sha256")
    budget = Budget(total_bytes=64 * MIB)
    with ObjectDatabase.open(repository, budget=budget, spill_dir=tmp_path, spill_bytes=1 << 16) as db:
        assert budget.reserved("spill") == 0
        arena = db.spill
        assert arena is not None
        assert db.spill is arena
        assert arena.put(bytes(32), b"kept")
        assert not arena.put(b"\x01" * 32, bytes(1 << 16))
        assert (arena.capacity_bytes, arena.refused) == (1 << 16, 1)
        assert 0 < budget.reserved("spill") <= 8 * MIB
    assert budget.reserved("spill") == 0
    assert db.spill is None


def test_no_arena_where_none_is_wanted_or_paid_for(tmp_path: Path) -> None:
    assert SpillPlace(Budget(), 20, tmp_path, 0).arena() is None
    assert SpillPlace(Budget(total_bytes=MIB), 20, tmp_path, None).arena() is None
    with pytest.raises(ConfigError):
        SpillPlace(Budget(), 20, tmp_path, -1)


def test_the_default_size_leaves_most_of_the_disk_alone(tmp_path: Path) -> None:
    assert 0 <= default_spill_bytes(tmp_path) <= 8 << 30
    arena = open_spill_arena(tmp_path)
    assert arena.capacity_bytes <= 8 << 30
    assert arena.held_bytes == DEFAULT_ALLOWANCE + 16 * (1 << 19)
    assert open_spill_arena(size_bytes=100).capacity_bytes == 100
