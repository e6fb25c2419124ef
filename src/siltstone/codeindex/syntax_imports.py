"""Import statements of each language as rows: the local name, the module as written, the member asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from siltstone.codeindex.extraction import Extraction
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


IMPORT_READERS: dict[str, ImportReader] = {
    "python": read_python,
}
