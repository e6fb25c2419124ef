"""SCIP documents as entities and relations.

Documents may come in any order: a symbol may be used long before it is defined.  So uses are kept in columns, by symbol
number, and resolved at the end; what is kept is reserved from the budget ``index``.  The result does not depend on the
order of the documents.

A relation is said once: the same source, target and kind on several lines keep the first line.  Uses of symbols that no
document defines are unresolved, named readably, likewise once for each source, kind and name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from siltstone.codeindex import scip_edges
from siltstone.codeindex.entities import Batch, EdgeKind, Entity, EntityKind, Source, Span
from siltstone.codeindex.keys import entity_key
from siltstone.codeindex.scip_kinds import SymbolNames, can_be_entity, kind_of, names_scope
from siltstone.codeindex.scip_positions import NestedSpans, byte_ranges, places
from siltstone.codeindex.scip_python import absolute_imports
from siltstone.codeindex.scip_reader import (
    IS_IMPLEMENTATION,
    IS_TYPE_DEFINITION,
    ROLE_DEFINITION,
    ROLE_IMPORT,
    ExternalSymbols,
    PositionEncoding,
    ScipDocument,
)
from siltstone.codeindex.scip_symbols import Suffix
from siltstone.core.budget import Budget

_FORWARD_DEFINITION = 64
_ENTITY_BYTES = 500  # of one held entity with its strings, measured; the columns of uses are counted as they are

Enclosing = Callable[[str], Sequence[Span]]
CallSites = Callable[[str], Collection[tuple[int, int]]]
ReadSource = Callable[[str], bytes | None]


@dataclass(slots=True)
class _Definition:
    """Where a document defines a symbol: the first place, and the spans around it, one for each overload or declaration."""

    row: int
    text: str
    symbol: int  # number in the graph
    spans: list[Span]


@dataclass(slots=True)
class _Scope:
    """What is known of one document while it is read."""

    document: ScipDocument
    ranges: npt.NDArray[np.int32]
    enclosing: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int64]  # symbol of the document → symbol of the graph; -1 for those that are no entities
    file: int
    entities: dict[str, int] = field(default_factory=dict)  # symbol text → entity
    local: dict[int, int] = field(default_factory=dict)  # symbol of the graph → entity of this document


class ScipGraph:
    """Collects documents, then yields batches.

    *enclosing* gives the spans of definitions of a file, for documents that hold no enclosing ranges; *call_sites* the
    (line, byte column) of each called name of a file: a use that stands there is a call; *read_source* the bytes of a
    file, so that columns can be counted in bytes: without it, columns stay in the encoding of the document.
    """

    def __init__(
        self, repo_id: str, *, budget: Budget | None = None, enclosing: Enclosing | None = None,
        call_sites: CallSites | None = None, read_source: ReadSource | None = None,
    ) -> None:
        self._repo_id = repo_id
        self._budget = budget or Budget()
        self._enclosing, self._call_sites, self._read_source = enclosing, call_sites, read_source
        self._names = SymbolNames()
        self._held = 0
        self._files: dict[str, int] = {}
        self.table = scip_edges.SymbolTable()

    @property
    def covered_files(self) -> frozenset[str]:
        """The paths of the documents that were added."""
        return frozenset(self._files)

    def add(self, document: ScipDocument) -> None:
        """Take one document. Raises BudgetExceeded where the budget ``index`` does not hold it."""
        scope = self._open(document)
        definitions = self._definitions(scope)
        self._add_entities(scope, definitions)
        self._add_containment(scope, definitions)
        self._add_uses(scope, definitions)
        self._add_relationships(scope)
        self._reserve(_ENTITY_BYTES * (1 + len(definitions)) + 24 * len(document.symbols))

    def add_external(self, external: ExternalSymbols) -> None:
        """Take what the index says of symbols defined elsewhere: whether a base is an interface."""
        for name, stated in zip(external.symbols, external.kinds, strict=True):
            text = name.decode("utf-8", "replace")
            symbol = self._names.parse(text) if can_be_entity(name) else None
            kind = kind_of(symbol, stated, b"") if symbol else None
            if kind is not None:
                self.table.external_kinds[self.table.number(name)] = kind

    def finish(self) -> Iterator[Batch]:
        """Yield entities, then edges, then what is unresolved; each sorted by key. Gives all memory back at the end."""
        try:
            yield from scip_edges.resolve(self.table, self._names)
        finally:
            self._budget.release("index", self._held)
            self._held = 0

    def _reserve(self, size: int) -> None:
        self._budget.reserve("index", size)
        self._held += size

    def _open(self, document: ScipDocument) -> _Scope:
        ranges, enclosing = document.ranges, document.enclosing_ranges
        if self._read_source and document.encoding in (PositionEncoding.UTF16, PositionEncoding.UTF32):
            source = self._read_source(document.path)
            if source is not None:
                ranges = byte_ranges(ranges, source, document.encoding)
                enclosing = byte_ranges(enclosing, source, document.encoding)
        numbers = [self.table.number(name) if can_be_entity(name) else -1 for name in document.symbols]
        file = self._entity(EntityKind.FILE, document.path, document.path, "", Span(), len(self.table.entities))
        self._files[document.path] = file
        return _Scope(document, ranges, enclosing, np.array([*numbers, -1], np.int64), file)

    def _entity(self, kind: EntityKind, path: str, name: str, signature: str, span: Span, file: int) -> int:
        key = entity_key(self._repo_id, path, kind.label, name, signature)
        return self.table.add_entity(Entity(key, kind, path, name, signature, span, Source.SCIP), file)

    def _definitions(self, scope: _Scope) -> list[_Definition]:
        """Return the first definition of each symbol that can be an entity, in the order of the text."""
        document = scope.document
        rows = np.flatnonzero(
            (document.roles & ROLE_DEFINITION != 0) & (scope.numbers[document.occurrence_symbols] >= 0))
        found: dict[int, _Definition] = {}
        for row in rows[np.lexsort(scope.ranges[rows].T[::-1])].tolist():
            local = int(document.occurrence_symbols[row])
            if local not in found:
                text = document.symbols[local].decode("utf-8", "replace")
                found[local] = _Definition(row, text, int(scope.numbers[local]), [])
            if scope.enclosing[row, 0] >= 0:
                found[local].spans.append(Span(*scope.enclosing[row].tolist()))
        definitions = sorted(found.values(), key=lambda one: (scope.ranges[one.row].tolist(), one.text))
        if not any(one.spans for one in definitions):
            self._fall_back(scope, definitions)
        return definitions

    def _fall_back(self, scope: _Scope, definitions: list[_Definition]) -> None:
        """Give each span that the caller knows to the first class, function or method whose name is innermost in it."""
        spans = sorted(self._enclosing(scope.document.path), key=_nesting) if self._enclosing else []
        nested = NestedSpans([_bounds(span) for span in spans])
        owned: set[int] = set()
        names = [one for one in definitions if one.text.endswith((").", "#", "!"))]
        starts = np.array([scope.ranges[one.row] for one in names], np.int32).reshape(-1, 4)
        for one, row in zip(names, nested.innermost(places(starts[:, 0], starts[:, 1])).tolist(), strict=True):
            if row >= 0 and row not in owned:
                owned.add(row)
                one.spans.append(spans[row])

    def _add_entities(self, scope: _Scope, definitions: list[_Definition]) -> None:
        document = scope.document
        infos = {int(local): row for row, local in enumerate(document.info_symbols.tolist())}
        modules = {one.text for one in definitions if one.text.endswith("/") and not self._is_file(scope, one)}
        for one in definitions:
            if self._is_file(scope, one):
                self._define(scope, one, scope.file)
                continue
            symbol = self._names.parse(one.text)
            if symbol is None:
                continue
            info = infos.get(int(document.occurrence_symbols[one.row]), -1)
            stated, head = (int(document.info_kinds[info]), document.heads[info]) if info >= 0 else (0, b"")
            kind = kind_of(symbol, stated, head)
            name = self._names.qualified(one.text, symbol, modules).replace("\0", "\ufffd")
            if kind is None or not name:
                continue
            span = min(one.spans, default=Span(*scope.ranges[one.row].tolist()))
            signature = symbol.descriptors[-1].disambiguator
            self._define(scope, one, self._entity(kind, document.path, name, signature, span, scope.file))

    def _is_file(self, scope: _Scope, one: _Definition) -> bool:
        """Whether a namespace or module is defined by the start of the file: it is the file itself."""
        return names_scope(one.text.encode()) and not scope.ranges[one.row, :2].any()

    def _define(self, scope: _Scope, one: _Definition, entity: int) -> None:
        scope.entities[one.text] = entity
        scope.local[one.symbol] = entity
        self.table.define(one.symbol, entity)

    def _add_containment(self, scope: _Scope, definitions: list[_Definition]) -> None:
        for one in definitions:
            entity = scope.entities.get(one.text, scope.file)
            if entity == scope.file:
                continue
            container, line = scope.file, int(scope.ranges[one.row, 0])
            symbol = self._names.parse(one.text)
            for text, descriptor in self._names.scopes(one.text, symbol) if symbol else ():
                if text in scope.entities:
                    container = scope.entities[text]
                    break
                if descriptor.suffix is Suffix.TYPE:  # defined in another file, as a method of Go may be
                    self.table.members.append((self.table.number(text.encode()), entity, scope.file, line))
                    container = -1
                    break
            if container >= 0:
                self.table.add_edge(container, entity, EdgeKind.CONTAINS, line)

    def _add_uses(self, scope: _Scope, definitions: list[_Definition]) -> None:
        document = scope.document
        numbers = scope.numbers[document.occurrence_symbols]
        for row, module in absolute_imports(document, self._names).items():
            numbers[row] = self.table.number(module)
        rows = np.flatnonzero((numbers >= 0) & (document.roles & (ROLE_DEFINITION | _FORWARD_DEFINITION) == 0))
        if not len(rows):
            return
        owners = sorted((*_nesting(span), one.text) for one in definitions for span in one.spans
                        if scope.entities.get(one.text, scope.file) != scope.file)
        nested = NestedSpans([_bounds(Span(line, column, -end_line, -end)) for line, column, end_line, end, _ in owners])
        at = places(scope.ranges[rows, 0], scope.ranges[rows, 1])
        sources = np.array([*(scope.entities[text] for *_, text in owners), scope.file], np.int64)[nested.innermost(at)]
        kinds = np.full(len(rows), EdgeKind.REFERENCES, np.int64)
        if self._call_sites:
            called = np.array(sorted(line << 32 | column for line, column in self._call_sites(document.path)), np.int64)
            kinds[np.isin(at, called)] = EdgeKind.CALLS
        # a target of this file is its entity; another symbol is known at the end: -2 - its number
        distinct, inverse = np.unique(numbers[rows], return_inverse=True)
        targets = np.array([scope.local.get(number, -2 - number) for number in distinct.tolist()], np.int64)[inverse]
        self._reserve(self.table.add_uses(sources, targets, kinds, scope.ranges[rows, :2]))
        imports = document.roles[rows] & ROLE_IMPORT != 0
        if imports.any():
            files = np.full(int(imports.sum()), scope.file, np.int64)
            self._reserve(self.table.add_uses(
                files, targets[imports], np.full(len(files), EdgeKind.IMPORTS, np.int64), scope.ranges[rows[imports], :2]))

    def _add_relationships(self, scope: _Scope) -> None:
        document = scope.document
        for row, target, flags in document.relationships.tolist():
            wanted = flags & (IS_IMPLEMENTATION | IS_TYPE_DEFINITION)
            source = int(scope.numbers[document.info_symbols[row]])
            number = int(scope.numbers[target])
            if wanted and source >= 0 and number >= 0:
                self.table.relationships.append((scope.local.get(source, -2 - source), number, wanted))


def _nesting(span: Span) -> tuple[int, int, int, int]:
    return span.start_line, span.start_column, -span.end_line, -span.end_column


def _bounds(span: Span) -> tuple[int, int]:
    return span.start_line << 32 | span.start_column, span.end_line << 32 | span.end_column
