"""From the captured nodes of one syntax tree to the rows of an `Extraction`, in one pass over the nodes in file order.

Scopes lie on a stack of bounded depth; nothing here recurses.  The meaning of the capture names is the table `ROLES`.
"""

from __future__ import annotations

from typing import Any

from siltstone.codeindex.entities import EdgeKind, EntityKind
from siltstone.codeindex.extraction import EXPORTED, FIRST_IMPORT, LOCAL, SELF, SUBMODULE, TYPE_PARAMETER, UNKNOWN, Extraction
from siltstone.codeindex.syntax_extents import find_body, find_code_end, find_inner_body, find_value, is_nameless_type
from siltstone.codeindex.syntax_imports import IMPORT_READERS
from siltstone.codeindex.syntax_names import (
    Texts,
    find_name,
    find_targets,
    first_parameter,
    is_single_name,
    iter_bound_names,
    receiver_name,
)
from siltstone.codeindex.syntax_rules import LanguageRules
from siltstone.codeindex.syntax_scopes import (
    BLOCK_SCOPE,
    FILE_SCOPE,
    FUNCTION_SCOPE,
    ITEM_SCOPE,
    MODULE_SCOPE,
    TYPE_SCOPE,
    Names,
    Scope,
)

_DEPTH_LIMIT = 200  # scopes inside scopes; what lies deeper counts to the scope at the limit
_DEFINITION_DEPTH_LIMIT = 48  # definitions inside definitions; deeper ones would make names of quadratic length

# Roles in the order in which they count where two captures begin at the same byte and are equally long.
(DECORATED, MODULE, CLASS, INTERFACE, TYPE, FUNCTION, MEMBERS, IMPORT, FIELD, VARIABLE, ENUMERATOR, BLOCK, FUNCTION_BLOCK,
 ANONYMOUS_CLASS, LOCAL_NAME, PATTERN, TYPE_PARAMETER_NAME, PACKAGE,
 INHERITS, IMPLEMENTS, CALL, INVOCATION, COMPONENT, REFERENCE, TYPE_USE) = range(25)
ROLES = {
    "decorated": DECORATED,  # a definition together with what decorates it
    "module": MODULE, "class": CLASS, "interface": INTERFACE, "type_alias": TYPE, "function": FUNCTION,
    "members": MEMBERS,  # a block of members of a type that is defined elsewhere (Rust impl)
    "variable": VARIABLE,  # an entity outside of functions, a local name inside
    "field": FIELD,  # a variable that belongs to a type
    "enumerator": ENUMERATOR,  # a field that is also seen around its type (C)
    "block": BLOCK,  # a scope of its own for local names
    "function_block": FUNCTION_BLOCK,  # a nameless function with a receiver of its own
    "anonymous_class": ANONYMOUS_CLASS,  # a nameless subclass: plain names inside may be inherited ones
    "local": LOCAL_NAME, "pattern": PATTERN, "type_parameter": TYPE_PARAMETER_NAME,
    "import": IMPORT, "package": PACKAGE,
    "invocation": INVOCATION,  # a call whose name reaches from `object` to `name` (Java)
    "component": COMPONENT,  # an element of JSX: a reference unless it is one of the page
    "call": CALL, "reference": REFERENCE, "type": TYPE_USE, "inherits": INHERITS, "implements": IMPLEMENTS,
}
_KINDS = {MODULE: EntityKind.MODULE, CLASS: EntityKind.CLASS, INTERFACE: EntityKind.INTERFACE, TYPE: EntityKind.TYPE,
          FUNCTION: EntityKind.FUNCTION}
_SCOPE_KINDS = {MODULE: MODULE_SCOPE, CLASS: TYPE_SCOPE, INTERFACE: TYPE_SCOPE, TYPE: ITEM_SCOPE, FUNCTION: FUNCTION_SCOPE}
_EDGES = {CALL: int(EdgeKind.CALLS), INVOCATION: int(EdgeKind.CALLS), COMPONENT: int(EdgeKind.REFERENCES),
          REFERENCE: int(EdgeKind.REFERENCES), TYPE_USE: int(EdgeKind.TYPE_OF),
          INHERITS: int(EdgeKind.INHERITS), IMPLEMENTS: int(EdgeKind.IMPLEMENTS)}
