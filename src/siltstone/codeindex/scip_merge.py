"""A SCIP index and the syntax of the same files as one set of rows.

A file that the index covers takes its entities and edges from it; syntax gives the call sites and the spans that the index
lacks.  All other files take theirs from syntax, and what they use in covered files is found by its qualified name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from siltstone.codeindex.entities import Edge, EdgeBatch, EdgeKind, Entity, EntityBatch, Span, Unresolved, UnresolvedBatch
from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.scip_graph import ScipGraph
from siltstone.codeindex.scip_reader import read_scip
from siltstone.core.budget import Budget
from siltstone.core.progress import Progress
from siltstone.gitobjects.ledger import CoverageLedger


@dataclass(slots=True)
class ScipRows:
    """What an index says of the files that are there."""

    covered: frozenset[str] = frozenset()
    entities: list[Entity] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)


def read_scip_rows(
    path: Path, repo_id: str, extractions: Mapping[str, Extraction], names: frozenset[str],
    read_source: Callable[[str], bytes | None], *, budget: Budget, ledger: CoverageLedger, progress: Progress,
) -> ScipRows:
    """Return the rows for the documents among *names*; documents of files that are not there are left out.

    Raises CorruptDataError where *path* is no SCIP index.
    """

    def enclosing(name: str) -> Sequence[Span]:
        rows = extractions.get(name)
        return [Span(*span) for span in rows.definition_spans] if rows is not None else []

    def call_sites(name: str) -> set[tuple[int, int]]:
        rows = extractions.get(name)
        if rows is None:
            return set()
        uses = zip(rows.use_kinds, rows.use_lines, rows.use_columns, strict=True)
        return {(line, column) for kind, line, column in uses if kind == EdgeKind.CALLS}

    graph = ScipGraph(repo_id, budget=budget, enclosing=enclosing, call_sites=call_sites, read_source=read_source)
    with read_scip(path, budget=budget, ledger=ledger) as reader:
        for document in reader:
            progress.check()
            if document.path in names:
                graph.add(document)
        graph.add_external(reader.external_symbols)
    rows = ScipRows(graph.covered_files)
    for batch in graph.finish():
        if isinstance(batch, EntityBatch):
            rows.entities += batch.rows()
        elif isinstance(batch, EdgeBatch):
            rows.edges += _edges(batch)
        else:
            rows.unresolved += _unresolved(batch)
    return rows


def _edges(batch: EdgeBatch) -> list[Edge]:
    columns = (batch.keys, batch.source_keys, batch.target_keys, batch.kinds, batch.sources, batch.confidences, batch.lines)
    return [Edge(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _unresolved(batch: UnresolvedBatch) -> list[Unresolved]:
    columns = zip(batch.source_keys.tolist(), batch.kinds.tolist(), batch.names.tolist(), batch.lines.tolist(),
                  batch.columns.tolist(), strict=True)
    return [Unresolved(key, EdgeKind(kind), name, line, column) for key, kind, name, line, column in columns]
