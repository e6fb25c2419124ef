"""Words for the graph tests: small graphs by name, and random ones by seed."""

from __future__ import annotations

import random

from siltstone.codeindex.entities import (
    Confidence,
    Edge,
    EdgeBatch,
    EdgeKind,
    Entity,
    EntityBatch,
    EntityKind,
    Source,
    Span,
    Unresolved,
    UnresolvedBatch,
)
from siltstone.codeindex.keys import edge_key, entity_key, handle
from siltstone.graph.store import GraphStore


def entity(kind: EntityKind, path: str, name: str, *, line: int = 0, signature: str = "") -> Entity:
    """An entity as the indexer makes it; *line* is 0-based."""
    key = entity_key("repo", path, kind.label, name, signature)
    return Entity(key, kind, path, name, signature, Span(line, 0, line + 1, 0))


def file(path: str) -> Entity:
    return entity(EntityKind.FILE, path, path)


def edge(source: Entity, kind: EdgeKind, target: Entity, *, line: int = 3) -> Edge:
    key = edge_key(handle(source.kind.label, source.key), handle(target.kind.label, target.key), kind.label)
    return Edge(key, source.key, target.key, kind, Source.SYNTAX, Confidence.SCOPED, line)


def fill(folder, entities, edges=(), unresolved=(), *, shuffle=None, size=None):
    """Write a graph and return its digest; *shuffle* (a seed) changes the order, *size* the rows per batch."""
    entities, edges, unresolved = list(entities), list(edges), list(unresolved)
    if shuffle is not None:
        for rows in (entities, edges, unresolved):
            random.Random(shuffle).shuffle(rows)
    with GraphStore.open(folder) as store:
        store.begin_graph()
        for kind, rows in ((EntityBatch, entities), (EdgeBatch, edges), (UnresolvedBatch, unresolved)):
            for start in range(0, len(rows), size or max(len(rows), 1)):
                store.write(kind.of(rows[start : start + (size or len(rows))]))
        store.commit()
        return store.digest()


def random_graph(seed: int, *, entities: int = 40, edges: int = 90):
    """Return (entities, edges, unresolved) that a seed decides; spread over files that contain them."""
    choose = random.Random(seed)
    files = [file(f"src/m{number}.py") for number in range(max(2, entities // 8))]
    kinds = [kind for kind in EntityKind if kind not in {EntityKind.FILE, EntityKind.MODULE}]
    members = [
        entity(choose.choice(kinds), choose.choice(files).path, f"Name{number % 7}.part{number}", line=number)
        for number in range(entities)
    ]
    rows = {row.key: row for row in (*files, *members)}
    by_path = {row.path: row for row in files}
    found = [edge(by_path[row.path], EdgeKind.CONTAINS, row) for row in members]
    everyone = list(rows.values())
    uses = [kind for kind in EdgeKind if kind is not EdgeKind.CONTAINS]
    found += [edge(choose.choice(everyone), choose.choice(uses), choose.choice(everyone), line=n) for n in range(edges)]
    missing = [Unresolved(choose.choice(everyone).key, EdgeKind.CALLS, f"gone{n % 5}", n, n % 9) for n in range(20)]
    return everyone, list({row.key: row for row in found}.values()), missing