_TYPE_WORDS = frozenset({"cls", "Self"})  # they stand for the type around; other receivers are a value of it
_PATHS = frozenset({"qualified_type", "nested_type_identifier", "scoped_type_identifier", "scoped_identifier"})


class Rows:
    """Fills one `Extraction`."""

    def __init__(self, source: bytes, language: str, rules: LanguageRules) -> None:
        self.rules = rules
        self.texts = Texts(source, rules.separators)
        self.out = Extraction(language)
        self.names = Names(self.out, rules)
        self._stack = [Scope(FILE_SCOPE, len(source) + 1, 0, -1, None, "")]
        self._scopes: list[Scope] = list(self._stack)  # those whose names others may ask for
        self._done: set[int] = set()  # start bytes of definitions that are read, and of names that are no uses
        self._functions: set[tuple[int, int]] = set()  # declarations of functions, which are not variables
        self._covered = 0  # end of the last path of modules and types: its parts are no uses
        self._uses: list[tuple[int, Scope, int]] = []  # role, scope and byte of each use row
        self._read_import = IMPORT_READERS[language]

    def fill(self, captures: dict[str, list[Any]]) -> Extraction:
        """Read all captured nodes and return the finished extraction."""
        events: list[tuple[int, int, int, int, Any]] = []
        for name, nodes in captures.items():
            role = ROLES[name]
            events += [(node.start_byte, -node.end_byte, role, row, node) for row, node in enumerate(nodes)]
        events.sort()
        stack, last = self._stack, (-1, 0)
        for start, minus_end, role, _, node in events:
            while stack[-1].end <= start:
                stack.pop()
            if role >= INHERITS:
                if (start, minus_end) != last and start not in self._done:  # another pattern found this node; a name
                    self._use(role, node, start, -minus_end)
                last = (start, minus_end)
            elif role == LOCAL_NAME:
                self.names.bind(stack[-1], self.texts.plain(node), LOCAL)
                self._done.add(start)
            else:
                self._structure(role, node, start, -minus_end)
        return self._finish()

    def _structure(self, role: int, node: Any, start: int, end: int) -> None:
        if role == DECORATED:
            inner = node.child_by_field_name("definition")
            if inner is not None:
                self._done.add(inner.start_byte)
                self._define(CLASS if "class" in inner.type else FUNCTION, inner, node)
        elif role <= FUNCTION:
            if start not in self._done:
                self._define(role, node, node)
        elif role in (VARIABLE, FIELD, ENUMERATOR):
            if (start, end) not in self._functions:
                self._define_variables(role, node)
        elif role == ANONYMOUS_CLASS:
            self._push(Scope(FUNCTION_SCOPE, end, start, self._stack[-1].definition, self._stack[-1], self._stack[-1].prefix))
            self._stack[-1].may_inherit = True
        elif role == MEMBERS:
            self._open_members(node, end)
        elif role in (BLOCK, FUNCTION_BLOCK):
            self._push(Scope(FUNCTION_SCOPE if role == FUNCTION_BLOCK else BLOCK_SCOPE, end, start,
                             self._stack[-1].definition, self._stack[-1], self._stack[-1].prefix))
        elif role == PATTERN:
            for name in iter_bound_names(node):
                self.names.bind(self._stack[-1], self.texts.plain(name), LOCAL)
        elif role == TYPE_PARAMETER_NAME:
            self._stack[-1].names[self.texts.plain(node)] = TYPE_PARAMETER
            self._done.add(start)
        elif role == IMPORT:
            self._import(node)
        elif role == PACKAGE:
            self.out.package = self.texts.plain(node)
            self._done.add(start)

    def _push(self, scope: Scope) -> None:
        if len(self._stack) < _DEPTH_LIMIT:
            self._stack.append(scope)

    def _enclosing(self) -> Scope:
        """Return the innermost scope that can own a definition."""
        scope = self._stack[-1]
        while scope.kind in (ITEM_SCOPE, BLOCK_SCOPE) and scope.parent is not None:
            scope = scope.parent
        return scope

    def _define(self, role: int, node: Any, whole: Any) -> None:
        owner, name_node = find_name(node, self.texts)
        around = self._enclosing()
        scope_kind = _SCOPE_KINDS[role]
        body_start = find_body(node, whole.end_byte)
        if node.type == "type_definition" and is_nameless_type(node.child_by_field_name("type")):
            scope_kind = TYPE_SCOPE  # C: its members belong to the name that it gets
        name = self.texts.name(name_node) if name_node is not None else ""
        name = "" if name in self.rules.no_names else name
        self._done.add(node.start_byte)
        self._functions.add((node.start_byte, node.end_byte))
        if name_node is not None:
            self._done.add(name_node.start_byte)
        if node.type == "declaration" and around.kind == FUNCTION_SCOPE:  # `Type name(value);` is no function
            self.names.bind(self._stack[-1], name, LOCAL)
            return
        if not name or "." in name or around.prefix.count(".") > _DEFINITION_DEPTH_LIMIT:
            self._push(Scope(scope_kind, whole.end_byte, body_start, around.definition, self._stack[-1], around.prefix))
            return
        kind = _KINDS[role]
        if role == FUNCTION and (around.kind == TYPE_SCOPE or owner):
            kind = EntityKind.METHOD
        owner = around.prefix + owner if owner else ""
        prefix = f"{owner}." if owner else around.prefix
        row = self._add(kind, prefix + name, around.header + self._header(node, body_start), whole, name_node, around)
        scope = Scope(scope_kind, whole.end_byte, body_start, row, self._stack[-1], f"{prefix}{name}.")
        scope.owner = owner
        if owner and (receiver := receiver_name(node)) is not None:
            scope.names[self.texts.plain(receiver)] = SELF
        scope.static = whole is not node and b"staticmethod" in self._decoration(whole, node)
        receives = kind == EntityKind.METHOD and self.rules.receives_first and not scope.static
        if receives and (receiver := first_parameter(node)) is not None:
            scope.names[self.texts.plain(receiver)] = SELF
        if owner:
            self._bind_foreign(owner, name, row)
        elif not (role == FUNCTION and self._continues_property(whole, node)):
            self._bind_definition(around, name, row)
        self._push(scope)
        if scope_kind != FUNCTION_SCOPE:
            self._scopes.append(scope)

    def _bind_definition(self, around: Scope, name: str, row: int) -> None:
        if around.kind == TYPE_SCOPE and f".{around.prefix}".endswith(f".{name}."):
            return  # a constructor: its name means the type
        if around.owner and around.kind == TYPE_SCOPE:
            self._bind_foreign(around.owner, name, row)
        else:
            self.names.bind(around, name, row)

    def _bind_foreign(self, owner: str, name: str, row: int) -> None:
        members = self.out.foreign.setdefault(owner, {})
        members[name] = row if name not in members else self.names.merged(members[name], row)

    def _continues_property(self, whole: Any, node: Any) -> bool:
        """Whether a decorated function is the setter or deleter of a property, which the getter stands for."""
        between = self._decoration(whole, node)
        return b".setter" in between or b".deleter" in between

    def _decoration(self, whole: Any, node: Any) -> bytes:
        return self.texts.source[whole.start_byte : min(node.start_byte, whole.start_byte + 256)]

    def _header(self, node: Any, body_start: int) -> str:
        start = node.start_byte
        if self.rules.header_skips:
            for child in node.children[:8]:
                if child.type not in self.rules.header_skips:
                    start = child.start_byte
                    break
        return self.texts.signature(start, body_start)

    def _add(self, kind: EntityKind, name: str, signature: str, whole: Any, name_node: Any, around: Scope) -> int:
        out = self.out
        out.definition_kinds.append(int(kind))
        out.definition_parents.append(around.definition)
        out.definition_names.append(name)
        out.definition_signatures.append(signature)
        start, end, place = whole.start_point, find_code_end(whole, self.texts.source), name_node.start_point
        out.definition_spans.append([start[0], start[1], end[0], end[1]])
        out.definition_places.append([place[0], place[1]])
        return len(out.definition_kinds) - 1

    def _define_variables(self, role: int, node: Any) -> None:
        around = self._enclosing()
        if role == FIELD and around.kind != TYPE_SCOPE and not around.may_inherit:
            if around.kind == FUNCTION_SCOPE:
                return
            around = self._nameless_type(around)
        value = node.child_by_field_name("value")
        if value is not None and value.type in self.rules.function_values and is_single_name(node):
            self._define(FUNCTION, node, node)
            return
        local = around.kind == FUNCTION_SCOPE or (role == VARIABLE and self._stack[-1].kind == BLOCK_SCOPE)
        first = -1
        for target in find_targets(node, self.rules.variable_fields):
            for name_node in iter_bound_names(target):
                name = self.texts.plain(name_node)
                self._done.add(name_node.start_byte)
                if name in self.rules.no_names:
                    continue
                if local:
                    self.names.bind(self._stack[-1], name, LOCAL)
                    continue
                row = self._add(EntityKind.VARIABLE, around.prefix + name, self._annotation(node), node, name_node, around)
                self._bind_definition(around, name, row)
                if role == ENUMERATOR and around.parent is not None:
                    self.names.bind(around.parent, name, row)
                first = row if first < 0 else first
        if first >= 0:
            self._push(Scope(ITEM_SCOPE, node.end_byte, find_value(node), first, self._stack[-1], around.prefix))

    def _nameless_type(self, around: Scope) -> Scope:
        """Return a scope for the fields of a struct without a name: they are no names of the file."""
        owner = self._stack[-1].definition
        prefix = f"{self.out.definition_names[owner]}." if owner >= 0 else around.prefix
        return Scope(TYPE_SCOPE, around.end, around.body, owner, around, prefix)

    def _annotation(self, node: Any) -> str:
        kind = node.child_by_field_name("type")
        if kind is None:
            return ""
        body = find_inner_body(kind)
        return self.texts.signature(kind.start_byte, kind.end_byte if body is None else body.start_byte).lstrip(": ")

    def _open_members(self, node: Any, end: int) -> None:
        owner, _ = find_name(node, self.texts)
        around, body = self._enclosing(), node.child_by_field_name("body")
        prefix = f"{around.prefix}{owner}." if owner else around.prefix
        start = body.start_byte if body is not None else end
        scope = Scope(TYPE_SCOPE, end, start, around.definition, self._stack[-1], prefix)
        scope.owner = f"{around.prefix}{owner}"
        if node.child_by_field_name("trait") is not None:
            scope.header = self.texts.signature(node.start_byte, start) + ": "
        self._push(scope)

    def _import(self, node: Any) -> None:
        out = self.out
        first = len(out.import_locals)
        self._read_import(node, self.texts, out)
        out.import_scopes += [self._stack[-1].definition] * (len(out.import_locals) - first)
        for row in range(first, len(out.import_locals)):
            local = out.import_locals[row]
            if local and local != "*":
                public = out.import_flags[row] & EXPORTED and not out.import_flags[row] & SUBMODULE
                name = f"export {local}" if public and self.rules.exports_apart else local
                self.names.bind(self._stack[-1], name, FIRST_IMPORT - row)

    def _use(self, role: int, node: Any, start: int, end: int) -> None:
        if role == TYPE_USE and start < self._covered:
            return
        line, column = node.end_point
        if role == INVOCATION:
            last = node.child_by_field_name("name")
            end, (line, column) = last.end_byte, last.end_point
        elif "::" in self.rules.separators or node.type in _PATHS:
            self._covered = max(self._covered, end)
        name = self.texts.dotted(node, start, end)
        if not name or (role == COMPONENT and name[0].islower() and "." not in name):
            return
        scope, out = self._stack[-1], self.out
        self._uses.append((role, scope, start))
        out.use_kinds.append(_EDGES[role])
        out.use_scopes.append(scope.definition)
        out.use_names.append(name)
        out.use_lines.append(line)
        out.use_columns.append(max(0, column - self.texts.last_part_size(name)))

    def _finish(self) -> Extraction:
        out, names = self.out, self.names
        self._export_names()
        kept: list[int] = []
        known: dict[tuple[int, str], int] = {}
        for row, (role, scope, start) in enumerate(self._uses):
            name = out.use_names[row]
            head = self.texts.head(name)
            if not head or head == "self::":
                code = UNKNOWN
            elif start < scope.body:
                code = names.look_up(scope, head, start)
            else:
                found = known.get((id(scope), head))
                code = known[id(scope), head] = names.look_up(scope, head, start) if found is None else found
            out.use_heads.append(code)
            if scope.owner and scope.kind == TYPE_SCOPE:
                self._attribute_to_owner(row, scope)
            declares = scope.kind == ITEM_SCOPE and start < scope.body and self._is_variable(scope.definition)
            if role == TYPE_USE and not declares:
                out.use_kinds[row] = int(EdgeKind.REFERENCES)
            receiver = code == SELF and head == name and name not in _TYPE_WORDS
            if not (role in (REFERENCE, TYPE_USE) and (receiver or code in (LOCAL, TYPE_PARAMETER))):
                kept.append(row)
        self._keep(kept)
        self._mark_protocols()
        return out

    def _attribute_to_owner(self, row: int, scope: Scope) -> None:
        """Let the type itself say what the head of a block of its members says."""
        owner = self._type_named(scope.owner)
        if owner >= 0:
            self.out.use_scopes[row] = owner
        elif self.out.use_kinds[row] == EdgeKind.IMPLEMENTS:  # the type is elsewhere: this file only refers to the trait
            self.out.use_kinds[row] = int(EdgeKind.REFERENCES)

    def _is_variable(self, row: int) -> bool:
        return self.out.definition_kinds[row] == EntityKind.VARIABLE

    def _keep(self, rows: list[int]) -> None:
        """Drop the uses that read a local name or a type parameter: they say nothing about other entities."""
        out = self.out
        if len(rows) == len(out.use_kinds):
            return
        for column in ("use_kinds", "use_scopes", "use_names", "use_lines", "use_columns", "use_heads"):
            values = getattr(out, column)
            setattr(out, column, [values[row] for row in rows])

    def _export_names(self) -> None:
        out = self.out
        for scope in self._scopes:
            if scope.names:
                known = out.members.setdefault(scope.definition, {})
                known.update({name: code for name, code in sorted(scope.names.items()) if code not in (LOCAL, TYPE_PARAMETER)})
        for owner in list(out.foreign):
            self._adopt(owner)

    def _mark_protocols(self) -> None:
        out, bases = self.out, self.rules.protocol_bases
        for kind, row, name in zip(out.use_kinds, out.use_scopes, out.use_names, strict=True) if bases else ():
            if kind == EdgeKind.INHERITS and name in bases:
                out.definition_kinds[row] = int(EntityKind.INTERFACE)

    def _adopt(self, owner: str) -> None:
        """Give members written outside of their type to the type, where this file defines it."""
        out = self.out
        code = self._type_named(owner)
        members = out.foreign[owner]
        for row in members.values():
            if row >= 0:
                out.definition_parents[row] = max(code, -1)
        if code >= 0:
            mine = out.members.setdefault(code, {})
            for name, row in out.foreign.pop(owner).items():
                if name not in mine:
                    mine[name] = row
                elif not self.rules.members_are_declared:
                    mine[name] = self.names.merged(mine[name], row)

    def _type_named(self, name: str) -> int:
        """Return the row of the type with this qualified name, UNKNOWN where the file does not define it."""
        code, *rest = name.split(".")
        at = self._scopes[0].names.get(code, UNKNOWN)
        for part in rest:
            at = self.out.members.get(at, {}).get(part, UNKNOWN) if at >= 0 else UNKNOWN
        return at
