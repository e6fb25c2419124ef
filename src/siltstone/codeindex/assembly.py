"""Rows of a whole repository: extractions and their resolved names as entities, edges and unresolved uses with keys.

Everything is sorted before it is written, and an edge that several places state is one edge with the first place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from siltstone.codeindex.entities import (
    Confidence,
    Edge,
    EdgeBatch,
    EdgeKind,
    Entity,
    EntityBatch,
    EntityKind,
    Sink,
    Source,
    Span,
    Unresolved,
    UnresolvedBatch,
)
from siltstone.codeindex.extraction import SYSTEM, Extraction
from siltstone.codeindex.keys import edge_key, entity_key, handle
from siltstone.codeindex.resolution import Resolver, Target, edge_kind
from siltstone.codeindex.scip_merge import ScipRows
from siltstone.codeindex.summary import IndexSummary
from siltstone.codeindex.workspace import Root
from siltstone.core.progress import Progress

_BATCH_ROWS = 20_000
_FILE, _IMPORTS, _REFERENCES = EntityKind.FILE, EdgeKind.IMPORTS, EdgeKind.REFERENCES
EdgeId = tuple[int, int, int]  # source key, target key, kind
EdgeFacts = tuple[int, int, int]  # confidence, source, line: the smallest one stands for all


class Assembly:
    """Collects the rows of one repository, then writes them."""

    def __init__(self, repo_id: str, names: Sequence[str], languages: Sequence[str],
                 extractions: Mapping[int, Extraction], roots: Sequence[Root], progress: Progress) -> None:
        self._repo_id, self._names, self._languages = repo_id, names, languages
        self._extractions, self._progress = extractions, progress
        self._resolver = Resolver(names, extractions, roots)
        self.entities: dict[int, Entity] = {}
        self.edges: dict[EdgeId, EdgeFacts] = {}
        self.unresolved: set[Unresolved] = set()
        self._file_keys: list[int] = []
        self._keys: dict[int, list[int | None]] = {}  # file -> key of each definition, None where the SCIP index has none
        self._covered: frozenset[str] = frozenset()
        self._scip_names: dict[str, dict[str, int | None]] = {}  # path -> qualified name -> key, None: several
        self._resolved: Counter[int] = Counter()

    def build(self, scip: ScipRows | None = None) -> None:
        """Make all rows; those of the files that *scip* covers come from it."""
        scip = scip or ScipRows()
        self._covered = scip.covered
        self._take(scip)
        for number, name in enumerate(self._names):
            self._add_file(number, name)
        for number, extraction in self._extractions.items():
            if self._names[number] not in self._covered:
                self._contain(number, extraction)
                self._import(number, extraction)
                self._use(number, extraction)
            self._progress.advance()

    def _take(self, scip: ScipRows) -> None:
        for entity in scip.entities:
            self.add_entity(entity)
        for edge in scip.edges:
            self.add_edge(edge.source_key, edge.target_key, edge.kind, edge.confidence, edge.source, edge.line)
            if edge.kind != EdgeKind.CONTAINS:
                self._resolved[int(edge.kind)] += 1
        self.unresolved.update(scip.unresolved)
        for entity in scip.entities:
            names = self._scip_names.setdefault(entity.path, {})
            names[entity.name] = entity.key if entity.name not in names else None

    def _add_file(self, number: int, name: str) -> None:
        key = entity_key(self._repo_id, name, "file", name)
        self._file_keys.append(key)
        if key not in self.entities:
            self.entities[key] = Entity(key, _FILE, name, name, "", Span(), Source.SYNTAX)
        rows = self._extractions.get(number)
        if rows is not None and name in self._covered:
            names = self._scip_names.get(name, {})
            self._keys[number] = [names.get(qualified) for qualified in rows.definition_names]
        elif rows is not None:
            self._keys[number] = [
                self._add_definition(name, kind, qualified, signature, span)
                for kind, qualified, signature, span in zip(
                    rows.definition_kinds, rows.definition_names, rows.definition_signatures, rows.definition_spans, strict=True
                )
            ]

    def _add_definition(self, path: str, kind: int, name: str, signature: str, span: list[int]) -> int:
        entity_kind = EntityKind(kind)
        key = entity_key(self._repo_id, path, entity_kind.label, name, signature)
        self.add_entity(Entity(key, entity_kind, path, name, signature, Span(*span), Source.SYNTAX))
        return key

    def add_entity(self, entity: Entity) -> None:
        """Keep *entity*; of several with one key the longest, a definition and not its declaration, then the first."""
        known = self.entities.get(entity.key)
        if known is None or _extent(entity) < _extent(known):
            self.entities[entity.key] = entity

    def add_edge(self, source_key: int, target_key: int, kind: int, confidence: int, source: int, line: int) -> None:
        """Keep an edge; the surest and then the first statement of it counts."""
        identity, facts = (source_key, target_key, int(kind)), (int(confidence), int(source), line)
        known = self.edges.get(identity)
        if known is None or facts < known:
            self.edges[identity] = facts

    def _key(self, target: Target) -> int | None:
        return self._keys[target[0]][target[1]] if target[1] >= 0 else self._file_keys[target[0]]

    def _kind(self, target: Target) -> int:
        key = self._key(target)
        return self.entities[key].kind if key is not None else _FILE

    def _contain(self, file: int, rows: Extraction) -> None:
        keys = self._keys[file]
        for key, parent, span in zip(keys, rows.definition_parents, rows.definition_spans, strict=True):
            around = keys[parent] if parent >= 0 else self._file_keys[file]
            if around != key and around is not None and key is not None:
                self.add_edge(around, key, EdgeKind.CONTAINS, Confidence.EXACT, Source.SYNTAX, span[0])

    def _import(self, file: int, rows: Extraction) -> None:
        linker, key = self._resolver.linker(file), self._file_keys[file]
        for row, module in enumerate(rows.import_modules):
            line = rows.import_lines[row]
            targets = linker.files(file, row)
            for target in targets:
                if target != file:
                    self.add_edge(key, self._file_keys[target], _IMPORTS, Confidence.SCOPED, Source.SYNTAX, line)
            if targets:
                self._resolved[_IMPORTS] += 1
            elif module or rows.import_flags[row] & SYSTEM:
                self.unresolved.add(Unresolved(key, _IMPORTS, module, line, rows.import_columns[row]))

    def _use(self, file: int, rows: Extraction) -> None:
        resolve, keys = self._resolver.resolve, self._keys[file]
        uses = zip(rows.use_kinds, rows.use_scopes, rows.use_names, rows.use_lines, rows.use_columns, strict=True)
        for row, (kind, scope, name, line, column) in enumerate(uses):
            key = keys[scope] if scope >= 0 else self._file_keys[file]
            if key is None:
                continue
            found = resolve(file, row)
            if found.whole is not None and self._key(found.whole) is not None:
                self._relate(key, rows.definition_kinds[scope] if scope >= 0 else _FILE, found.whole, kind, line)
                self._resolved[kind] += 1
                continue
            if found.part is not None:
                self._relate(key, _FILE, found.part, _REFERENCES, line)
            self.unresolved.add(Unresolved(key, EdgeKind(kind), name, line, column))

    def _relate(self, key: int, kind_of_source: int, target: Target, kind: int, line: int) -> None:
        other = self._key(target)
        if other is not None and (other != key or kind == EdgeKind.CALLS):
            actual = edge_kind(kind, kind_of_source, self._kind(target))
            self.add_edge(key, other, actual, Confidence.SCOPED, Source.SYNTAX, line)

    def write(self, sink: Sink, progress: Progress) -> None:
        """Write all rows, each kind sorted by its key."""
        handles = {key: handle(entity.kind.label, key) for key, entity in self.entities.items()}
        labels = [kind.label for kind in EdgeKind]
        for rows in _chunks([self.entities[key] for key in sorted(self.entities)]):
            sink.write(EntityBatch.of(rows))
            progress.check()
        edges = sorted(
            (edge_key(handles[one], handles[other], labels[kind]), one, other, kind, source, confidence, line)
            for (one, other, kind), (confidence, source, line) in self.edges.items()
        )
        for rows in _chunks(edges):
            sink.write(EdgeBatch.of(map(Edge._make, rows)))
            progress.check()
        for rows in _chunks(sorted(self.unresolved)):
            sink.write(UnresolvedBatch.of(rows))
            progress.check()

    def summary(self, reused: int, syntax_errors: int) -> IndexSummary:
        """Return the counts."""
        entity_kinds = Counter(int(entity.kind) for entity in self.entities.values())
        edge_kinds = Counter(kind for _, _, kind in self.edges)
        unresolved = Counter(int(row.kind) for row in self.unresolved)
        return IndexSummary(
            files=len(self._names), languages=dict(sorted(Counter(self._languages).items())),
            entities=len(self.entities), edges=len(self.edges),
            resolved=sum(self._resolved.values()), unresolved=len(self.unresolved),
            entities_by_kind=_labelled(entity_kinds, EntityKind), edges_by_kind=_labelled(edge_kinds, EdgeKind),
            edges_by_source=_labelled(Counter(facts[1] for facts in self.edges.values()), Source),
            edges_by_confidence=_labelled(Counter(facts[0] for facts in self.edges.values()), Confidence),
            resolved_by_kind=_labelled(self._resolved, EdgeKind), unresolved_by_kind=_labelled(unresolved, EdgeKind),
            files_extracted=len(self._extractions), files_reused=reused, files_from_scip=len(self._covered),
            files_with_syntax_errors=syntax_errors,
        )


def _extent(entity: Entity) -> tuple[int, Span]:
    return entity.span.start_line - entity.span.end_line, entity.span


def _labelled(counts: Mapping[int, int], kinds: Callable[[int], Any]) -> dict[str, int]:
    return {kinds(kind).name.lower(): counts[kind] for kind in sorted(counts)}


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _BATCH_ROWS):
        yield rows[start : start + _BATCH_ROWS]
