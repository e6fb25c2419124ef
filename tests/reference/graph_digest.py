"""The graph digest as docs/formats/graph_db.md describes it, from whole rows in memory."""

from __future__ import annotations

import hashlib
import struct


def graph_digest(entities, edges, unresolved):
    """Return the digest of rows of `Entity`, `Edge` and `Unresolved`; each key, and each unresolved row, once."""
    entities = sorted(entities, key=lambda row: row.key)
    edges = sorted(edges, key=lambda row: row.key)
    unresolved = sorted(set(unresolved), key=lambda row: (row.source_key, row.line, row.column, row.kind, row.name.encode()))
    tables = [
        (entities, [("<Q", "key"), ("<B", "kind"), ("text", "path"), ("text", "name"), ("text", "signature"),
                    ("<4i", "span"), ("<B", "source")]),
        (edges, [("<Q", "key"), ("<Q", "source_key"), ("<Q", "target_key"), ("<B", "kind"), ("<B", "source"),
                 ("<B", "confidence"), ("<i", "line")]),
        (unresolved, [("<Q", "source_key"), ("<i", "line"), ("<i", "column"), ("<B", "kind"), ("text", "name")]),
    ]
    whole = b"siltstone graph 1\n"
    for rows, columns in tables:
        whole += struct.pack("<Q", len(rows))
        for layout, name in columns:
            values = [getattr(row, name) for row in rows]
            whole += b"".join(hashlib.sha256(stream).digest() for stream in _streams(layout, values))
    return hashlib.sha256(whole).hexdigest()


def _streams(layout, values):
    if layout == "text":
        encoded = [value.encode() for value in values]
        return [b"".join(struct.pack("<I", len(value)) for value in encoded), b"".join(encoded)]
    return [b"".join(struct.pack(layout, *(value if isinstance(value, tuple) else (value,))) for value in values)]
