"""Siltstone reads repositories and artifacts layer by layer, at native speed and in bounded memory.

The names below are loaded when they are first used, so ``import siltstone`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from siltstone.core.errors import (
    BudgetExceeded,
    Cancelled,
    ConfigError,
    CorruptDataError,
    IncompleteError,
    NotFoundError,
    SiltstoneError,
    StoreError,
    UnsupportedError,
)
from siltstone.core.version import VERSION

if TYPE_CHECKING:
    from siltstone.core.budget import Budget as Budget

__version__ = VERSION

_HOMES = {
    "Budget": "siltstone.core.budget",
    "ChunkStore": "siltstone.content.store",
    "Chunker": "siltstone.content.chunking",
    "Graph": "siltstone.graph.queries",
    "ObjectDatabase": "siltstone.gitobjects.object_database",
    "cut_offsets": "siltstone.content.chunking",
    "ingest": "siltstone.ingestion.driver",
    "native_status": "siltstone.native",
    "read_scip": "siltstone.codeindex.scip_reader",
    "scan": "siltstone.detection.scan",
}

__all__ = [
    "BudgetExceeded",
    "Cancelled",
    "ConfigError",
    "CorruptDataError",
    "IncompleteError",
    "NotFoundError",
    "SiltstoneError",
    "StoreError",
    "UnsupportedError",
    *_HOMES,
]


def __getattr__(name: str) -> Any:
    """Load a public name from its layer."""
    if name not in _HOMES:
        raise AttributeError(f"module 'siltstone' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
