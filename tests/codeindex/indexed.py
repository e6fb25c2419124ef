"""Index a few files written in a test, and read the rows back by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from siltstone.codeindex.build import SourceFile, index_repository
from siltstone.codeindex.entities import EdgeKind, MemorySink
from siltstone.codeindex.summary import IndexSummary
from siltstone.gitobjects.ledger import CoverageLedger


@dataclass(frozen=True)
class Indexed:
    """Rows by name: an entity is ``path:name``, a file its path."""

    entities: dict[str, list[tuple[str, str, tuple[int, ...]]]]  # name -> (kind, signature, span)
    edges: set[tuple[str, str, str]]  # kind, source, target
    unresolved: set[tuple[str, str, str]]  # kind, source, name as written
    summary: IndexSummary
    ledger: CoverageLedger
    sink: MemorySink

    def relations(self) -> set[tuple[str, str, str]]:
        """Return the edges that resolution made."""
        return {edge for edge in self.edges if edge[0] != "contains"}


def index(files: Mapping[str, str | bytes], **options: Any) -> Indexed:
    """Index *files* (path to content)."""
    content = {path.encode(): text.encode() if isinstance(text, str) else text for path, text in files.items()}
    sink, ledger = MemorySink(), CoverageLedger()
    summary = index_repository(
        [SourceFile(path, len(data)) for path, data in content.items()], lambda file: content[file.path], sink,
        repo_id="repo", ledger=ledger, **options,
    )
    return _read_back(sink, summary, ledger)


def _read_back(sink: MemorySink, summary: IndexSummary, ledger: CoverageLedger) -> Indexed:
    names: dict[int, str] = {}
    entities: dict[str, list[tuple[str, str, tuple[int, ...]]]] = {}
    for batch in sink.entities:
        for entity in batch.rows():
            name = entity.path if entity.kind.label == "file" else f"{entity.path}:{entity.name}"
            names[entity.key] = name
            entities.setdefault(name, []).append((entity.kind.label, entity.signature, tuple(entity.span)))
    edges = {
        (EdgeKind(kind).label, names[one], names[other])
        for batch in sink.edges
        for kind, one, other in zip(
            batch.kinds.tolist(), batch.source_keys.tolist(), batch.target_keys.tolist(), strict=True
        )
    }
    unresolved = {
        (EdgeKind(kind).label, names[key], name)
        for rows in sink.unresolved
        for kind, key, name in zip(rows.kinds.tolist(), rows.source_keys.tolist(), rows.names.tolist(), strict=True)
    }
    return Indexed(entities, edges, unresolved, summary, ledger, sink)
