"""Names to targets, never guessed: by scope inside a file, through a base class that resolves, through an import.

A target is (file, row of the definition); row -1 is the file itself.  What does not resolve is None, and the caller keeps
the use as unresolved.  Nothing depends on the order in which files or uses are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siltstone.codeindex.entities import EdgeKind, EntityKind
from siltstone.codeindex.extraction import AMBIGUOUS, FIRST_IMPORT, SELF, SUPER, UNKNOWN, Extraction
from siltstone.codeindex.import_rules import import_targets_of
from siltstone.codeindex.import_targets import ImportTargets, Target
from siltstone.codeindex.syntax_rules import RULES
from siltstone.codeindex.workspace import Root

_FOLLOW_LIMIT = 24  # re-exports or base classes followed for one name: longer chains are cycles in all but name
# They have no members that could hide one further on.
_EMPTY_BASES = frozenset({"object", "ABC", "abc.ABC", "Generic", "typing.Generic", "Protocol", "typing.Protocol",
                          "typing_extensions.Protocol", "Serializable", "java.io.Serializable", "Cloneable"})
_TYPES = frozenset({EntityKind.CLASS, EntityKind.INTERFACE, EntityKind.TYPE, EntityKind.MODULE})
_HERITAGE = (EdgeKind.INHERITS, EdgeKind.IMPLEMENTS)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of one use: *whole* is its target; *part* is the target of its longest known beginning."""

    whole: Target | None
    part: Target | None = None


_NOTHING = Resolved(None)


