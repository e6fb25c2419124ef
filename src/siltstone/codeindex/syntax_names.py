"""Texts cut from a source file: names as they are written, signatures on one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_LOOSE_SPACE = re.compile(r"\s+(?=\W)|(?<=\W)\s+|(?<=\s)\s+")  # `operator new` keeps its space, `operator ==` does not
_SIGNATURE_LIMIT = 4096  # characters; a longer one is cut and says so by an ellipsis
_NAME_LIMIT = 256  # bytes of a dotted name; a longer chain counts by its last part only
_TRAILERS = ":{=;,"  # what may stand between a header and its body
_LAST_PART_FIELDS = ("attribute", "property", "field", "name")


class Texts:
    """Slices of one file, each distinct name decoded once."""

    __slots__ = ("_known", "_separators", "source")

    def __init__(self, source: bytes, separators: tuple[str, ...]) -> None:
        self.source = source
        self._separators = separators
        self._known: dict[bytes, str] = {}

    def plain(self, node: Any) -> str:
        """Return the text of *node*, at most 256 bytes of it."""
        start, end = node.start_byte, node.end_byte
        return self.source[start : min(end, start + _NAME_LIMIT)].decode("utf-8", "replace")

    def name(self, node: Any) -> str:
        """Return the name of a definition, '' where it is computed or no name."""
        text = "".join(self.plain(node).split())
        if node.type in ("destructor_name", "operator_name"):
            return _LOOSE_SPACE.sub("", self.plain(node)).replace(".", "")
        return text.strip("\"'#") if text.strip("\"'#").isidentifier() else ""

    def dotted(self, node: Any, start: int, end: int) -> str:
        """Return the name at *node* as written, without white space; ".name" where it hangs on another expression."""
        if end - start <= _NAME_LIMIT:
            raw = self.source[start:end]
            name = self._known.get(raw)
            if name is None:
                name = self._known[raw] = self._clean(raw.decode("utf-8", "replace"))
            if name:
                return name
        return self._last_part(node)

    def _clean(self, text: str) -> str:
        """Return *text* where it is a chain of names, or ''."""
        if not text.isascii() or " " in text or "\n" in text:
            text = "".join(text.split())
        if text.endswith(">"):
            text = text.partition("<")[0]  # C++: the arguments of a template are no part of its name
        bare = text.removeprefix("super()") if text.startswith("super().") else text
        for separator in self._separators:
            bare = bare.replace(separator, ".")
        return text if bare.replace(".", "_").isidentifier() and ".." not in bare and not bare.endswith(".") else ""

    def _last_part(self, node: Any) -> str:
        for name in _LAST_PART_FIELDS:
            child = node.child_by_field_name(name)
            if child is not None and child.end_byte - child.start_byte <= _NAME_LIMIT:
                last = self._clean(self.plain(child))
                return "." + last.lstrip(".") if last else ""
        return ""

    def signature(self, start: int, end: int) -> str:
        """Return the header between two bytes with its white space normalised."""
        text = " ".join(self.source[start : min(end, start + 4 * _SIGNATURE_LIMIT)].decode("utf-8", "replace").split())
        text = text.rstrip(_TRAILERS).rstrip().replace("\0", "\ufffd")
        return text if len(text) <= _SIGNATURE_LIMIT else text[: _SIGNATURE_LIMIT - 1] + "…"

    def head(self, name: str) -> str:
        """Return the first part of a dotted name; '' where it hangs on another expression."""
        if name.isidentifier():
            return name
        if name.startswith("super()."):
            return "super"
        if name.startswith("self::"):
            return "self::"
        for separator in self._separators:
            name = name.replace(separator, ".")
        return name.partition(".")[0]

    def last_part_size(self, name: str) -> int:
        """Return the bytes of the last part of a dotted name."""
        if name.isidentifier():
            return len(name) if name.isascii() else len(name.encode())
        for separator in self._separators:
            name = name.replace(separator, ".")
        return len(name.rpartition(".")[2].encode())


_NAME_TYPES = frozenset({
    "identifier", "field_identifier", "type_identifier", "property_identifier", "private_property_identifier",
    "shorthand_property_identifier_pattern", "package_identifier",
})
_VALUE_FIELDS = frozenset({"value", "default", "type", "key", "right", "size"})
_PATTERN_NODES_LIMIT = 10_000  # nodes looked at for the names of one pattern


def iter_bound_names(pattern: Any) -> Iterator[Any]:
    """Yield the nodes of the names that *pattern* binds, in order; targets such as ``a.b`` and ``a[0]`` bind none."""
    if pattern.type in _NAME_TYPES:
        yield pattern
        return
    pending, seen = [pattern], 0
    while pending and seen < _PATTERN_NODES_LIMIT:
        node = pending.pop()
        seen += 1
        if node.type in _NAME_TYPES:
            yield node
        elif node.type in _PATTERN_TYPES:
            pending.extend(reversed(_pattern_parts(node)))


_PATTERN_TYPES = frozenset({
    "pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "tuple", "list", "as_pattern_target",
    "array_pattern", "object_pattern", "rest_pattern", "pair_pattern", "assignment_pattern", "object_assignment_pattern",
    "expression_list", "tuple_struct_pattern", "struct_pattern", "field_pattern", "slice_pattern", "ref_pattern", "mut_pattern",
    "reference_pattern", "or_pattern", "captured_pattern", "remaining_field_pattern", "match_pattern",
    "init_declarator", "pointer_declarator", "variable_declarator", "array_declarator", "reference_declarator",
    "structured_binding_declarator",
    "parenthesized_declarator", "inferred_parameters",
})


def _pattern_parts(node: Any) -> list[Any]:
    if node.type == "pair_pattern":
        value = node.child_by_field_name("value")
        return [value] if value is not None else []
    if node.type in ("assignment_pattern", "object_assignment_pattern"):
        left = node.child_by_field_name("left")
        return [left] if left is not None else []
    if node.type.endswith("declarator"):
        inner = node.child_by_field_name("declarator") or node.child_by_field_name("name")
        return [inner] if inner is not None else list(node.named_children)
    skipped = node.child_by_field_name("type")
    return [child for child in node.named_children if child != skipped]


def find_targets(node: Any, names: tuple[str, ...]) -> list[Any]:
    """Return the nodes that hold the names of the variables that *node* declares."""
    if node.type in _NAME_TYPES:
        return [node]
    return next((found for found in map(node.children_by_field_name, names) if found), [])


def is_single_name(node: Any) -> bool:
    """Whether a variable is declared by its name, and not by a pattern."""
    name = node.child_by_field_name("name") or node.child_by_field_name("property")
    return name is not None and name.type in _NAME_TYPES


def receiver_name(node: Any) -> Any:
    """Return the node of the name that a Go method gives its receiver, or None."""
    receiver = node.child_by_field_name("receiver")
    parameters = receiver.named_children if receiver is not None else []
    return parameters[0].child_by_field_name("name") if parameters else None


def first_parameter(node: Any) -> Any:
    """Return the node of the name of the first parameter of a function, or None."""
    parameters = node.child_by_field_name("parameters")
    first = parameters.named_child(0) if parameters is not None and parameters.named_child_count else None
    if first is not None and first.type == "typed_parameter":
        first = first.named_child(0)
    return first if first is not None and first.type == "identifier" else None


def find_name(node: Any, texts: Texts) -> tuple[str, Any]:
    """Return (the type that a member written outside of it belongs to or '', the node of the name or None)."""
    receiver = node.child_by_field_name("receiver")
    if receiver is not None:
        return _receiver_type(receiver, texts), node.child_by_field_name("name")
    name = node.child_by_field_name("name") or node.child_by_field_name("property") or node.child_by_field_name("left")
    if name is not None:
        if name.type == "type" and name.named_child_count:  # Python: `type Name[T] = …`
            name = name.named_children[0]
            name = name.named_children[0] if name.type == "generic_type" else name
        return "", name
    if node.type == "impl_item":
        return _bare_type(node.child_by_field_name("type"), texts), None
    return _declared(node, texts)


def _declared(node: Any, texts: Texts) -> tuple[str, Any]:
    """Follow the declarators of C and C++ to the name."""
    at, steps = node.child_by_field_name("declarator"), 0
    while at is not None and steps < _DECLARATOR_DEPTH:
        steps += 1
        if at.type == "qualified_identifier":
            name = at.child_by_field_name("name")
            while name is not None and name.type == "qualified_identifier":
                name = name.child_by_field_name("name")
            scope = texts.plain(at).rpartition("::")[0] if name is not None else ""
            owner = ".".join(part.partition("<")[0].strip() for part in scope.split("::"))
            return owner if owner.replace(".", "_").isidentifier() else "", name
        inner = at.child_by_field_name("declarator")
        if inner is None and at.type.endswith("declarator") and at.named_child_count:
            inner = at.named_children[-1]
        if inner is None:
            return "", at
        at = inner
    return "", None


_DECLARATOR_DEPTH = 32


def _receiver_type(receiver: Any, texts: Texts) -> str:
    """Return the name of the type in a Go receiver such as ``(r *Ring[T])``."""
    for parameter in receiver.named_children:
        kind = parameter.child_by_field_name("type")
        if kind is not None:
            return _bare_type(kind, texts)
    return ""


def _bare_type(node: Any, texts: Texts) -> str:
    for _ in range(_DECLARATOR_DEPTH):
        if node is None:
            return ""
        if node.type in ("type_identifier", "identifier"):
            return texts.plain(node)
        inner = node.child_by_field_name("type") or node.child_by_field_name("name")
        node = inner if inner is not None else (node.named_children[0] if node.named_child_count else None)
    return ""
