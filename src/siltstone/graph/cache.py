"""Results of extraction, kept between runs: key → compressed payload.

Puts wait in memory and are written some megabytes at a time; outside a replacement of the graph each such write is a
transaction of its own, so that work done before a crash is not done again.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from siltstone.graph.database import Connection, roll_back, translated

_WAITING_BYTES = 8 << 20
_LEVEL = 1  # zlib: payloads are written once and read once per run, on a disk faster than level 6


class CacheTable:
    """The table ``cache``; implements `codeindex` `ExtractionCache`."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self._path, self._connection = path, connection
        self._waiting: dict[bytes, bytes] = {}
        self._waiting_bytes = 0
        self._used: set[bytes] = set()

    def get(self, key: bytes) -> bytes | None:
        """Return the payload of *key*, None where there is none or it is damaged: it is made anew then."""
        packed = self._waiting.get(key)
        if packed is None:
            with translated(self._path):
                row = self._connection.execute("SELECT payload FROM cache WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            packed = row[0]
        try:
            payload = zlib.decompress(packed)
        except (zlib.error, TypeError):
            return None
        self._used.add(key)
        return payload

    def put(self, key: bytes, value: bytes) -> None:
        """Keep *value* under *key*, in place of an older one."""
        packed = zlib.compress(value, _LEVEL)
        self._used.add(key)
        self._waiting[key] = packed
        self._waiting_bytes += len(packed)
        if self._waiting_bytes >= _WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits: into the open transaction, or in one of its own."""
        if not self._waiting:
            return
        own = not self._connection.in_transaction
        with translated(self._path):
            try:
                if own:
                    self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT OR REPLACE INTO cache VALUES(?, ?)", self._waiting.items())
                if own:
                    self._connection.execute("COMMIT")
            except BaseException:
                if own:
                    roll_back(self._connection)
                raise
        self._waiting.clear()
        self._waiting_bytes = 0

    def prune(self) -> None:
        """Write what waits and drop what this run neither got nor put; a run that never asked drops nothing."""
        self.flush()
        if not self._used:
            return
        with translated(self._path):
            stale = [row for row in self._connection.execute("SELECT key FROM cache") if row[0] not in self._used]
            self._connection.executemany("DELETE FROM cache WHERE key = ?", stale)
        self._used.clear()
