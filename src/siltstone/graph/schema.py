"""The one place that knows the tables of ``graph.db``: SQL text, version, and how a key becomes a SQLite integer.

Format page: docs/formats/graph_db.md.  DO NOT CHANGE what is stored without raising `SCHEMA_VERSION`; everything in the
file is derived from a repository, so a writer replaces an older file and a reader asks for a new ingest.

SQLite integers are signed: a key is stored as the two's complement of its 64 bits (`signed`, `unsigned`).
"""

from __future__ import annotations

import sqlite3
from types import MappingProxyType

from siltstone.codeindex.entities import EntityKind
from siltstone.core.errors import CorruptDataError, StoreError

DATABASE_NAME = "graph.db"
APPLICATION_ID = 0x53494C54  # "SILT"; tells our file from any other SQLite database
SCHEMA_VERSION = 1  # PRAGMA user_version

TABLES = MappingProxyType({
    "entities": (
        "CREATE TABLE entities(key INTEGER PRIMARY KEY, kind INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,"
        " leaf TEXT NOT NULL, signature TEXT NOT NULL, start_line INTEGER NOT NULL, start_column INTEGER NOT NULL,"
        " end_line INTEGER NOT NULL, end_column INTEGER NOT NULL, source INTEGER NOT NULL)"
    ),
    "edges": (
        "CREATE TABLE edges(key INTEGER PRIMARY KEY, source_key INTEGER NOT NULL, target_key INTEGER NOT NULL,"
        " kind INTEGER NOT NULL, source INTEGER NOT NULL, confidence INTEGER NOT NULL, line INTEGER NOT NULL)"
    ),
    "unresolved": (
        "CREATE TABLE unresolved(source_key INTEGER NOT NULL, line INTEGER NOT NULL, \"column\" INTEGER NOT NULL,"
        " kind INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(source_key, line, \"column\", kind, name)) WITHOUT ROWID"
    ),
    "files": (
        "CREATE TABLE files(path TEXT PRIMARY KEY, language TEXT NOT NULL, size INTEGER NOT NULL,"
        " digest BLOB NOT NULL) WITHOUT ROWID"
    ),
    "findings": (
        "CREATE TABLE findings(id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, rule_id TEXT NOT NULL, path TEXT,"
        " line INTEGER NOT NULL, file_key INTEGER, detail TEXT NOT NULL)"
    ),
    "scan_state": "CREATE TABLE scan_state(chunk INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "cache": "CREATE TABLE cache(key BLOB PRIMARY KEY, payload BLOB NOT NULL)",
    "image": (
        "CREATE TABLE image(name TEXT NOT NULL, chunk INTEGER NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL,"
        " PRIMARY KEY(name, chunk))"
    ),
    "meta": "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
})
GRAPH_TABLES = ("entities", "edges", "unresolved", "image")  # what a new graph replaces
GRAPH_INDEXES = MappingProxyType({  # made after the rows: a sorted build is several times faster than row by row
    "entities_by_leaf": "CREATE INDEX entities_by_leaf ON entities(leaf COLLATE NOCASE)",
})

_SIGN = 1 << 63
_MASK = (1 << 64) - 1


def signed(key: int) -> int:
    """Return the SQLite integer of a key."""
    return key - (1 << 64) if key >= _SIGN else key


def unsigned(stored: int) -> int:
    """Return the key of a SQLite integer."""
    return stored & _MASK


def leaf_of(kind: int, name: str) -> str:
    """Return the last component of a qualified name, of a file its base name; never empty unless *name* is."""
    separator = "/" if kind == EntityKind.FILE else "."
    return name.rpartition(separator)[2] or name


def create_tables(connection: sqlite3.Connection) -> None:
    """Drop whatever an older version left and make the empty tables, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if name in TABLES:
            connection.execute(f"DROP TABLE {name}")
    for statement in (*TABLES.values(), *GRAPH_INDEXES.values()):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def stored_version(connection: sqlite3.Connection, store: str) -> int:
    """Return the schema version of an open database, 0 for an empty one.

    Raises CorruptDataError for a database of another program, StoreError for one of a newer version.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if application != APPLICATION_ID:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise CorruptDataError("a database of another program, not a siltstone graph", source=store)
        return 0
    if version > SCHEMA_VERSION:
        raise StoreError(f"schema {version} is newer than {SCHEMA_VERSION}, which this version reads", store=store)
    return version


def check_tables(connection: sqlite3.Connection, store: str) -> None:
    """Raise CorruptDataError unless every table is ours; a trigger or view could run code that a repository brought along."""
    found = {name: (kind, sql) for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema")}
    for name, (kind, _) in found.items():
        if kind in {"trigger", "view"}:
            raise CorruptDataError(f"holds a {kind} {name!r:.60}, which siltstone never makes", source=store)
    for kind, statements in (("table", TABLES), ("index", GRAPH_INDEXES)):
        for name, statement in statements.items():
            if found.get(name) != (kind, statement):
                raise CorruptDataError(f"{kind} {name} is missing or altered", source=store)
