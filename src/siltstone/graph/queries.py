"""Questions to a stored graph: who is it, who implements it, what breaks, where is the cycle.

Opening reads the adjacency into memory; the texts of entities are read from the database as answers need them, and
only while the database still holds the graph that was opened: an answer never mixes two graphs.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from siltstone.codeindex.entities import EdgeKind, EntityKind, Source
from siltstone.codeindex.keys import format_key, parse_key
from siltstone.core.budget import Budget
from siltstone.core.errors import ConfigError, NotFoundError, StoreError
from siltstone.graph.csr import GraphIndex, Walk, decode_columns, mask_of
from siltstone.graph.cycles import find_components, way_round
from siltstone.graph.database import reading
from siltstone.graph.model import Cycle, Cycles, EntityRow, Hit, Reach
from siltstone.graph.names import best_entities, find_entities, lies_in, order_for_people, suggest
from siltstone.graph.reader import StoreReader
from siltstone.graph.schema import signed, unsigned
from siltstone.graph.store import find_database

BLAST_KINDS = (EdgeKind.CALLS, EdgeKind.REFERENCES, EdgeKind.INHERITS, EdgeKind.IMPLEMENTS, EdgeKind.IMPORTS)
DEFAULT_DEPTH = 10  # edges; further away an answer is seldom of use to a person
DEFAULT_LIMIT = 10_000  # hits
NO_LIMIT = 2**31 - 2  # as depth or limit: everything

_IMPLEMENTS = mask_of(EdgeKind.INHERITS, EdgeKind.IMPLEMENTS)
_COLUMNS = "key, kind, path, name, signature, start_line, end_line, end_column, source"
_KEYS_PER_QUERY = 500  # SQLite before 3.32 takes 999 parameters


class Graph:
    """A graph opened for reading; a context manager.  Threads may ask at once."""

    def __init__(self, reader: StoreReader, index: GraphIndex, meta: dict[str, str], budget: Budget, reserved: int) -> None:
        self.index = index
        self.meta = meta
        self._reader, self._budget, self._reserved = reader, budget, reserved
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path | str, *, budget: Budget | None = None) -> Graph:
        """Open the graph that *path* names: a ``graph.db``, its folder, or a work tree or a folder in it.

        The index is reserved from the budget "graph".  Raises NotFoundError where there is no graph, StoreError where
        it is of another schema or being replaced, CorruptDataError where it is damaged.
        """
        database = find_database(Path(path))
        budget = budget or Budget()
        reader = StoreReader.open_existing(database)
        reserved = 0
        try:
            with reader.snapshot():
                meta = reader.meta()
                if "graph_digest" not in meta:
                    raise NotFoundError("no graph there yet; make one with `silt ingest`", name=str(database))
                size = reader.image_bytes()
                budget.reserve("graph", size)
                reserved = size
                index = decode_columns(reader.image(), str(database))
            return cls(reader, index, meta, budget, reserved)
        except BaseException:
            budget.release("graph", reserved)
            reader.close()
            raise

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.index)

    @property
    def digest(self) -> str:
        """The digest of the graph that was opened."""
        return self.meta["graph_digest"]

    def close(self) -> None:
        """Close the database and give the budget back; closing twice is harmless."""
        with self._lock:
            self._reader.close()
            reserved, self._reserved = self._reserved, 0
            self._budget.release("graph", reserved)

    def get(self, key: int) -> EntityRow:
        """Return the entity of *key*. Raises NotFoundError."""
        row = self.index.row_of(key)
        if row is None:
            raise NotFoundError("no entity of that key", name=format_key(key))
        return self._load([row])[row]

    def find(self, name: str, *, within: str = "") -> list[EntityRow]:
        """Return every entity that *name* may mean, best first; *within* keeps those in a file or folder.

        A name is qualified or the end of one, a path or the end of one, ``path::name``, or a key of 16 digits.
        """
        return self._found(find_entities, name, within)

    def resolve(self, name: str, *, within: str = "") -> list[EntityRow]:
        """Return only the best of `find`: one entity, or several where *name* is ambiguous, or none."""
        return self._found(best_entities, name, within)

    def suggest(self, name: str) -> list[str]:
        """Return a few names that exist and look like *name*."""
        return suggest(self._leaves, name)

    def implements(self, entity: EntityRow, *, transitive: bool = False, limit: int = DEFAULT_LIMIT) -> Reach:
        """Return who implements or extends *entity*: directly, or with *transitive* at any distance."""
        seeds = np.array([self._row(entity)], np.int32)
        walk = self.index.reverse.reach(seeds, _IMPLEMENTS, NO_LIMIT if transitive else 1, limit)
        return self._reach(seeds, walk)

    def blast_radius(
        self, entity: EntityRow, *, kinds: Collection[EdgeKind] = BLAST_KINDS, depth: int = DEFAULT_DEPTH,
        limit: int = DEFAULT_LIMIT,
    ) -> Reach:
        """Return what a change of *entity* may break: whatever leads to it, or to a member of it, over edges of *kinds*.

        *depth* counts edges, *limit* hits; what they leave out is said in the answer.
        """
        for name, value in (("depth", depth), ("limit", limit)):
            if not 0 <= value <= NO_LIMIT:
                raise ConfigError(f"must be between 0 and {NO_LIMIT}, got {value}", field=name)
        own = np.array([self._row(entity)], np.int32)
        members = self.index.forward.reach(own, mask_of(EdgeKind.CONTAINS), NO_LIMIT, NO_LIMIT)
        seeds = np.concatenate([own, members.rows])
        return self._reach(seeds, self.index.reverse.reach(seeds, mask_of(*kinds), depth, limit))

    def cycles(self, kind: EdgeKind = EdgeKind.IMPORTS) -> Cycles:
        """Return the cycles over edges of *kind*, small ones first; imports are followed between files."""
        components, loops = find_components(self.index, kind)
        entities = self._load([*loops, *(row for component in components for row in component.rows)])
        found = []
        for component in components:
            members = sorted(component.rows, key=lambda row: order_for_people(entities[row]))
            way = way_round(component, members[0])
            found.append(Cycle(tuple(entities[row] for row in members), tuple(entities[row] for row in way)))
        found.sort(key=lambda cycle: (len(cycle.members), order_for_people(cycle.members[0])))
        return Cycles(kind, tuple(found), tuple(sorted((entities[row] for row in loops), key=order_for_people)))

    def _found(self, search: Any, name: str, within: str) -> list[EntityRow]:
        rows = self._by_key(name) or search(self._fetch, name)
        return [row for row in rows if not within or lies_in(row, within)]

    def _by_key(self, text: str) -> list[EntityRow]:
        try:
            row = self.index.row_of(parse_key(text))
        except ConfigError:
            return []
        return [] if row is None else [self._load([row])[row]]

    def _row(self, entity: EntityRow) -> int:
        row = self.index.row_of(entity.key)
        if row is None:
            raise NotFoundError("not an entity of this graph", name=entity.name)
        return row

    def _reach(self, seeds: Any, walk: Walk) -> Reach:
        reverse = self.index.reverse
        entities = self._load(np.unique(np.concatenate([seeds, walk.rows, walk.parents])).tolist())
        hits = zip(
            walk.rows.tolist(), walk.distances.tolist(), reverse.kinds[walk.positions].tolist(),
            walk.parents.tolist(), self.index.reverse_lines[walk.positions].tolist(), strict=True,
        )
        return Reach(
            seeds=tuple(entities[row] for row in seeds.tolist()),
            hits=tuple(
                Hit(entities[row], distance, EdgeKind(via), entities[parent], line + 1)
                for row, distance, via, parent, line in hits
            ),
            cut=walk.cut, deeper=walk.deeper,
        )

    def _load(self, rows: Iterable[int]) -> dict[int, EntityRow]:
        """Return the entities of *rows* by row."""
        wanted = sorted(set(rows))
        stored = {row: signed(int(self.index.keys[row])) for row in wanted}
        found: dict[int, EntityRow] = {}
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            part = wanted[start : start + _KEYS_PER_QUERY]
            condition = f"key IN ({', '.join('?' * len(part))})"
            by_key = {entity.key: entity for entity in self._fetch(condition, tuple(stored[row] for row in part))}
            found.update((row, by_key[unsigned(stored[row])]) for row in part if unsigned(stored[row]) in by_key)
        if len(found) != len(wanted):
            raise StoreError("an entity of the graph image is not in the tables", store=str(self._reader.path))
        return found

    def _fetch(self, condition: str, parameters: tuple[Any, ...]) -> list[EntityRow]:
        query = f"SELECT {_COLUMNS} FROM entities WHERE {condition}"  # noqa: S608 - conditions of this package
        rows = self._select(query, parameters)
        with reading(self._reader.path):
            return [_entity(*row) for row in rows]

    def _leaves(self, rest: str, parameters: tuple[Any, ...]) -> list[str]:
        rows = self._select(f"SELECT DISTINCT leaf FROM entities {rest}", parameters)  # noqa: S608 - as above
        return [str(leaf) for (leaf,) in rows]

    def _select(self, query: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the rows of *query*. Raises StoreError where the graph was replaced since it was opened."""
        with self._lock, self._reader.snapshot():
            if self._reader.digest() != self.digest:
                raise StoreError("the graph was replaced since it was opened; open it again", store=str(self._reader.path))
            return list(self._reader.select(query, *parameters))


def _entity(
    key: int, kind: int, path: str, name: str, signature: str, start_line: int, end_line: int, end_column: int, source: int
) -> EntityRow:
    if not all(isinstance(text, str) for text in (path, name, signature)):
        raise TypeError("a text of an entity is none")  # becomes CorruptDataError where the row was read
    last = end_line if end_column == 0 and end_line > start_line else end_line + 1  # the stored end is exclusive
    return EntityRow(unsigned(key), EntityKind(kind), path, name, signature, start_line + 1, last, Source(source))
