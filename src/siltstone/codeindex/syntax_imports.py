"""Import statements of each language as rows: the local name, the module as written, the member asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from siltstone.codeindex.extraction import EXPORTED, SUBMODULE, SYSTEM, Extraction
from siltstone.codeindex.syntax_names import Texts

ImportReader = Callable[[Any, Texts, Extraction], None]


def add_import(out: Extraction, node: Any, local: str, module: str, name: str, flags: int = 0) -> None:
    """Append one row that stands at *node*."""
    line, column = node.start_point
    out.import_locals.append(local)
    out.import_modules.append(module)
    out.import_names.append(name)
    out.import_flags.append(flags)
    out.import_lines.append(line)
    out.import_columns.append(column)


def _text(node: Any, texts: Texts) -> str:
    return "".join(texts.plain(node).split())


def read_python(node: Any, texts: Texts, out: Extraction) -> None:
    """``import a.b as c`` and ``from .a import b as c, *``."""
    module_node = node.child_by_field_name("module_name")
    module = _text(module_node, texts) if module_node is not None else ""
    for child in node.children_by_field_name("name"):
        alias = child.child_by_field_name("alias")
        target = child.child_by_field_name("name") if alias is not None else child
        name = _text(target, texts)
        if module_node is None:
            local = _text(alias, texts) if alias is not None else name.partition(".")[0]
            add_import(out, child, local, name, "")
        else:
            add_import(out, child, _text(alias, texts) if alias is not None else name, module, name)
    if module_node is not None and any(child.type == "wildcard_import" for child in node.children):
        add_import(out, node, "*", module, "*")


def _string(node: Any, texts: Texts) -> str:
    return texts.plain(node).strip("\"'`") if node is not None else ""


def read_ecmascript(node: Any, texts: Texts, out: Extraction) -> None:
    """``import``, ``export … from``, ``export {…}``, ``export default``, ``require("…")`` and ``import("…")``."""
    if node.type == "import_statement":
        _read_es_import(node, texts, out)
    elif node.type == "export_statement":
        _read_es_export(node, texts, out)
    else:
        _read_require(node, texts, out)


def _read_es_import(node: Any, texts: Texts, out: Extraction) -> None:
    source = node.child_by_field_name("source")
    for child in node.named_children:
        if child.type == "import_require_clause":  # TypeScript: import name = require("…")
            module = _string(child.child_by_field_name("source"), texts)
            add_import(out, node, texts.plain(child.named_children[0]), module, "")
            return
    module = _string(source, texts)
    clauses = [child for child in node.named_children if child.type == "import_clause"]
    if not clauses:
        add_import(out, node, "", module, "")
    for part in clauses[0].named_children if clauses else ():
        if part.type == "identifier":
            add_import(out, part, texts.plain(part), module, "default")
        elif part.type == "namespace_import":
            add_import(out, part, texts.plain(part.named_children[-1]), module, "")
        else:
            for item in part.named_children:
                name = item.child_by_field_name("name")
                if name is not None:
                    alias = item.child_by_field_name("alias") or name
                    add_import(out, item, texts.plain(alias), module, _string(name, texts))


def _read_es_export(node: Any, texts: Texts, out: Extraction) -> None:
    module = _string(node.child_by_field_name("source"), texts)
    clauses = [child for child in node.named_children if child.type in ("export_clause", "namespace_export")]
    if clauses and clauses[0].type == "namespace_export":
        add_import(out, node, texts.plain(clauses[0].named_children[-1]), module, "", EXPORTED)
    elif clauses:
        for item in clauses[0].named_children:
            name = item.child_by_field_name("name")
            if name is not None:
                alias = item.child_by_field_name("alias") or name
                add_import(out, item, _string(alias, texts), module, _string(name, texts), EXPORTED)
    elif module:
        add_import(out, node, "*", module, "*", EXPORTED)
    elif any(child.type == "default" for child in node.children):
        shown = node.child_by_field_name("declaration")
        shown = shown.child_by_field_name("name") if shown is not None else node.child_by_field_name("value")
        if shown is not None and shown.type in ("identifier", "type_identifier"):
            add_import(out, node, "default", "", texts.plain(shown), EXPORTED)


def _read_require(node: Any, texts: Texts, out: Extraction) -> None:
    call = node if node.type == "call_expression" else node.child_by_field_name("value")
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function.type != "import" and texts.plain(function) != "require":
        return
    module = _string(arguments.named_children[0], texts)
    name = node.child_by_field_name("name")
    if name is None:
        add_import(out, node, "", module, "")
    elif name.type == "identifier":
        add_import(out, node, texts.plain(name), module, "")
    else:
        for part in name.named_children:
            value = part.child_by_field_name("value") or part
            key = part.child_by_field_name("key") or part
            add_import(out, part, texts.plain(value), module, texts.plain(key))


def read_rust(node: Any, texts: Texts, out: Extraction) -> None:
    """``use a::{b as c, d::*};`` one row per name, and ``mod name;``."""
    if node.type == "mod_item":
        name = texts.plain(node.child_by_field_name("name"))
        add_import(out, node, name, name, "", SUBMODULE | EXPORTED)
        return
    public = EXPORTED if any(child.type == "visibility_modifier" for child in node.named_children) else 0
    pending = [("", node.child_by_field_name("argument"))]
    while pending and len(out.import_locals) < _USE_LIMIT:
        prefix, at = pending.pop()
        if at is None:
            continue
        if at.type == "scoped_use_list":
            path = at.child_by_field_name("path")
            inner = prefix + (_text(path, texts) + "::" if path is not None else "")
            pending += [(inner, child) for child in reversed(at.child_by_field_name("list").named_children)]
        elif at.type == "use_list":
            pending += [(prefix, child) for child in reversed(at.named_children)]
        elif at.type == "use_wildcard":
            inside = _text(at.named_children[0], texts) if at.named_child_count else ""
            add_import(out, at, "*", (prefix + inside).removesuffix("::"), "*", public)
        else:
            alias = at.child_by_field_name("alias")
            path = prefix + _text(at.child_by_field_name("path") if alias is not None else at, texts)
            path = path.removesuffix("::self")
            local = texts.plain(alias) if alias is not None else path.rpartition("::")[2]
            add_import(out, at, local if local != "_" else "", path, "", public)


_USE_LIMIT = 100_000  # rows of one file


def read_go(node: Any, texts: Texts, out: Extraction) -> None:
    """``import name "path"``; the name of the package itself is taken to be the last part of its path."""
    module = _string(node.child_by_field_name("path"), texts)
    alias = node.child_by_field_name("name")
    if alias is None:
        add_import(out, node, module.rpartition("/")[2], module, "")
    elif alias.type == "dot":
        add_import(out, node, "*", module, "*")
    else:
        add_import(out, node, texts.plain(alias) if alias.type == "package_identifier" else "", module, "")


def read_java(node: Any, texts: Texts, out: Extraction) -> None:
    """``import a.b.C;``, ``import a.b.*;`` and their static forms."""
    path = next((child for child in node.named_children if child.type in ("scoped_identifier", "identifier")), None)
    if path is None:
        return
    name = _text(path, texts)
    if any(child.type == "asterisk" for child in node.children):
        add_import(out, node, "*", name, "*")
    else:
        module, _, member = name.rpartition(".")
        add_import(out, node, member, module, member)


def read_c(node: Any, texts: Texts, out: Extraction) -> None:
    """``#include "path"`` and ``#include <path>``."""
    path = node.child_by_field_name("path")
    if path is not None and path.type in ("string_literal", "system_lib_string"):
        system = path.type == "system_lib_string"
        add_import(out, node, "*", texts.plain(path).strip('"<>'), "*", SYSTEM if system else 0)


IMPORT_READERS: dict[str, ImportReader] = {
    "python": read_python, "javascript": read_ecmascript, "typescript": read_ecmascript, "tsx": read_ecmascript,
    "rust": read_rust, "go": read_go, "java": read_java, "c": read_c, "cpp": read_c,
}
