"""What one source file says, in columns: definitions, imports and uses, as far as the file alone can tell.

An `Extraction` names no other file and holds no key, so it depends on the bytes of the file only: it is what the cache
keeps and what a worker process sends.  Lines and columns are 0-based, columns count bytes.
Stored form: docs/formats/extraction.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from siltstone.core.errors import CorruptDataError

# Raised with every change of what extractors find or how it is written; cached extractions of another version are not used.
EXTRACTION_VERSION = 4

# What the first part of a used name is bound to, where it is not a definition of this file (>= 0).  DO NOT CHANGE: stored.
UNKNOWN = -1  # no binding in this file: a builtin, a name of a star import, of the same package, of an include
LOCAL = -2  # a parameter or local variable: its value is not known
AMBIGUOUS = -3  # several definitions claim the name
SELF = -4  # the object the method belongs to
SUPER = -5  # the base classes of that object
TYPE_PARAMETER = -6
FIRST_IMPORT = -10  # row i of the imports is FIRST_IMPORT - i

# Bits of an import row.  DO NOT CHANGE: stored.
EXPORTED = 1  # also a name of this file for others: `export … from`, `pub use`
SUBMODULE = 2  # Rust `mod name;`
SYSTEM = 4  # `#include <…>`: outside by declaration


@dataclass(slots=True)
class Extraction:
    """Parallel lists; row i of every list with one prefix belongs together."""

    language: str
    package: str = ""  # Go and Java: the package clause
    syntax_errors: int = 0  # 1 where the grammar had to skip something
    definition_kinds: list[int] = field(default_factory=list)  # EntityKind
    definition_parents: list[int] = field(default_factory=list)  # row of the enclosing definition, -1: the file
    definition_names: list[str] = field(default_factory=list)  # qualified inside the file
    definition_signatures: list[str] = field(default_factory=list)
    definition_spans: list[list[int]] = field(default_factory=list)  # start line, start column, end line, end column
    definition_places: list[list[int]] = field(default_factory=list)  # line and column of the name itself
    use_kinds: list[int] = field(default_factory=list)  # EdgeKind
    use_scopes: list[int] = field(default_factory=list)  # row of the innermost definition around it, -1: the file
    use_names: list[str] = field(default_factory=list)  # as written; ".name" where what stands before is no name
    use_lines: list[int] = field(default_factory=list)  # of the last part of the name
    use_columns: list[int] = field(default_factory=list)
    use_heads: list[int] = field(default_factory=list)  # what the first part is bound to
    import_locals: list[str] = field(default_factory=list)  # the name it binds; "*" for all
    import_modules: list[str] = field(default_factory=list)  # as written, of the language's own form
    import_names: list[str] = field(default_factory=list)  # the member asked for; "" for the module itself, "*" for all
    import_scopes: list[int] = field(default_factory=list)  # row of the innermost definition around it, -1: the file
    import_flags: list[int] = field(default_factory=list)
    import_lines: list[int] = field(default_factory=list)
    import_columns: list[int] = field(default_factory=list)
    members: dict[int, dict[str, int]] = field(default_factory=dict)  # definition (-1: the file) -> name -> binding
    foreign: dict[str, dict[str, int]] = field(default_factory=dict)  # members of a type that this file does not define

    def encode(self) -> bytes:
        """Return the stored form."""
        values = [getattr(self, name) for name in _FIELDS]
        return json.dumps([EXTRACTION_VERSION, *values], ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    @classmethod
    def decode(cls, data: bytes) -> Extraction:
        """Return what `encode` wrote. Raises CorruptDataError for other bytes, another version, or rows out of range."""
        try:
            version, *values = json.loads(data)
        except (ValueError, TypeError, RecursionError) as error:
            raise CorruptDataError("an extraction does not decode", source="extraction") from error
        if version != EXTRACTION_VERSION or len(values) != len(_FIELDS):
            raise CorruptDataError(f"extraction of version {EXTRACTION_VERSION} expected", source="extraction")
        try:
            extraction = cls(**dict(zip(_FIELDS, values, strict=True)))
            extraction.members = {int(row): names for row, names in extraction.members.items()}
            sound = extraction._is_sound()
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise CorruptDataError("an extraction has a column of another type", source="extraction") from error
        if not sound:
            raise CorruptDataError("an extraction has rows out of range", source="extraction")
        return extraction

    def _is_sound(self) -> bool:
        definitions, uses, imports = len(self.definition_kinds), len(self.use_kinds), len(self.import_locals)
        lengths = {name: len(getattr(self, name)) for name in _FIELDS[3:-2]}
        expected = {"definition": definitions, "use": uses, "import": imports}
        bindings = [code for names in (*self.members.values(), *self.foreign.values()) for code in names.values()]
        floor = FIRST_IMPORT - imports
        return (
            all(size == expected[name.partition("_")[0]] for name, size in lengths.items())
            and all(-1 <= parent < row for row, parent in enumerate(self._parents_in_order()))
            and _within(self.use_scopes, -1, definitions)
            and _within(self.import_scopes, -1, definitions)
            and _within(self.use_heads, floor + 1, definitions)
            and _within(bindings, floor + 1, definitions)
            and _within(list(self.members), -1, definitions)
            and _within(self.definition_kinds, 1, 8)
            and _within(self.use_kinds, 1, 7)
            and {len(span) for span in self.definition_spans} <= {4}
            and {len(place) for place in self.definition_places} <= {2}
        )

    def _parents_in_order(self) -> list[int]:
        """Return the parents with those of members written outside of their type taken as the file's."""
        return [parent if parent < row else -1 for row, parent in enumerate(self.definition_parents)]


_FIELDS = tuple(column.name for column in fields(Extraction))


def _within(values: list[Any], low: int, end: int) -> bool:
    return not values or (low <= min(values) and max(values) < end)
