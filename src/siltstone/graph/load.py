"""One replacement of the whole graph inside the open transaction of a writer.

Entities and unresolved uses go to their tables in sorted runs (a B-tree takes ascending keys several times faster);
edges stay in columns until `finish`, which the index in memory needs anyway, and are reserved from the budget "graph".
Of two rows with one key the smaller stays, so the order of writing never shows.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from siltstone.codeindex.entities import Batch, EdgeBatch, EntityBatch, EntityKind, UnresolvedBatch
from siltstone.core.budget import Budget
from siltstone.graph.csr import BYTES_PER_EDGE, BYTES_PER_ENTITY, GraphIndex, build_index, encode_columns
from siltstone.graph.database import Connection
from siltstone.graph.digest import GraphDigest
from siltstone.graph.reader import StoreReader
from siltstone.graph.schema import GRAPH_INDEXES, GRAPH_TABLES, leaf_of

_RUN_ROWS = 200_000  # rows that wait to be sorted: about 60 MB of entities
_SLICE_ROWS = 20_000  # rows that are Python values at once while edges are written
_IMAGE_CHUNK_BYTES = 8 << 20  # SQLite takes values up to 1 GB; smaller ones keep its copies small
_EDGE_BYTES = 3 * 8 + 3 + 4

_PUT_ENTITY = (
    "INSERT INTO entities VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET kind = excluded.kind,"
    " path = excluded.path, name = excluded.name, leaf = excluded.leaf, signature = excluded.signature,"
    " start_line = excluded.start_line, start_column = excluded.start_column, end_line = excluded.end_line,"
    " end_column = excluded.end_column, source = excluded.source"
    " WHERE (excluded.source, excluded.start_line, excluded.start_column, excluded.end_line, excluded.end_column,"
    " excluded.kind, excluded.path, excluded.name, excluded.signature)"
    " < (source, start_line, start_column, end_line, end_column, kind, path, name, signature)"
)


class GraphLoad:
    """Takes batches, then `finish`; the caller commits."""

    def __init__(self, reader: StoreReader, connection: Connection, budget: Budget) -> None:
        """Empty the graph's tables."""
        self._reader, self._connection, self._budget = reader, connection, budget
        self._entities: list[EntityBatch] = []
        self._unresolved: list[UnresolvedBatch] = []
        self._edges: list[EdgeBatch] = []
        self._waiting = {EntityBatch: 0, UnresolvedBatch: 0}
        self._reserved = 0
        for name in GRAPH_INDEXES:
            connection.execute(f"DROP INDEX {name}")
        for name in GRAPH_TABLES:
            connection.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of the schema

    def write(self, batch: Batch) -> None:
        """Take one batch. Raises BudgetExceeded where the edges pass the budget."""
        if isinstance(batch, EdgeBatch):
            self._reserve(len(batch) * (_EDGE_BYTES + BYTES_PER_EDGE))
            self._edges.append(batch)
        elif isinstance(batch, EntityBatch):
            self._reserve(len(batch) * BYTES_PER_ENTITY)
            self._entities.append(batch)
            self._waiting[EntityBatch] += len(batch)
            if self._waiting[EntityBatch] >= _RUN_ROWS:
                self._write_entities()
        else:
            self._unresolved.append(batch)
            self._waiting[UnresolvedBatch] += len(batch)
            if self._waiting[UnresolvedBatch] >= _RUN_ROWS:
                self._write_unresolved()

    def finish(self) -> dict[str, str]:
        """Write what waits, the indexes and the image; return the meta values of the new graph."""
        digest = GraphDigest()
        self._write_entities()
        self._write_unresolved()
        edges = sorted_edges(self._edges)
        self._edges.clear()
        self._write_edges(edges)
        for statement in GRAPH_INDEXES.values():
            self._connection.execute(statement)
        keys, kinds, owners = self._read_back_entities(digest)
        digest.add_edges(edges)
        unresolved = 0
        for batch in self._reader.unresolved():
            digest.add_unresolved(batch)
            unresolved += len(batch)
        index = build_index(keys, kinds, owners, edges.source_keys, edges.target_keys, edges.kinds, edges.lines)
        self._write_image(index)
        return {
            "graph_digest": digest.hexdigest(), "entities": str(len(keys)), "edges": str(len(edges)),
            "unresolved": str(unresolved), "dangling_edges": str(len(edges) - index.edge_count),
        }

    def release(self) -> None:
        """Give the budget back."""
        self._budget.release("graph", self._reserved)
        self._reserved = 0

    def _reserve(self, size: int) -> None:
        self._budget.reserve("graph", size)
        self._reserved += size

    def _write_entities(self) -> None:
        rows: list[tuple[Any, ...]] = []
        for batch in self._entities:
            kinds, names = batch.kinds.tolist(), batch.names.tolist()
            leaves = map(leaf_of, kinds, names)
            rows.extend(zip(
                batch.keys.view(np.int64).tolist(), kinds, batch.paths.tolist(), names, leaves, batch.signatures.tolist(),
                *batch.spans.T.tolist() if len(batch) else ([], [], [], []), batch.sources.tolist(), strict=True,
            ))
        rows.sort(key=_first)
        self._connection.executemany(_PUT_ENTITY, rows)
        self._entities.clear()
        self._waiting[EntityBatch] = 0

    def _write_unresolved(self) -> None:
        rows: list[tuple[Any, ...]] = []
        for batch in self._unresolved:
            rows.extend(zip(batch.source_keys.view(np.int64).tolist(), batch.lines.tolist(), batch.columns.tolist(),
                            batch.kinds.tolist(), batch.names.tolist(), strict=True))
        rows.sort()
        self._connection.executemany("INSERT OR IGNORE INTO unresolved VALUES(?, ?, ?, ?, ?)", rows)
        self._unresolved.clear()
        self._waiting[UnresolvedBatch] = 0

    def _write_edges(self, edges: EdgeBatch) -> None:
        """Write *edges*, which are sorted by unsigned key, in the order of the stored integers."""
        turn = int(np.searchsorted(edges.keys, np.uint64(1 << 63)))
        for first, last in ((turn, len(edges)), (0, turn)):
            for start in range(first, last, _SLICE_ROWS):
                part = slice(start, min(start + _SLICE_ROWS, last))
                self._connection.executemany("INSERT INTO edges VALUES(?, ?, ?, ?, ?, ?, ?)", zip(
                    edges.keys[part].view(np.int64).tolist(), edges.source_keys[part].view(np.int64).tolist(),
                    edges.target_keys[part].view(np.int64).tolist(), edges.kinds[part].tolist(),
                    edges.sources[part].tolist(), edges.confidences[part].tolist(), edges.lines[part].tolist(),
                    strict=True,
                ))

    def _read_back_entities(self, digest: GraphDigest) -> tuple[Any, Any, Any]:
        """Return keys, kinds and owners of the stored entities, and add them to *digest*."""
        keys: list[Any] = [np.empty(0, np.uint64)]
        kinds: list[Any] = [np.empty(0, np.uint8)]
        numbers: dict[str, int] = {}  # path -> its number
        places: list[int] = []  # by row: the number of its path
        for batch in self._reader.entities():
            digest.add_entities(batch)
            keys.append(batch.keys)
            kinds.append(batch.kinds)
            places.extend(numbers.setdefault(path, len(numbers)) for path in batch.paths.tolist())
        all_kinds = np.concatenate(kinds)
        return np.concatenate(keys), all_kinds, owners_of(all_kinds, np.array(places, np.int64), len(numbers))

    def _write_image(self, index: GraphIndex) -> None:
        for name, data in encode_columns(index).items():
            for chunk, start in enumerate(range(0, max(len(data), 1), _IMAGE_CHUNK_BYTES)):
                piece = data[start : start + _IMAGE_CHUNK_BYTES]
                self._connection.execute("INSERT INTO image VALUES(?, ?, ?, ?)", (name, chunk, zlib.crc32(piece), piece))


