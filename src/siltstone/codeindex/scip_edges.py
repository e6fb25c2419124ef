"""What SCIP documents left behind, resolved: symbols to entities, uses to edges, relationships to inheritance.

A symbol that several files define (a namespace, a declaration and its definition) stands for the definition in the file
of the use where there is one, else for that of the smallest path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from siltstone.codeindex.entities import (
    Batch,
    Confidence,
    EdgeBatch,
    EdgeKind,
    Entity,
    EntityBatch,
    EntityKind,
    Source,
    Strings,
    UnresolvedBatch,
)
from siltstone.codeindex.keys import edge_key, handle
from siltstone.codeindex.scip_kinds import SymbolNames, names_scope, readable
from siltstone.codeindex.scip_reader import IS_IMPLEMENTATION, IS_TYPE_DEFINITION

Int64s = npt.NDArray[np.int64]

_CLASS_LIKE = frozenset({EntityKind.CLASS, EntityKind.INTERFACE, EntityKind.TYPE})


class Uses(NamedTuple):
    """Uses in columns: *targets* are entities, or -2 - symbol where the symbol is not defined in the same file."""

    sources: Int64s
    targets: Int64s
    kinds: Int64s
    lines: Int64s
    columns: Int64s


class SymbolTable:
    """Symbols by number, entities by number, and the uses between them."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.symbols: list[bytes] = []
        self.entities: list[Entity] = []
        self.files: list[int] = []  # entity → the entity of its file
        self.definitions: dict[int, int] = {}  # symbol → entity
        self.external_kinds: dict[int, EntityKind] = {}  # symbol → kind
        self.uses: list[Uses] = []
        self.edges: list[tuple[int, int, int, int]] = []  # source, target, kind, line
        self.members: list[tuple[int, int, int, int]] = []  # symbol of the container, entity, file, line
        self.relationships: list[tuple[int, int, int]] = []  # entity or -2 - symbol, symbol, flags

    def number(self, symbol: bytes) -> int:
        """Return the number of *symbol*, a new one where it is new."""
        found = self._numbers.setdefault(symbol, len(self.symbols))
        if found == len(self.symbols):
            self.symbols.append(symbol)
        return found

    def add_entity(self, entity: Entity, file: int) -> int:
        """Return the number of the new *entity* in the file of entity *file*."""
        self.entities.append(entity)
        self.files.append(file)
        return len(self.entities) - 1

    def define(self, symbol: int, entity: int) -> None:
        """Note that *entity* is a definition of *symbol*."""
        known = self.definitions.get(symbol)
        if known is None or self.entities[entity].path < self.entities[known].path:
            self.definitions[symbol] = entity

    def add_edge(self, source: int, target: int, kind: EdgeKind, line: int) -> None:
        """Note an edge whose ends are known."""
        self.edges.append((source, target, kind, line))

    def add_uses(self, sources: Int64s, targets: Int64s, kinds: Int64s, starts: npt.NDArray[np.int32]) -> int:
        """Keep the first use of each source, target and kind; return the bytes that are kept."""
        columns = Uses(sources, targets, kinds, starts[:, 0].astype(np.int64), starts[:, 1].astype(np.int64))
        kept = _first_of_each(columns)
        self.uses.append(kept)
        return sum(column.nbytes for column in kept)


def resolve(table: SymbolTable, names: SymbolNames) -> Iterator[Batch]:
    """Yield the entities, the edges, the unresolved uses."""
    yield _entity_batch(table.entities)
    empty = [np.empty(0, np.int64)] * 5
    uses = Uses(*(np.concatenate(column) for column in zip(empty, *table.uses, strict=True)))
    table.uses.clear()
    known, unknown = _settle_uses(table, uses)
    edges = [known, *_structure(table)]
    missing = [unknown]
    inherited, lost = _inheritance(table)
    edges.append(inherited)
    missing.append(lost)
    yield _edge_batch(table, Uses(*(np.concatenate(column) for column in zip(*edges, strict=True))))
    yield _unresolved_batch(table, names, Uses(*(np.concatenate(column) for column in zip(*missing, strict=True))))


