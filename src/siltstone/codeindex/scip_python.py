"""Relative imports as scip-python writes them: ``from .config import x`` names the module ``config``, not ``package.config``.

The range of the occurrence covers the dots, so the number of dots is its width less the length of the name: the module is
known exactly, and only from the index.
"""

from __future__ import annotations

import numpy as np

from siltstone.codeindex.scip_kinds import SymbolNames
from siltstone.codeindex.scip_reader import ROLE_DEFINITION, ScipDocument
from siltstone.codeindex.scip_symbols import Descriptor, Suffix, Symbol, format_symbol

_SCHEME = b"scip-python "
_MODULE_END = b"/__init__:"


def absolute_imports(document: ScipDocument, names: SymbolNames) -> dict[int, bytes]:
    """Return occurrence row → symbol of the module that a relative import means; nothing for other indexers."""
    modules = {local: name for local, name in enumerate(document.symbols)
               if name.startswith(_SCHEME) and name.endswith(_MODULE_END)}
    rows = np.flatnonzero(np.isin(document.occurrence_symbols, list(modules)))
    own = next((modules[int(document.occurrence_symbols[row])] for row in rows.tolist()
                if document.roles[row] & ROLE_DEFINITION and not document.ranges[row].any()), None)
    if own is None:
        return {}
    found = {}
    parsed = {local: names.parse(name.decode("utf-8", "replace")) for local, name in modules.items()}
    package = names.parse(own.decode("utf-8", "replace"))
    for row in rows.tolist():
        line, start, end_line, end = document.ranges[row].tolist()
        named = parsed[int(document.occurrence_symbols[row])]
        if package is None or named is None or line != end_line or document.roles[row] & ROLE_DEFINITION:
            continue
        target = _relative(package, named, document.path, end - start - len(named.descriptors[0].name))
        if target is not None:
            found[row] = format_symbol(target).encode()
    return found


def _relative(own: Symbol, named: Symbol, path: str, dots: int) -> Symbol | None:
    """Return the module that is *dots* levels above and then *named* (import statement, "from ..a import b")."""
    parts = own.descriptors[0].name.split(".")
    is_package = path.rsplit("/", 1)[-1] in ("__init__.py", "__init__.pyi")
    levels = dots - 1 if is_package else dots
    if dots < 1 or levels > len(parts):
        return None
    base = parts[: len(parts) - levels]
    module = ".".join([*base, named.descriptors[0].name])
    return Symbol(own.scheme, own.package, (Descriptor(module, Suffix.NAMESPACE), Descriptor("__init__", Suffix.META)))
