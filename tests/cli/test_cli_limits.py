"""What ``--max-memory-mb`` bounds: everything together, and one object with a part of it."""

from __future__ import annotations

from argparse import Namespace

import pytest

from siltstone.cli.limits import budget_of
from siltstone.core import ConfigError
from siltstone.core.budget import DEFAULT_LIMITS, MIB


def test_the_option_bounds_everything_together_and_one_object_by_a_quarter() -> None:
    budget = budget_of(Namespace(max_memory_mb=64))
    assert (budget.total_bytes, budget.limit("object"), budget.limit("trees")) == (64 * MIB, 16 * MIB, 64 * MIB)
    assert budget_of(Namespace(max_memory_mb=1 << 20)).limit("object") == DEFAULT_LIMITS["object"]


def test_without_the_option_each_name_has_its_own_limit() -> None:
    assert budget_of(Namespace(max_memory_mb=None)).total_bytes is None


def test_too_little_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 16"):
        budget_of(Namespace(max_memory_mb=15))
