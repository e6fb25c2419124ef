"""Names and scopes inside one file: what binds a name where, and what a used name is bound to.

Invariant: a name bound twice to different things in one scope is AMBIGUOUS or LOCAL, never one of them by luck.
"""

from __future__ import annotations

from siltstone.codeindex.entities import EntityKind
from siltstone.codeindex.extraction import (
    AMBIGUOUS,
    FIRST_IMPORT,
    LOCAL,
    SELF,
    SUBMODULE,
    SUPER,
    TYPE_PARAMETER,
    UNKNOWN,
    Extraction,
)
from siltstone.codeindex.syntax_rules import LanguageRules

FILE_SCOPE, MODULE_SCOPE, TYPE_SCOPE, FUNCTION_SCOPE, BLOCK_SCOPE, ITEM_SCOPE = range(6)
_WEAK = EntityKind.VARIABLE  # a function or class of the same name says more than a variable


class Scope:
    """A stretch of the file with names of its own; *definition* is the innermost definition around it, -1: the file."""

    __slots__ = ("body", "definition", "end", "header", "kind", "may_inherit", "names", "owner", "parent", "prefix", "static")

    def __init__(self, kind: int, end: int, body: int, definition: int, parent: Scope | None, prefix: str) -> None:
        self.kind, self.end, self.body = kind, end, body
        self.definition, self.parent, self.prefix = definition, parent, prefix
        self.names: dict[str, int] = {}
        self.header = ""  # what tells apart equal members of one type: `impl Trait for Type`
        self.owner = ""  # the type that a block of members belongs to, where it is not a definition around it
        self.may_inherit = False  # a nameless class: a plain name inside may be a member of its base
        self.static = False  # a function without a receiver


class Names:
    """Binds and looks up names for one file under the rules of its language."""

    __slots__ = ("_extraction", "_rules")

    def __init__(self, extraction: Extraction, rules: LanguageRules) -> None:
        self._extraction = extraction
        self._rules = rules

    def bind(self, scope: Scope, name: str, code: int) -> None:
        """Let *name* mean *code* in *scope*, or note that it means several things."""
        while scope.kind == ITEM_SCOPE and scope.parent is not None:
            scope = scope.parent
        old = scope.names.get(name)
        if old is None or old == code:
            scope.names[name] = code
        elif old == SELF:
            return  # the parameter that is the receiver
        elif scope.kind in (FUNCTION_SCOPE, BLOCK_SCOPE) and LOCAL in (old, code):
            scope.names[name] = LOCAL
        else:
            scope.names[name] = self.merged(old, code)

    def merged(self, old: int, new: int) -> int:
        """Return what a name means that *old* and then *new* claim in one scope outside of functions."""
        weak_old, weak_new = self._is_weak(old), self._is_weak(new)
        if weak_old != weak_new:
            return new if weak_old else old
        if old >= 0 and new >= 0 and self._is_alias(old) != self._is_alias(new):
            return new if self._is_alias(old) else old  # `typedef struct a {…} a;`
        if old >= 0 and new >= 0:
            rows = self._extraction
            same = rows.definition_signatures[old] == rows.definition_signatures[new]
            if self._rules.last_wins or weak_new or (same and rows.definition_kinds[old] == rows.definition_kinds[new]):
                return new
        if old <= FIRST_IMPORT and new <= FIRST_IMPORT:
            if self._import(old) == self._import(new):
                return old
            if self._declares_module(old) != self._declares_module(new):  # Rust: a path goes through the module
                return old if self._declares_module(old) else new
        return AMBIGUOUS

    def _is_weak(self, code: int) -> bool:
        return code == LOCAL or (code >= 0 and self._extraction.definition_kinds[code] == _WEAK)

    def _is_alias(self, code: int) -> bool:
        return self._extraction.definition_kinds[code] == EntityKind.TYPE

    def _declares_module(self, code: int) -> int:
        return self._extraction.import_flags[FIRST_IMPORT - code] & SUBMODULE

    def _import(self, code: int) -> tuple[str, str, str]:
        row, rows = FIRST_IMPORT - code, self._extraction
        module, name = rows.import_modules[row], rows.import_names[row]
        if not name and rows.import_locals[row] != module and module.startswith(rows.import_locals[row] + "."):
            module = rows.import_locals[row]  # `import a.b` and `import a.c` both bind a
        return rows.import_locals[row], module, name

    def look_up(self, scope: Scope, head: str, start: int) -> int:
        """Return what *head*, used at byte *start* in *scope*, is bound to."""
        if head in self._rules.self_words:
            found = self._receiver(scope, head)
            if found is not None:
                return found
        at: Scope | None = scope
        nearest = True  # no function between the use and *at*
        inner_type = False  # a type between the use and *at*
        while at is not None:
            code = at.names.get(head)
            if at.may_inherit and code is None and not head[:1].isupper():
                return LOCAL
            if code == SELF and inner_type:
                return LOCAL  # the receiver of a method around another type
            in_header = start < at.body  # bases, annotations, decorators and defaults are read outside of the body
            if code == LOCAL and in_header and self._rules.defaults_see_parameters:
                return code
            if code == TYPE_PARAMETER or (code is not None and not in_header and self._reaches(at, nearest)):
                return code
            inner_type = inner_type or (at.kind == TYPE_SCOPE and not in_header)
            if at.kind != ITEM_SCOPE and not in_header:
                nearest = False
                if at.kind == MODULE_SCOPE and self._rules.modules_are_opaque:
                    return UNKNOWN
            at = at.parent
        return UNKNOWN

    def _reaches(self, scope: Scope, nearest: bool) -> bool:
        visible = self._rules.class_names
        return scope.kind != TYPE_SCOPE or visible == "inside" or (nearest and visible == "body")

    def _receiver(self, scope: Scope, head: str) -> int | None:
        """Return SELF or SUPER where *head* is the receiver of the method around *scope*; None: an ordinary name."""
        at: Scope | None = scope
        code = SUPER if head == "super" else SELF
        while at is not None:
            if at.kind == TYPE_SCOPE:
                return code
            if at.kind == FUNCTION_SCOPE:
                inside = at.parent is not None and (at.parent.kind == TYPE_SCOPE or bool(at.owner))
                if inside:
                    return LOCAL if at.static else code
                if head in at.names or head == "this":
                    return LOCAL
            elif at.kind == BLOCK_SCOPE and head in at.names:
                return LOCAL
            at = at.parent
        return None
