"""The names users may rely on, locked: adding or losing one is a decision, seen in this file."""

from __future__ import annotations

import siltstone
import siltstone.core

TOP = {
    "Budget", "BudgetExceeded", "Cancelled", "ChunkStore", "Chunker", "ConfigError", "CorruptDataError", "Graph",
    "IncompleteError", "NotFoundError", "ObjectDatabase", "SiltstoneError", "StoreError", "UnsupportedError",
    "cut_offsets", "ingest", "native_status", "read_scip", "scan",
}
CORE = {
    "Budget", "BudgetExceeded", "Cancelled", "ConfigError", "CorruptDataError", "DEFAULT_LIMITS", "GIB",
    "IncompleteError", "KIB", "MIB", "Metrics", "NO_METRICS", "NO_PROGRESS", "NotFoundError", "Progress",
    "ProgressState", "SiltstoneError", "StoreError", "UnsupportedError",
}


def test_top_level_names_are_these() -> None:
    assert set(siltstone.__all__) == TOP


def test_every_public_name_loads() -> None:
    for name in siltstone.__all__:
        assert getattr(siltstone, name) is not None
    assert set(siltstone.__all__) <= set(dir(siltstone))


def test_core_names_are_these() -> None:
    assert set(siltstone.core.__all__) == CORE
    for name in CORE:
        assert hasattr(siltstone.core, name)
