"""Sinks for rows: one JSON object per line, and several sinks fed at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from siltstone.codeindex.entities import (
    Batch,
    Confidence,
    EdgeBatch,
    EdgeKind,
    EntityBatch,
    EntityKind,
    Sink,
    Source,
    UnresolvedBatch,
)
from siltstone.codeindex.keys import format_key

_EDGE_KINDS = [kind.label for kind in EdgeKind]
_SOURCES = [source.name.lower() for source in Source]
_CONFIDENCES = [confidence.name.lower() for confidence in Confidence]


@dataclass(slots=True)
class NdjsonSink:
    """Hands every row to *write* as one line of JSON, without the line end; keys are 16 hexadecimal digits."""

    write_line: Callable[[str], object]

    def write(self, batch: Batch) -> None:
        """Write the rows of *batch*."""
        for row in _rows(batch):
            self.write_line(json.dumps(row, ensure_ascii=False, separators=(",", ":")))

    def close(self) -> None:
        """Do nothing: the lines belong to the caller."""


@dataclass(slots=True)
class TeeSink:
    """Hands every batch to several sinks, in their order."""

    sinks: Sequence[Sink]

    def write(self, batch: Batch) -> None:
        """Pass *batch* on."""
        for sink in self.sinks:
            sink.write(batch)

    def close(self) -> None:
        """Close all."""
        for sink in self.sinks:
            sink.close()


def _rows(batch: Batch) -> Iterator[dict[str, Any]]:
    if isinstance(batch, EntityBatch):
        for entity in batch.rows():
            yield {
                "type": "entity", "key": format_key(entity.key), "kind": EntityKind(entity.kind).label, "path": entity.path,
                "name": entity.name, "signature": entity.signature, "span": list(entity.span),
                "source": _SOURCES[entity.source],
            }
    elif isinstance(batch, EdgeBatch):
        yield from _edge_rows(batch)
    else:
        yield from _unresolved_rows(batch)


def _edge_rows(batch: EdgeBatch) -> Iterator[dict[str, Any]]:
    columns = zip(
        batch.keys.tolist(), batch.source_keys.tolist(), batch.target_keys.tolist(), batch.kinds.tolist(),
        batch.sources.tolist(), batch.confidences.tolist(), batch.lines.tolist(), strict=True,
    )
    for key, one, other, kind, source, confidence, line in columns:
        yield {
            "type": "edge", "key": format_key(key), "kind": _EDGE_KINDS[kind], "from": format_key(one), "to": format_key(other),
            "source": _SOURCES[source], "confidence": _CONFIDENCES[confidence], "line": line,
        }


def _unresolved_rows(batch: UnresolvedBatch) -> Iterator[dict[str, Any]]:
    columns = zip(
        batch.source_keys.tolist(), batch.kinds.tolist(), batch.names.tolist(), batch.lines.tolist(), batch.columns.tolist(),
        strict=True,
    )
    for key, kind, name, line, column in columns:
        yield {"type": "unresolved", "from": format_key(key), "kind": _EDGE_KINDS[kind], "name": name, "line": line,
               "column": column}
