"""Where Java imports lead: types by their package clause; one package sees itself, on-demand imports where one has the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.import_targets import ImportTargets, Lookups, Target
from siltstone.codeindex.workspace import Root

_MISSING: Target = (-1, -1)  # two files define the type


class JavaImports(ImportTargets):
    """A type is known by package and name; a package is no target."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root],
                 lookups: Lookups) -> None:
        super().__init__(paths, extractions, roots, lookups)
        self._types: dict[str, dict[str, Target]] = {}
        for file in sorted(extractions):
            rows = extractions[file]
            if rows.language != "java":
                continue
            package = self._types.setdefault(rows.package, {})
            for name, code in rows.members.get(-1, {}).items():
                if code >= 0:
                    package[name] = _MISSING if name in package else (file, code)

    def target(self, file: int, row: int) -> Target | None:
        """A type, or a member of a type."""
        rows = self.extractions[file]
        if rows.import_names[row] == "*":
            return None
        return self._named([*rows.import_modules[row].split("."), rows.import_names[row]])

    def files(self, file: int, row: int) -> list[int]:
        """The file of the type."""
        found = self.target(file, row)
        if found is None and self.extractions[file].import_names[row] == "*":
            found = self._named(self.extractions[file].import_modules[row].split("."))
        return [] if found is None else [found[0]]

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """The same package, then the one on-demand import that has the name."""
        rows = self.extractions[file]
        own = self._types.get(rows.package, {}).get(name)
        if own is not None:
            return own if own != _MISSING else None
        found = set()
        for row, member in enumerate(rows.import_names):
            if member == "*":
                module = rows.import_modules[row]
                target = self._types.get(module, {}).get(name)
                around = self._named(module.split(".")) if target is None else None
                target = self.lookups.member(around, name) if around is not None else target
                if target is not None:
                    found.add(target)
        return found.pop() if len(found) == 1 and _MISSING not in found else None

    def absolute(self, file: int, parts: list[str], scope: int) -> Target | None:
        """A name that begins with its package."""
        return self._named(parts) if len(parts) > 1 else None

    def _named(self, parts: list[str]) -> Target | None:
        for size in range(len(parts) - 1, 0, -1):
            target = self._types.get(".".join(parts[:size]), {}).get(parts[size])
            if target == _MISSING:
                return None
            for name in parts[size + 1 :]:
                target = self.lookups.member(target, name) if target is not None else None
            if target is not None:
                return target
        return None
