"""Where ``#include "…"`` leads, and which names of included files a file sees."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from siltstone.codeindex.entities import EntityKind
from siltstone.codeindex.extraction import SYSTEM, Extraction
from siltstone.codeindex.import_targets import ImportTargets, Lookups, Target
from siltstone.codeindex.workspace import Root

_UNCLEAR: Target = (-1, -1)  # several files define the name
_VISIBLE_FILES_LIMIT = 4_000  # of one file, through all its includes; further ones give no names


class CIncludes(ImportTargets):
    """A file sees what it and all files it includes define, by qualified name."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root],
                 lookups: Lookups) -> None:
        super().__init__(paths, extractions, roots, lookups)
        self._by_name: dict[str, list[int]] = {}
        for file, path in enumerate(paths):
            self._by_name.setdefault(path.rpartition("/")[2], []).append(file)
        self._included: dict[int, list[int]] = {}
        self._visible: dict[int, dict[str, Target]] = {}
        self._own: dict[int, dict[str, Target]] = {}

    def files(self, file: int, row: int) -> list[int]:
        """The file beside, or the only one in the repository whose path ends like this."""
        rows = self.extractions[file]
        if rows.import_flags[row] & SYSTEM:
            return []
        wanted = posixpath.normpath(rows.import_modules[row])
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(self.paths[file]), wanted))
        if beside in self.by_path:
            return [self.by_path[beside]]
        wanted = wanted.lstrip("./")
        found = [
            other for other in self._by_name.get(wanted.rpartition("/")[2], [])
            if self.paths[other] == wanted or self.paths[other].endswith("/" + wanted)
        ]
        return found if len(found) == 1 else []

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """What the included files define, first in the namespaces around the use."""
        return self._find(file, name, scope)

    def absolute(self, file: int, parts: list[str], scope: int) -> Target | None:
        """A qualified name whose parts lie in several files, as those of a namespace do."""
        return self._find(file, ".".join(parts), scope) if len(parts) > 1 else None

    def scattered_member(self, target: Target, name: str) -> Target | None:
        """A member that another file adds to a namespace."""
        file, row = target
        rows = self.extractions[file]
        if rows.definition_kinds[row] != EntityKind.MODULE:
            return None
        return self._find(file, f"{rows.definition_names[row]}.{name}", -1)

    def _find(self, file: int, name: str, scope: int) -> Target | None:
        visible = self._names_seen_by(file)
        prefix = self.extractions[file].definition_names[scope] if scope >= 0 else ""
        while True:
            found = visible.get(f"{prefix}.{name}" if prefix else name)
            if found is not None:
                return found if found != _UNCLEAR else None
            if not prefix:
                return None
            prefix = prefix.rpartition(".")[0]

    def _names_seen_by(self, file: int) -> dict[str, Target]:
        names = self._visible.get(file)
        if names is None:
            names = {}
            for other in self._files_seen_by(file):
                for name, target in self._names_of(other).items():
                    known = names.setdefault(name, target)
                    if known != target and not self._is_same(known, target):
                        names[name] = _UNCLEAR
            self._visible[file] = names
        return names

    def _is_same(self, one: Target, other: Target) -> bool:
        """Whether two definitions are one thing: a namespace, or a function that is declared twice."""
        if _UNCLEAR in (one, other):
            return one == other
        rows, others = self.extractions[one[0]], self.extractions[other[0]]
        kinds = rows.definition_kinds[one[1]], others.definition_kinds[other[1]]
        if kinds == (EntityKind.MODULE, EntityKind.MODULE):
            return True
        return kinds[0] == kinds[1] and rows.definition_signatures[one[1]] == others.definition_signatures[other[1]] != ""

    def _names_of(self, file: int) -> dict[str, Target]:
        """Return the names at the top of *file* and in its namespaces and types."""
        names = self._own.get(file)
        if names is None:
            names = self._own[file] = {}
            rows = self.extractions[file]
            for scope, members in rows.members.items():
                prefix = "" if scope < 0 else rows.definition_names[scope] + "."
                for name, code in members.items():
                    names[prefix + name] = (file, code) if code >= 0 else _UNCLEAR
        return names

    def _files_seen_by(self, file: int) -> list[int]:
        seen, pending = [file], [file]
        known = {file}
        while pending and len(seen) < _VISIBLE_FILES_LIMIT:
            for other in self._includes(pending.pop()):
                if other not in known:
                    known.add(other)
                    seen.append(other)
                    pending.append(other)
        return seen

    def _includes(self, file: int) -> list[int]:
        found = self._included.get(file)
        if found is None:
            rows = self.extractions[file]
            found = [other for row in range(len(rows.import_modules)) for other in self.files(file, row)]
            found = self._included[file] = [other for other in found if self._is_ours(other)]
        return found

    def _is_ours(self, file: int) -> bool:
        return file in self.extractions and self.extractions[file].language in ("c", "cpp")
