"""SCIP symbol strings, both ways: ``scheme manager name version descriptors`` or ``local id`` (scip.proto, "Symbol").

The grammar is applied as it is written: an unquoted name is ASCII, a quoted one needs its quotes, the scheme is neither
empty nor starts with ``local``.  With *lenient* the last two points of quoting are waived, since indexers in use write
needless and empty quotes.  Invariant: ``parse_symbol(format_symbol(symbol)) == symbol``.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple, NoReturn

from siltstone.core.errors import ConfigError, CorruptDataError

_SIMPLE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-$"
_SIMPLE = re.compile(r"[A-Za-z0-9_+\-$]+")
_HEAD = re.compile(r"((?:[^ ]|  )*+) " * 4)  # possessive: a doubled space never ends a field
_DESCRIPTOR = re.compile(
    r"(?P<name>[A-Za-z0-9_+\-$]++|`(?:[^`]|``)*+`)(?:(?P<suffix>[/#.:!])|\((?P<disambiguator>[A-Za-z0-9_+\-$]*+)\)\.)"
    r"|\((?P<parameter>[A-Za-z0-9_+\-$]++|`(?:[^`]|``)*+`)\)"
    r"|\[(?P<type_parameter>[A-Za-z0-9_+\-$]++|`(?:[^`]|``)*+`)\]"
)
_SHOWN_CHARACTERS = 120  # of a bad symbol in a message


class Suffix(IntEnum):
    """What a descriptor names; numbered as ``Descriptor.Suffix`` of scip.proto."""

    NAMESPACE = 1
    TYPE = 2
    TERM = 3
    METHOD = 4
    TYPE_PARAMETER = 5
    PARAMETER = 6
    META = 7
    LOCAL = 8
    MACRO = 9


_SUFFIXES = {"/": Suffix.NAMESPACE, "#": Suffix.TYPE, ".": Suffix.TERM, ":": Suffix.META, "!": Suffix.MACRO}
_FORMATS = {
    **{suffix: f"{{}}{character}" for character, suffix in _SUFFIXES.items()},
    Suffix.TYPE_PARAMETER: "[{}]", Suffix.PARAMETER: "({})",
}


class Package(NamedTuple):
    """Where a symbol is published; an empty part is written as ``.``."""

    manager: str = ""
    name: str = ""
    version: str = ""


class Descriptor(NamedTuple):
    """One step of a symbol's path; *disambiguator* tells overloaded methods apart."""

    name: str
    suffix: Suffix
    disambiguator: str = ""


class Symbol(NamedTuple):
    """A parsed symbol; of a local one the scheme is ``local`` and the only descriptor holds the id."""

    scheme: str
    package: Package
    descriptors: tuple[Descriptor, ...]

    @property
    def is_local(self) -> bool:
        """Whether the symbol means something only inside its document."""
        return self.scheme == "local"


def parse_symbol(text: str, *, lenient: bool = False) -> Symbol:
    """Return the value of *text*. Raises CorruptDataError with the UTF-8 offset where the grammar is left."""
    if text.startswith("local "):
        if not _SIMPLE.fullmatch(text, 6):
            _refuse(text, 6, "a local id is of A-Z, a-z, 0-9, _, +, - and $")
        return Symbol("local", Package(), (Descriptor(text[6:], Suffix.LOCAL),))
    scheme, package, position = _parse_head(text)
    descriptors = []
    while position < len(text):
        match = _DESCRIPTOR.match(text, position)
        if match is None:
            _refuse(text, position, "no such descriptor")
        descriptors.append(_descriptor(text, match, lenient))
        position = match.end()
    if not descriptors:
        _refuse(text, position, "a descriptor is missing")
    return Symbol(scheme, package, tuple(descriptors))


def format_symbol(symbol: Symbol) -> str:
    """Return the canonical text of *symbol*. Raises ConfigError for a value that no text stands for."""
    if symbol.is_local:
        if len(symbol.descriptors) != 1 or not _SIMPLE.fullmatch(symbol.descriptors[0].name):
            raise ConfigError("a local symbol has one simple id", field="descriptors")
        return f"local {symbol.descriptors[0].name}"
    if not symbol.scheme or symbol.scheme.startswith("local"):
        raise ConfigError(f"not allowed: {symbol.scheme!r}", field="scheme")
    if not symbol.descriptors:
        raise ConfigError("a symbol has at least one", field="descriptors")
    if "." in symbol.package or any(part.startswith(" ") for part in symbol.package):
        raise ConfigError("a part that is '.' or starts with a space cannot be written", field="package")
    head = " ".join((part or ".").replace(" ", "  ") for part in (symbol.scheme, *symbol.package))
    return f"{head} {''.join(map(format_descriptor, symbol.descriptors))}"


