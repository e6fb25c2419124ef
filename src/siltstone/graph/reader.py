"""Reading ``graph.db``: the rows of its tables in columns, the image of the graph, and what lies beside it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from siltstone.codeindex.entities import EdgeBatch, EntityBatch, Strings, UnresolvedBatch
from siltstone.core.errors import CorruptDataError, StoreError
from siltstone.graph.database import Connection, connect_reader, reading, roll_back
from siltstone.graph.model import FileRow, FindingRow
from siltstone.graph.schema import SCHEMA_VERSION, check_tables, stored_version, unsigned

_WINDOW_ROWS = 20_000  # rows that are Python values at once while a table is read
_Batch = TypeVar("_Batch", EntityBatch, EdgeBatch, UnresolvedBatch)


def _in_unsigned_order(query: str) -> tuple[str, str]:
    """Return *query* for the stored keys from 0 on, and for the negative ones: keys from 2**63 on."""
    return query.replace("RANGE", ">= 0"), query.replace("RANGE", "< 0")


_ENTITIES = _in_unsigned_order(
    "SELECT key, kind, source, start_line, start_column, end_line, end_column, path, name, signature"
    " FROM entities WHERE key RANGE ORDER BY key"
)
_EDGES = _in_unsigned_order(
    "SELECT key, source_key, target_key, kind, source, confidence, line FROM edges WHERE key RANGE ORDER BY key"
)
_UNRESOLVED = _in_unsigned_order(
    'SELECT source_key, kind, line, "column", name FROM unresolved WHERE source_key RANGE'
    ' ORDER BY source_key, line, "column", kind, name'
)


class StoreReader:
    """An open ``graph.db``; also the reading half of `GraphStore`."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open_existing(cls, path: Path) -> StoreReader:
        """Open the database at *path* for reading.

        Raises NotFoundError where there is none, StoreError for another schema, CorruptDataError for a damaged file.
        """
        connection = connect_reader(path)
        try:
            with reading(path):
                if stored_version(connection, str(path)) != SCHEMA_VERSION:
                    raise StoreError("holds no graph of this version; run `silt ingest` again", store=str(path))
                check_tables(connection, str(path))
        except BaseException:
            connection.close()
            raise
        return StoreReader(path, connection)

    def close(self) -> None:
        """Close the database; closing twice is harmless."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything read inside the block come from one state of the database."""
        with reading(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            roll_back(self._connection)

    def meta(self) -> dict[str, str]:
        """Return what is known of the last complete run, by name; empty before the first."""
        with reading(self.path):
            rows = self._connection.execute("SELECT name, value FROM meta ORDER BY name").fetchall()
            return {str(name): str(value) for name, value in rows}

    def summary(self) -> dict[str, Any]:
        """Return the summary that the last complete run stored; empty where it stored none."""
        summary = self._decode_json(self.meta().get("summary", "{}"))
        if not isinstance(summary, dict):
            raise CorruptDataError("the summary is not an object", source=str(self.path))
        return summary

    def digest(self) -> str:
        """Return the graph digest, "" before the first graph."""
        return next((value for (value,) in self.select("SELECT value FROM meta WHERE name = 'graph_digest'")), "")

    def files(self) -> Iterator[FileRow]:
        """Yield the files of the indexed tree, sorted by path."""
        for row in self.select("SELECT path, language, size, digest FROM files ORDER BY path"):
            yield FileRow(*row)

    def findings(self) -> Iterator[FindingRow]:
        """Yield the findings in the order they were stored."""
        query = "SELECT fingerprint, rule_id, path, line, file_key, detail FROM findings ORDER BY id"
        for fingerprint, rule_id, path, line, file_key, detail in self.select(query):
            with reading(self.path):
                key = None if file_key is None else unsigned(file_key)
            yield FindingRow(fingerprint, rule_id, path, line, key, self._decode_json(detail))

    def scan_state(self) -> bytes | None:
        """Return the stored scan state, None where there is none."""
        chunks = [data for (data,) in self.select("SELECT data FROM scan_state ORDER BY chunk")]
        with reading(self.path):
            return b"".join(chunks) if chunks else None

    def entities(self) -> Iterator[EntityBatch]:
        """Yield all entities by unsigned key, some thousands at a time."""
        for query in _ENTITIES:
            yield from self._windows(query, _entities_of)

    def edges(self) -> Iterator[EdgeBatch]:
        """Yield all edges by unsigned key, some thousands at a time."""
        for query in _EDGES:
            yield from self._windows(query, _edges_of)

    def unresolved(self) -> Iterator[UnresolvedBatch]:
        """Yield all unresolved uses by source key, line, column, kind, name, some thousands at a time."""
        for query in _UNRESOLVED:
            yield from self._windows(query, _unresolved_of)

    def image(self) -> dict[str, bytes]:
        """Return the columns of the graph image by name. Raises CorruptDataError where a checksum differs."""
        pieces: dict[str, list[bytes]] = {}
        query = "SELECT name, chunk, checksum, data FROM image ORDER BY name, chunk"
        with reading(self.path):
            for name, chunk, checksum, data in self.select(query):
                if chunk != len(pieces.setdefault(name, [])) or zlib.crc32(data) != checksum:
                    raise CorruptDataError(f"column {name} of the graph image is damaged", source=str(self.path))
                pieces[name].append(data)
        return {name: b"".join(chunks) if len(chunks) > 1 else chunks[0] for name, chunks in pieces.items()}

    def image_bytes(self) -> int:
        """Return the size of the graph image."""
        return int(next(self.select("SELECT coalesce(sum(length(data)), 0) FROM image"))[0])

    def select(self, query: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query of this package."""
        with reading(self.path):
            yield from self._connection.execute(query, parameters)

    def _windows(self, query: str, convert: Callable[..., _Batch]) -> Iterator[_Batch]:
        """Yield the columns of the result, converted, some thousands of rows at a time."""
        with reading(self.path):
            cursor = self._connection.execute(query)
            while rows := cursor.fetchmany(_WINDOW_ROWS):
                yield convert(*zip(*rows, strict=True))

    def _decode_json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, TypeError) as error:
            raise CorruptDataError("a JSON value is damaged", source=str(self.path)) from error


def _entities_of(keys: Any, kinds: Any, sources: Any, *others: Any) -> EntityBatch:
    *spans, paths, names, signatures = others
    return EntityBatch(_keys(keys), np.array(kinds, np.uint8), np.array(sources, np.uint8), np.array(spans, np.int32).T,
                       Strings.of(paths), Strings.of(names), Strings.of(signatures))


def _edges_of(
    keys: Any, source_keys: Any, target_keys: Any, kinds: Any, sources: Any, confidences: Any, lines: Any
) -> EdgeBatch:
    return EdgeBatch(_keys(keys), _keys(source_keys), _keys(target_keys), np.array(kinds, np.uint8),
                     np.array(sources, np.uint8), np.array(confidences, np.uint8), np.array(lines, np.int32))


def _unresolved_of(keys: Any, kinds: Any, lines: Any, columns: Any, names: Any) -> UnresolvedBatch:
    return UnresolvedBatch(_keys(keys), np.array(kinds, np.uint8), np.array(lines, np.int32),
                           np.array(columns, np.int32), Strings.of(names))


def _keys(stored: Any) -> Any:
    return np.array(stored, np.int64).view(np.uint64)