def _first_of_each(uses: Uses) -> Uses:
    """Return the uses of distinct (source, target, kind), each at its first place, sorted."""
    order = np.lexsort((uses.columns, uses.lines, uses.kinds, uses.targets, uses.sources))
    ordered = Uses(*(column[order] for column in uses))
    same = np.zeros(len(order), bool)
    same[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in ordered[:3]])
    return Uses(*(column[~same] for column in ordered))


def _rows(rows: list[tuple[int, int, int, int, int]]) -> Uses:
    return Uses(*np.array(rows, np.int64).reshape(-1, 5).T)


def _settle_uses(table: SymbolTable, uses: Uses) -> tuple[Uses, Uses]:
    """Return uses between entities, and those whose target stays a symbol (-2 - its number)."""
    places = np.full(len(table.symbols) + 2, -1, np.int64)
    for symbol, entity in table.definitions.items():
        places[symbol] = entity
    targets = np.where(uses.targets < -1, places[np.maximum(-2 - uses.targets, -1)], uses.targets)
    unknown = targets < 0
    left = Uses(*(column[unknown] for column in uses))
    found = Uses(*(column[~unknown] for column in uses._replace(targets=targets)))
    return _as_imports(table, found), _as_foreign_imports(table, left)


def _as_foreign_imports(table: SymbolTable, uses: Uses) -> Uses:
    """Turn uses of a namespace or module that is not defined here into imports by the file."""
    scopes = np.array([names_scope(symbol) for symbol in table.symbols], bool)
    if not len(uses.sources):
        return uses
    imports = (uses.kinds == EdgeKind.IMPORTS) | scopes[-2 - uses.targets]
    return uses._replace(
        sources=np.where(imports, np.array(table.files, np.int64)[uses.sources], uses.sources),
        kinds=np.where(imports, EdgeKind.IMPORTS, uses.kinds))


def _as_imports(table: SymbolTable, uses: Uses) -> Uses:
    """Turn uses of a file or of a namespace of another file, and uses that are imports, into file → file."""
    files = np.array(table.files, np.int64)
    kinds = np.array([entity.kind for entity in table.entities], np.int64)
    if not len(uses.sources):
        return uses
    abroad = files[uses.sources] != files[uses.targets]
    target_kinds = kinds[uses.targets]
    imports = (uses.kinds == EdgeKind.IMPORTS) | (target_kinds == EntityKind.FILE) | (
        (target_kinds == EntityKind.MODULE) & abroad)
    sources = np.where(imports, files[uses.sources], uses.sources)
    targets = np.where(imports, files[uses.targets], uses.targets)
    settled = Uses(sources, targets, np.where(imports, EdgeKind.IMPORTS, uses.kinds), uses.lines, uses.columns)
    kept = abroad | ~imports  # a file does not import itself
    return Uses(*(column[kept] for column in settled))


def _structure(table: SymbolTable) -> Iterator[Uses]:
    """Yield containment: inside a file, and of members whose class stands in another file."""
    yield _rows([(source, target, kind, line, 0) for source, target, kind, line in table.edges])
    members = []
    for symbol, entity, file, line in table.members:
        owner = table.definitions.get(symbol, file)
        members.append((owner, entity, int(EdgeKind.CONTAINS), line if table.files[owner] == file else -1, 0))
    yield _rows(members)


def _inheritance(table: SymbolTable) -> tuple[Uses, Uses]:
    """Return the relationships between entities, and those to symbols that are not defined here."""
    known: list[tuple[int, int, int, int, int]] = []
    unknown: list[tuple[int, int, int, int, int]] = []
    for source, symbol, flags in table.relationships:
        entity = source if source >= 0 else table.definitions.get(-2 - source, -1)
        if entity < 0:
            continue
        target = table.definitions.get(symbol, -1)
        line = table.entities[entity].span.start_line
        for flag in (IS_IMPLEMENTATION, IS_TYPE_DEFINITION):
            if flags & flag and target != entity:
                kind = EdgeKind.TYPE_OF if flag == IS_TYPE_DEFINITION else _inheritance_kind(table, entity, symbol, target)
                (known if target >= 0 else unknown).append((entity, target if target >= 0 else -2 - symbol, kind, line, 0))
    return _rows(known), _rows(unknown)