def format_descriptor(descriptor: Descriptor) -> str:
    """Return the canonical text of one descriptor."""
    name = descriptor.name
    if not name:
        raise ConfigError("a descriptor has a name", field="name")
    if not _SIMPLE.fullmatch(name):
        name = f"`{name.replace('`', '``')}`"
    if descriptor.suffix is Suffix.METHOD:
        if descriptor.disambiguator and not _SIMPLE.fullmatch(descriptor.disambiguator):
            raise ConfigError("a disambiguator is a simple name", field="disambiguator")
        return f"{name}({descriptor.disambiguator})."
    if descriptor.disambiguator or descriptor.suffix is Suffix.LOCAL:
        raise ConfigError(f"not allowed in a {descriptor.suffix.name.lower()} descriptor", field="suffix, disambiguator")
    return _FORMATS[descriptor.suffix].format(name)


def split_last(text: str) -> tuple[str, Descriptor] | None:
    """Return the text before the last descriptor, and that descriptor, read from the end; None where its name is quoted.

    One pass in C over the last name: symbols of one file share what stands before it, so a cache by the first part makes
    tens of thousands of symbols cheap.  What comes back is sound only if the first part is a head or a symbol itself.
    """
    if text.endswith(")."):
        body = text[:-2].rstrip(_SIMPLE_CHARACTERS)
        if not body.endswith("("):
            return None
        disambiguator, suffix, name_end = text[len(body) : -2], Suffix.METHOD, len(body) - 1
        before = body[:-1].rstrip(_SIMPLE_CHARACTERS)
    else:
        found = _SUFFIXES.get(text[-1:])
        if found is None:
            return None
        disambiguator, suffix, name_end = "", found, len(text) - 1
        before = text[:-1].rstrip(_SIMPLE_CHARACTERS)
    name = text[len(before) : name_end]
    return (before, Descriptor(name, suffix, disambiguator)) if name else None


class SymbolParser:
    """Parses many symbols that share their beginnings; *lenient* as in `parse_symbol`.

    Remembers every beginning it met, so it lives as long as one index is read; memory grows with the distinct scopes,
    not with the symbols.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._scopes: dict[str, Symbol | None] = {}

    def parse(self, text: str) -> Symbol:
        """Return the value of *text*, as `parse_symbol` does. Raises CorruptDataError."""
        parts = split_last(text)
        if parts is not None and not text.startswith("local "):
            scope = self._scope(parts[0])
            if scope is not None:
                return Symbol(scope.scheme, scope.package, (*scope.descriptors, parts[1]))
        return parse_symbol(text, lenient=self._lenient)

    def _scope(self, text: str) -> Symbol | None:
        try:
            return self._scopes[text]
        except KeyError:
            scope = self._scopes[text] = self._parse_scope(text)
            return scope

    def _parse_scope(self, text: str) -> Symbol | None:
        try:
            if text.endswith(" "):
                scheme, package, end = _parse_head(text)
                return Symbol(scheme, package, ()) if end == len(text) else None
            return parse_symbol(text, lenient=self._lenient)
        except CorruptDataError:
            return None


def _parse_head(text: str) -> tuple[str, Package, int]:
    match = _HEAD.match(text)
    if match is None:
        _refuse(text, len(text), "expected scheme, manager, package name and version, each ended by a space")
    scheme, *package = (part.replace("  ", " ") for part in match.groups())
    if not scheme or scheme.startswith("local"):
        _refuse(text, 0, "a scheme is neither empty nor starts with 'local'")
    if not all(package):
        _refuse(text, match.end(), "an empty package part is written as '.'")
    return scheme, Package(*("" if part == "." else part for part in package)), match.end()


def _descriptor(text: str, match: re.Match[str], lenient: bool) -> Descriptor:
    kind = match.lastgroup
    if kind == "parameter":
        suffix, name = Suffix.PARAMETER, match["parameter"]
    elif kind == "type_parameter":
        suffix, name = Suffix.TYPE_PARAMETER, match["type_parameter"]
    else:
        suffix, name = _SUFFIXES[match["suffix"]] if kind == "suffix" else Suffix.METHOD, match["name"]
    if name[0] == "`":
        name = name[1:-1].replace("``", "`")
        if not lenient and (not name or _SIMPLE.fullmatch(name)):
            _refuse(text, match.start(), "quotes around a name that needs none")
    return Descriptor(name, suffix, match["disambiguator"] or "")


def _refuse(text: str, position: int, problem: str) -> NoReturn:
    offset = len(text[:position].encode("utf-8", "surrogatepass"))
    raise CorruptDataError(problem, source=f"symbol {text[:_SHOWN_CHARACTERS]!r}", offset=offset)
