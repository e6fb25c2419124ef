"""The digest of a graph: equal for equal sets of rows, in whatever order and batches they were written.

SHA-256 over the tables ``entities``, ``edges``, ``unresolved``.  The rows of a table are sorted (by unsigned key;
unresolved by source key, line, column, kind, UTF-8 of the name).  Each column is one SHA-256 stream: numbers
little-endian in their fixed width; a text column is two streams, the byte lengths as uint32 and the UTF-8 end to end.
The result hashes `_HEADER`, then per table its row count as uint64 and the digests of its columns.  DO NOT CHANGE: stored.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from siltstone.codeindex.entities import EdgeBatch, EntityBatch, Strings, UnresolvedBatch

_HEADER = b"siltstone graph 1\n"


class _TableDigest:
    """Running digests of the columns of one table."""

    def __init__(self, columns: int) -> None:
        self._streams = [hashlib.sha256() for _ in range(columns)]
        self._count = 0

    def add(self, count: int, *columns: Any) -> None:
        for stream, column in zip(self._streams, columns, strict=True):
            stream.update(column)
        self._count += count

    def encode(self) -> bytes:
        return self._count.to_bytes(8, "little") + b"".join(stream.digest() for stream in self._streams)


class GraphDigest:
    """Takes sorted batches, table by table; memory does not grow with them."""

    def __init__(self) -> None:
        self._entities = _TableDigest(10)
        self._edges = _TableDigest(7)
        self._unresolved = _TableDigest(6)

    def add_entities(self, batch: EntityBatch) -> None:
        """Add the next entities in the order of their keys."""
        self._entities.add(
            len(batch), _numbers(batch.keys, "<u8"), _numbers(batch.kinds, "u1"), *_texts(batch.paths),
            *_texts(batch.names), *_texts(batch.signatures), _numbers(batch.spans, "<i4"), _numbers(batch.sources, "u1"),
        )

    def add_edges(self, batch: EdgeBatch) -> None:
        """Add the next edges in the order of their keys."""
        self._edges.add(
            len(batch), _numbers(batch.keys, "<u8"), _numbers(batch.source_keys, "<u8"),
            _numbers(batch.target_keys, "<u8"), _numbers(batch.kinds, "u1"), _numbers(batch.sources, "u1"),
            _numbers(batch.confidences, "u1"), _numbers(batch.lines, "<i4"),
        )

    def add_unresolved(self, batch: UnresolvedBatch) -> None:
        """Add the next unresolved uses in their order."""
        self._unresolved.add(
            len(batch), _numbers(batch.source_keys, "<u8"), _numbers(batch.lines, "<i4"),
            _numbers(batch.columns, "<i4"), _numbers(batch.kinds, "u1"), *_texts(batch.names),
        )

    def hexdigest(self) -> str:
        """Return the digest of everything added so far as 64 hexadecimal digits."""
        tables = (self._entities, self._edges, self._unresolved)
        return hashlib.sha256(_HEADER + b"".join(table.encode() for table in tables)).hexdigest()


def _numbers(column: Any, layout: str) -> Any:
    return np.ascontiguousarray(column, layout).data


def _texts(column: Strings) -> tuple[Any, Any]:
    first, last = int(column.offsets[0]), int(column.offsets[-1])
    return _numbers(np.diff(column.offsets), "<u4"), memoryview(column.arena)[first:last]
