"""Where the header of a definition ends, and where its code ends."""

from __future__ import annotations

from typing import Any


def find_body(node: Any, otherwise: int) -> int:
    """Return the byte at which the header of a definition ends."""
    if node.type == "type_spec":
        body = _body_of_go_type(node.child_by_field_name("type"))
    elif node.type == "type_definition":
        body = find_inner_body(node.child_by_field_name("type"))
    elif node.type == "preproc_function_def":
        return int(node.child_by_field_name("parameters").end_byte)
    else:
        body = node.child_by_field_name("body")
        if body is None:
            value = node.child_by_field_name("value")
            body = value.child_by_field_name("body") if value is not None else None
        elif body.prev_sibling is not None and body.prev_sibling.type == "field_initializer_list":
            body = body.prev_sibling  # C++: initializers of a constructor see its parameters
    return int(body.start_byte) if body is not None else otherwise


def find_value(node: Any) -> int:
    """Return the byte at which the value of a variable begins, its end where it has none."""
    declarator = node.child_by_field_name("declarator")
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    if value is None and declarator is not None:
        value = declarator.child_by_field_name("value")
    return int(value.start_byte if value is not None else node.end_byte)


def find_inner_body(node: Any) -> Any:
    """Return the node of the members that a type written in place has, or None."""
    return node.child_by_field_name("body") if node is not None else None


def is_nameless_type(node: Any) -> bool:
    """Whether a type is written in place and has no name of its own."""
    return find_inner_body(node) is not None and node.child_by_field_name("name") is None


def _body_of_go_type(node: Any) -> Any:
    if node is None or node.type not in ("struct_type", "interface_type"):
        return None
    return next((child for child in node.children if child.type in ("field_declaration_list", "{")), None)


def find_code_end(node: Any, source: bytes) -> tuple[int, int]:
    """Return line and column where the code of *node* ends: a comment after it and a line break are no part of it."""
    line, column = node.end_point
    if column == 0:  # a directive of the C preprocessor owns the line break after it
        text = source[node.start_byte : node.end_byte].rstrip()
        before = text.rfind(b"\n") + 1
        return node.start_point[0] + text.count(b"\n"), len(text) - before + (0 if before else node.start_point[1])
    if b"#" not in source[source.rfind(b"\n", 0, node.end_byte) + 1 : node.end_byte]:
        return line, column
    at, last = node, node
    while last is not None:
        at = last
        last = at.child(at.child_count - 1) if at.child_count else None
        while last is not None and last.type == "comment":
            last = last.prev_sibling
    return at.end_point[0], at.end_point[1]