class Resolver:
    """Answers for a closed set of files."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root] = ()) -> None:
        self.paths = paths
        self.extractions = extractions
        self._linkers: dict[str, ImportTargets] = import_targets_of(paths, extractions, roots, self)
        self._known: dict[tuple[int, str, int, int], Resolved] = {}
        self._bases: dict[int, dict[int, list[int]]] = {}
        self._imports: dict[tuple[int, int], Target | None] = {}
        self._depth = 0  # imports being followed
        self._open: set[tuple[int, str, int]] = set()  # questions being answered, to end cycles

    def linker(self, file: int) -> ImportTargets:
        """Return the import rules for the language of *file*."""
        return self._linkers[self.extractions[file].language]

    def resolve(self, file: int, row: int) -> Resolved:
        """Return what the use *row* of *file* refers to."""
        uses = self.extractions[file]
        head, name = uses.use_heads[row], uses.use_names[row]
        scope = uses.use_scopes[row] if head in (SELF, SUPER, UNKNOWN) else -1
        if scope >= 0 and uses.use_kinds[row] in _HERITAGE:
            scope = uses.definition_parents[scope]  # the name of a base is not looked for in the class that it is the base of
        question = (file, name, head, scope)
        known = self._known.get(question)
        if known is None:
            self._known[question] = _NOTHING  # a question that asks itself has no answer
            known = self._known[question] = self._resolve(file, name, head, scope)
        if known.whole is not None and known.whole[1] < 0 and uses.use_kinds[row] == EdgeKind.CALLS and uses.language == "rust":
            return _NOTHING  # a module and a function may share a name, and nobody calls a module
        return known

    def _resolve(self, file: int, name: str, head: int, scope: int) -> Resolved:
        if name.startswith("."):
            return _NOTHING
        parts = self._parts(file, name)
        if head in (SELF, SUPER):
            return Resolved(self._through_receiver(file, parts, head, scope))
        if head >= 0:
            return self._walk((file, head), parts[1:])
        if head <= FIRST_IMPORT:
            return self._through_import(file, FIRST_IMPORT - head, parts)
        if head == UNKNOWN:
            return self._through_surroundings(file, parts, scope)
        return _NOTHING

    def _parts(self, file: int, name: str) -> list[str]:
        name = name.replace("super()", "super", 1)
        for separator in RULES[self.extractions[file].language].separators:
            name = name.replace(separator, ".")
        return name.split(".")

    def _through_receiver(self, file: int, parts: list[str], head: int, scope: int) -> Target | None:
        owner = self.owner(file, scope)
        if owner is None:
            return None
        if len(parts) == 1:
            return owner if head == SELF else None
        first = self._inherited(owner, parts[1]) if head == SUPER else self.member(owner, parts[1])
        return self._walk(first, parts[2:]).whole if first is not None else None

    def owner(self, file: int, scope: int) -> Target | None:
        """Return the type around the definition *scope*, also where its members are written outside of it."""
        rows = self.extractions[file]
        while scope >= 0:
            parent = rows.definition_parents[scope]
            if rows.definition_kinds[scope] == EntityKind.METHOD:
                if parent >= 0 and rows.definition_kinds[parent] in _TYPES:
                    return file, parent
                name = rows.definition_names[scope].rpartition(".")[0]
                return self.find(file, name.split("."))
            if rows.definition_kinds[scope] in (EntityKind.CLASS, EntityKind.INTERFACE):
                return file, scope
            scope = parent
        return None

    def _through_import(self, file: int, row: int, parts: list[str]) -> Resolved:
        if self._depth >= _FOLLOW_LIMIT:
            return _NOTHING
        self._depth += 1
        try:
            return self._imported(file, row, parts)
        finally:
            self._depth -= 1

    def _imported(self, file: int, row: int, parts: list[str]) -> Resolved:
        rows = self.extractions[file]
        deeper = self.linker(file).walk_module(file, row, parts)
        if deeper is not None:
            target, used = deeper
            return self._walk(target, parts[used:])
        question = (file, row)
        if question not in self._imports:
            self._imports[question] = None  # a cycle of imports has no target
            self._imports[question] = self.linker(file).target(file, row)
        target_or_none = self._imports[question]
        if target_or_none is None or not rows.import_locals[row]:
            return _NOTHING
        return self._walk(target_or_none, parts[1:])

    def import_target(self, file: int, row: int) -> Target | None:
        """Return what the name bound by an import row stands for."""
        return self._through_import(file, row, [self.extractions[file].import_locals[row]]).whole

    def _through_surroundings(self, file: int, parts: list[str], scope: int) -> Resolved:
        if RULES[self.extractions[file].language].class_names == "inside":
            around = self.owner(file, scope)
            while around is not None:
                found = self._inherited(around, parts[0])
                if found is not None:
                    return self._walk(found, parts[1:])
                if not self._heritage_is_known(around) and len(parts) == 1:
                    return _NOTHING  # a base that we do not see may have it
                around = self.owner(around[0], self.extractions[around[0]].definition_parents[around[1]])
        linker = self.linker(file)
        found = linker.fallback(file, parts[0], scope)
        known = self._walk(found, parts[1:]) if found is not None else _NOTHING
        if known.whole is not None:
            return known
        whole = linker.absolute(file, parts, scope)
        return Resolved(whole) if whole is not None else known

    def _walk(self, target: Target | None, parts: Sequence[str]) -> Resolved:
        part = None
        for name in parts:
            if target is None:
                break
            part = target if target[1] >= 0 else part
            target = self.member(target, name)
        return Resolved(target, part if target is None else None)

    def find(self, file: int, parts: Sequence[str]) -> Target | None:
        """Return what a dotted name means at the top of *file*."""
        target = self.lookup(file, parts[0])
        return self._walk(target, parts[1:]).whole if target is not None else None

    def lookup(self, file: int, name: str) -> Target | None:
        """Return what *name* means at the top of *file*: defined there, imported there, or what its language adds."""
        code = self.extractions[file].members.get(-1, {}).get(name)
        if code is None:
            return self.once(file, name)
        return self._coded(file, code)

    def _coded(self, file: int, code: int) -> Target | None:
        if code >= 0:
            return file, code
        return self.import_target(file, FIRST_IMPORT - code) if code <= FIRST_IMPORT else None

    def once(self, file: int, name: str) -> Target | None:
        """Return what the language adds to the names at the top of *file*."""
        return self._once(file, name, -1)

    def _once(self, file: int, name: str, row: int) -> Target | None:
        """Ask the slow way, unless the same question is being answered further up or the way is too long."""
        question = (file, name, row)
        if question in self._open or len(self._open) >= _FOLLOW_LIMIT:
            return None
        self._open.add(question)
        try:
            return self.linker(file).fallback(file, name, -1) if row < 0 else self._inherited((file, row), name)
        finally:
            self._open.discard(question)

    def member(self, target: Target, name: str) -> Target | None:
        """Return the member *name* of a module or type, its own or of the first base class that has it."""
        file, row = target
        if row < 0:
            return self.linker(file).member_of_module(file, name)
        rows = self.extractions[file]
        code = rows.members.get(row, {}).get(name)
        if code is not None:
            return self._coded(file, code)
        scattered = self.linker(file).scattered_member(target, name)
        if scattered is not None:
            return scattered
        return self._once(file, name, row) if rows.definition_kinds[row] in _TYPES else None

    def bases(self, target: Target) -> list[int]:
        """Return the use rows that name the base classes of a type, in order."""
        file, row = target
        table = self._bases.get(file)
        if table is None:
            table = self._bases[file] = {}
            uses = self.extractions[file]
            for use, kind in enumerate(uses.use_kinds):
                if kind in _HERITAGE:
                    table.setdefault(uses.use_scopes[use], []).append(use)
        return table.get(row, [])

    def _inherited(self, target: Target, name: str) -> Target | None:
        """Return the member from the base classes; None also where a base before it is not known and may have it."""
        file, _ = target
        for use in self.bases(target):
            base = self.resolve(file, use).whole
            if base is None or base == target:
                if self.extractions[file].use_names[use] in _EMPTY_BASES:
                    continue
                return None
            own = self.member(base, name)
            if own is not None:
                return own
            if not self._heritage_is_known(base):
                return None
        return None

    def _heritage_is_known(self, target: Target) -> bool:
        """Whether all base classes, and theirs, are among the files."""
        pending, seen = [target], {target}
        while pending:
            at = pending.pop()
            for use in self.bases(at):
                base = self.resolve(at[0], use).whole
                if base is None:
                    if self.extractions[at[0]].use_names[use] in _EMPTY_BASES:
                        continue
                    return False
                if base not in seen:
                    seen.add(base)
                    pending.append(base)
        return True


def edge_kind(kind: int, source_kind: int, target_kind: int) -> EdgeKind:
    """Return the kind of an edge once both ends are known: a class implements an interface, an interface extends one."""
    if kind == EdgeKind.INHERITS and source_kind == EntityKind.CLASS and target_kind == EntityKind.INTERFACE:
        return EdgeKind.IMPLEMENTS
    return EdgeKind(kind)


__all__ = ["AMBIGUOUS", "Resolved", "Resolver", "Target", "edge_kind"]
