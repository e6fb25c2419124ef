"""What a SCIP symbol is in the graph: its kind, its name inside its file, its container.

The indexer's own kind decides where it says one; else the suffix of the last descriptor, and the keyword of the signature
tells interfaces and type aliases from classes.  Parameters, type parameters and locals are no entities.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from siltstone.codeindex.entities import EntityKind
from siltstone.codeindex.scip_symbols import Descriptor, Suffix, Symbol, SymbolParser, format_descriptor
from siltstone.core.errors import CorruptDataError

# SymbolInformation.Kind of scip.proto, where it says more than the suffix
_KINDS: dict[int, EntityKind] = {
    **dict.fromkeys((7, 10, 11, 28, 33, 49, 59, 62, 63, 73, 75, 85), EntityKind.CLASS),  # Class, Enum, Struct, Union …
    **dict.fromkeys((21, 42, 53, 56), EntityKind.INTERFACE),  # Interface, Protocol, Trait, TypeClass
    **dict.fromkeys((3, 54, 55, 57, 86), EntityKind.TYPE),  # AssociatedType, Type, TypeAlias, TypeFamily, Concept
    **dict.fromkeys((9, 18, 26, 45, 66, 67, 68, 69, 70, 71, 72, 74, 76, 80), EntityKind.METHOD),  # Constructor, Getter …
    **dict.fromkeys((17, 25, 34), EntityKind.FUNCTION),  # Function, Macro, Operator
    **dict.fromkeys((8, 12, 13, 15, 41, 61, 77, 78, 79, 81, 82), EntityKind.VARIABLE),  # Constant, Field, Property …
    **dict.fromkeys((29, 30, 35, 36, 64), EntityKind.MODULE),  # Module, Namespace, Package, PackageObject, Library
}
_SUFFIX_KINDS = {
    Suffix.NAMESPACE: EntityKind.MODULE, Suffix.TYPE: EntityKind.CLASS, Suffix.TERM: EntityKind.VARIABLE,
    Suffix.METHOD: EntityKind.FUNCTION, Suffix.MACRO: EntityKind.FUNCTION,
}
_KEYWORD = re.compile(
    rb"(?:```\w*\n)?(?:(?:export|declare|public|sealed|pub(?:\([^)]*\))?|unsafe) )*(interface|trait|protocol|type) ")
_KEYWORD_KINDS = {b"interface": EntityKind.INTERFACE, b"trait": EntityKind.INTERFACE, b"protocol": EntityKind.INTERFACE,
                  b"type": EntityKind.TYPE}
_MODULE_NAME = "__init__"  # scip-python names a module by this Meta descriptor
_ENTITY_ENDS = frozenset(b"/#.:!")  # last byte of symbols that can be entities


def can_be_entity(symbol: bytes) -> bool:
    """Whether *symbol* is neither local nor a parameter nor a type parameter."""
    return symbol[-1:] != b"" and symbol[-1] in _ENTITY_ENDS and not symbol.startswith(b"local ")


def names_scope(symbol: bytes) -> bool:
    """Whether *symbol* is a namespace or a module: at the start of a file it stands for the file."""
    return symbol.endswith((b"/", b":"))


def kind_of(symbol: Symbol, stated: int, head: bytes) -> EntityKind | None:
    """Return the kind of the entity that *symbol* defines, or None where it defines none."""
    last = symbol.descriptors[-1]
    fallback = _SUFFIX_KINDS.get(last.suffix)
    if fallback is None:
        return None
    kind = _KINDS.get(stated)
    if kind is None and last.suffix is Suffix.TYPE:
        keyword = _KEYWORD.match(head)
        kind = _KEYWORD_KINDS[keyword[1]] if keyword else None
    if kind is None and last.suffix is Suffix.METHOD and _parent_is_type(symbol):
        kind = EntityKind.METHOD
    return fallback if kind is None else kind


def _parent_is_type(symbol: Symbol) -> bool:
    return len(symbol.descriptors) > 1 and symbol.descriptors[-2].suffix is Suffix.TYPE


class SymbolNames:
    """Parses symbols of one index, and remembers what they share."""

    def __init__(self) -> None:
        self._parser = SymbolParser(lenient=True)

    def parse(self, text: str) -> Symbol | None:
        """Return the value of *text*, or None where the grammar refuses it."""
        try:
            return self._parser.parse(text)
        except CorruptDataError:
            return None

    def scopes(self, text: str, symbol: Symbol) -> Iterator[tuple[str, Descriptor]]:
        """Yield the symbols that *text* is nested in, innermost first, each with its last descriptor."""
        for place in range(len(symbol.descriptors) - 1, 0, -1):
            piece = format_descriptor(symbol.descriptors[place]) if symbol.descriptors[place].name else "``"
            if not text.endswith(piece):  # needless quotes: the text of the scope is not known
                return
            text = text[: -len(piece)]
            yield text, symbol.descriptors[place - 1]

    def qualified(self, text: str, symbol: Symbol, modules: Collection[str]) -> str:
        """Return the name inside the file, '.' between parts; *modules* are the namespaces that this file itself opens."""
        if not modules:  # as in most files; a third of the time
            outer = [one.name for one in symbol.descriptors[:-1] if one.suffix is not Suffix.NAMESPACE]
            return ".".join([*outer, symbol.descriptors[-1].name])
        kept = [symbol.descriptors[-1].name]
        for scope, descriptor in self.scopes(text, symbol):
            if descriptor.suffix is not Suffix.NAMESPACE or scope in modules:
                kept.append(descriptor.name)
        return ".".join(reversed(kept))


def readable(symbol: Symbol | None, text: str) -> str:
    """Return a name for a symbol that is defined elsewhere, '.' between all its parts: ``collections.abc.Iterable``."""
    if symbol is None:
        return text
    parts = [one.name for one in symbol.descriptors if (one.name, one.suffix) != (_MODULE_NAME, Suffix.META)]
    return ".".join(parts) or symbol.package.name or text