def _inheritance_kind(table: SymbolTable, entity: int, symbol: int, target: int) -> EdgeKind:
    """Return implements for an interface and for members, inherits between classes and between interfaces."""
    source_kind = table.entities[entity].kind
    if target >= 0:
        target_kind: EntityKind | None = table.entities[target].kind
    else:
        target_kind = table.external_kinds.get(symbol, EntityKind.CLASS if table.symbols[symbol].endswith(b"#") else None)
    if source_kind not in _CLASS_LIKE or target_kind not in _CLASS_LIKE:
        return EdgeKind.IMPLEMENTS
    across = target_kind is EntityKind.INTERFACE and source_kind is not EntityKind.INTERFACE
    return EdgeKind.IMPLEMENTS if across else EdgeKind.INHERITS


def _entity_batch(entities: list[Entity]) -> EntityBatch:
    """Return the entities sorted by key; of those with one key the first in the text."""
    ordered = sorted(entities, key=lambda entity: (entity.key, entity.span))
    return EntityBatch.of(
        entity for row, entity in enumerate(ordered) if not row or entity.key != ordered[row - 1].key)


def _edge_batch(table: SymbolTable, uses: Uses) -> EdgeBatch:
    keys = np.array([entity.key for entity in table.entities], np.uint64)
    ranks = np.unique(keys, return_inverse=True)[1].astype(np.int64)  # entities of one key are one
    representative = np.zeros(len(keys), np.int64)
    representative[ranks] = np.arange(len(keys))
    merged = _first_of_each(Uses(ranks[uses.sources], ranks[uses.targets], *uses[2:])) if len(keys) else uses
    sources, targets = representative[merged.sources], representative[merged.targets]
    handles = [handle(entity.kind.label, entity.key) for entity in table.entities]
    labels = [kind.label for kind in EdgeKind]
    edge_keys = np.array([
        edge_key(handles[source], handles[target], labels[kind])
        for source, target, kind in zip(sources.tolist(), targets.tolist(), merged.kinds.tolist(), strict=True)
    ], np.uint64)
    order = np.argsort(edge_keys)
    return EdgeBatch(
        keys=edge_keys[order], source_keys=keys[sources[order]], target_keys=keys[targets[order]],
        kinds=merged.kinds[order].astype(np.uint8), sources=np.full(len(order), Source.SCIP, np.uint8),
        confidences=np.full(len(order), Confidence.EXACT, np.uint8), lines=merged.lines[order].astype(np.int32),
    )


def _unresolved_batch(table: SymbolTable, names: SymbolNames, uses: Uses) -> UnresolvedBatch:
    keys = np.array([entity.key for entity in table.entities], np.uint64)
    symbols = -2 - uses.targets
    distinct, inverse = np.unique(symbols, return_inverse=True)
    texts = [table.symbols[symbol].decode("utf-8", "replace") for symbol in distinct.tolist()]
    shown = [readable(names.parse(text), text) for text in texts]
    ordered = sorted(set(shown))
    ranks = {name: rank for rank, name in enumerate(ordered)}
    numbers = np.array([ranks[name] for name in shown], np.int64)[inverse] if len(shown) else symbols
    key_ranks = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    distinct_keys = np.unique(keys)
    merged = _first_of_each(Uses(key_ranks[uses.sources], numbers, *uses[2:])) if len(symbols) else uses
    return UnresolvedBatch(
        source_keys=distinct_keys[merged.sources], kinds=merged.kinds.astype(np.uint8),
        lines=merged.lines.astype(np.int32), columns=merged.columns.astype(np.int32),
        names=Strings.of(ordered[number] for number in merged.targets.tolist()),
    )
