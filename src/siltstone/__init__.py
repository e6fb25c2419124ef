"""Siltstone reads repositories and artifacts layer by layer, at native speed and in bounded memory.

The names below are loaded when they are first used, so ``import siltstone`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from siltstone.core.lazy import lazy_names
from siltstone.core.version import VERSION

if TYPE_CHECKING:
    from siltstone.codeindex.scip_reader import read_scip as read_scip
    from siltstone.content.chunking import Chunker as Chunker
    from siltstone.content.chunking import cut_offsets as cut_offsets
    from siltstone.content.store import ChunkStore as ChunkStore
    from siltstone.core.budget import Budget as Budget
    from siltstone.detection.scan import scan as scan
    from siltstone.gitobjects.object_database import ObjectDatabase as ObjectDatabase
    from siltstone.graph.queries import Graph as Graph
    from siltstone.ingestion.driver import ingest as ingest
    from siltstone.native import native_status as native_status

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


__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