def sorted_edges(batches: list[EdgeBatch]) -> EdgeBatch:
    """Return the edges by unsigned key; of those with one key the one with the smallest other columns."""
    columns = [
        np.concatenate([np.empty(0, kind), *(getattr(batch, name) for batch in batches)])
        for name, kind in (("keys", np.uint64), ("source_keys", np.uint64), ("target_keys", np.uint64),
                           ("kinds", np.uint8), ("sources", np.uint8), ("confidences", np.uint8), ("lines", np.int32))
    ]
    order = np.argsort(columns[0], kind="stable")
    keys = columns[0][order]
    if (keys[1:] == keys[:-1]).any():
        _, source_keys, target_keys, kinds, sources, confidences, lines = columns
        order = np.lexsort((lines, target_keys, source_keys, kinds, confidences, sources, columns[0]))
        keys = columns[0][order]
        order = order[np.concatenate([[True], keys[1:] != keys[:-1]])]
    return EdgeBatch(*(column[order] for column in columns))


def owners_of(kinds: Any, places: Any, path_count: int) -> Any:
    """Return for each row the row of the file at its path, else of the first module there, else the row itself.

    *places* numbers the path of each row.
    """
    owner_of_path = np.full(path_count, -1, np.int32)
    for kind in (EntityKind.MODULE, EntityKind.FILE):  # the later one wins
        rows = np.flatnonzero(kinds == kind)[::-1]  # so that the first row is written last
        owner_of_path[places[rows]] = rows
    owners = owner_of_path[places] if len(places) else np.empty(0, np.int32)
    return np.where(owners < 0, np.arange(len(kinds), dtype=np.int32), owners).astype(np.int32)


def _first(row: tuple[Any, ...]) -> Any:
    return row[0]
