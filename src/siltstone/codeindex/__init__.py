"""SCIP indexes and source files as entities and relations with stable keys. Names are loaded when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone.core.lazy import lazy_names

if TYPE_CHECKING:
    from siltstone.codeindex.build import (
        ExtractionCache as ExtractionCache,
    )
    from siltstone.codeindex.build import (
        SourceFile as SourceFile,
    )
    from siltstone.codeindex.build import (
        index_repository as index_repository,
    )
    from siltstone.codeindex.entities import (
        Confidence as Confidence,
    )
    from siltstone.codeindex.entities import (
        EdgeBatch as EdgeBatch,
    )
    from siltstone.codeindex.entities import (
        EdgeKind as EdgeKind,
    )
    from siltstone.codeindex.entities import (
        EntityBatch as EntityBatch,
    )
    from siltstone.codeindex.entities import (
        EntityKind as EntityKind,
    )
    from siltstone.codeindex.entities import (
        MemorySink as MemorySink,
    )
    from siltstone.codeindex.entities import (
        Sink as Sink,
    )
    from siltstone.codeindex.entities import (
        UnresolvedBatch as UnresolvedBatch,
    )
    from siltstone.codeindex.keys import edge_key as edge_key
    from siltstone.codeindex.keys import entity_key as entity_key
    from siltstone.codeindex.scip_reader import read_scip as read_scip
    from siltstone.codeindex.scip_symbols import format_symbol as format_symbol
    from siltstone.codeindex.scip_symbols import parse_symbol as parse_symbol
    from siltstone.codeindex.sinks import NdjsonSink as NdjsonSink
    from siltstone.codeindex.summary import IndexSummary as IndexSummary
    from siltstone.codeindex.syntax import extract as extract
    from siltstone.codeindex.workspace import find_roots as find_roots

_HOMES = {
    "Confidence": "siltstone.codeindex.entities",
    "EdgeBatch": "siltstone.codeindex.entities",
    "EdgeKind": "siltstone.codeindex.entities",
    "EntityBatch": "siltstone.codeindex.entities",
    "EntityKind": "siltstone.codeindex.entities",
    "ExtractionCache": "siltstone.codeindex.build",
    "IndexSummary": "siltstone.codeindex.summary",
    "MemorySink": "siltstone.codeindex.entities",
    "NdjsonSink": "siltstone.codeindex.sinks",
    "Sink": "siltstone.codeindex.entities",
    "SourceFile": "siltstone.codeindex.build",
    "UnresolvedBatch": "siltstone.codeindex.entities",
    "edge_key": "siltstone.codeindex.keys",
    "entity_key": "siltstone.codeindex.keys",
    "extract": "siltstone.codeindex.syntax",
    "find_roots": "siltstone.codeindex.workspace",
    "format_symbol": "siltstone.codeindex.scip_symbols",
    "index_repository": "siltstone.codeindex.build",
    "parse_symbol": "siltstone.codeindex.scip_symbols",
    "read_scip": "siltstone.codeindex.scip_reader",
}

__all__ = [*_HOMES]

__getattr__ = lazy_names(__name__, _HOMES)
