"""Where Rust paths lead: ``crate``, ``self``, ``super``, declared modules, and the crates of the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siltstone.codeindex.entities import EntityKind
from siltstone.codeindex.extraction import SUBMODULE, Extraction
from siltstone.codeindex.import_targets import ImportTargets, Lookups, Target
from siltstone.codeindex.workspace import Root

_ROOT_NAMES = ("lib.rs", "main.rs")
_LOOSE_FOLDERS = frozenset({"bin", "tests", "examples", "benches"})  # each file in them may be a crate of its own


class RustImports(ImportTargets):
    """A module is a file, or a ``mod name {…}`` inside one."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root],
                 lookups: Lookups) -> None:
        super().__init__(paths, extractions, roots, lookups)
        self._crates: dict[str, list[int]] = {}
        self._loose: dict[str, list[int]] = {}
        for root in roots:
            library = f"{root.path}/src/lib.rs" if root.path else "src/lib.rs"
            if root.kind == "cargo" and library in self.by_path:
                self._crates.setdefault(root.name.replace("-", "_"), []).append(self.by_path[library])

    def target(self, file: int, row: int) -> Target | None:
        """A module or an item."""
        rows = self.extractions[file]
        path, scope = rows.import_modules[row], rows.import_scopes[row]
        if rows.import_flags[row] & SUBMODULE:
            child = self._child(file, scope, path)
            return None if child is None else (child, -1)
        return self._path(path.split("::"), (file, self._module_around(file, scope)), rows.import_locals[row])

    def files(self, file: int, row: int) -> list[int]:
        """The file of the module or item."""
        found = self.target(file, row)
        return [] if found is None else [found[0]]

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """The one glob import of the module that has the name; in an inner module also what it imports by name."""
        rows, module = self.extractions[file], self._module_around(file, scope)
        found = set()
        for row, member in enumerate(rows.import_names):
            if member == "*" and self._module_around(file, rows.import_scopes[row]) == module:
                around = self._path(rows.import_modules[row].split("::"), (file, module), "")
                target = self.lookups.member(around, name) if around is not None and around != (file, module) else None
                if target is not None:
                    found.add(target)
        return found.pop() if len(found) == 1 else None

    def absolute(self, file: int, parts: list[str], scope: int) -> Target | None:
        """A path that begins with ``crate``, ``self``, ``super`` or a crate of the workspace."""
        if parts[0] not in ("crate", "self", "super") and parts[0] not in self._crates:
            return None
        return self._path(parts, (file, self._module_around(file, scope)), "")

    def _path(self, parts: list[str], start: Target, local: str) -> Target | None:
        at: Target | None = start
        first, rest = parts[0], parts[1:]
        if first == "crate":
            root = self._crate_root(start[0])
            at = None if root is None else (root, -1)
        elif first == "self":
            pass
        elif first == "super":
            at = self._parent(start)
        elif first in self._crates and self._own_crate_differs(start[0], first):
            at = (self._crates[first][0], -1) if len(self._crates[first]) == 1 else None
        elif first == local and not rest:
            return None  # `use name;` of another crate
        else:
            at = self.lookups.member(start, first)
        for name in rest:
            if at is None:
                return None
            at = self._parent(at) if name == "super" else self.lookups.member(at, name)
        return at

    def _own_crate_differs(self, file: int, name: str) -> bool:
        return self._crate_root(file) not in self._crates[name] or self.paths[file].endswith("main.rs")

    def _module_around(self, file: int, scope: int) -> int:
        rows = self.extractions[file]
        while scope >= 0 and rows.definition_kinds[scope] != EntityKind.MODULE:
            scope = rows.definition_parents[scope]
        return scope

    def _parent(self, module: Target) -> Target | None:
        file, row = module
        if row >= 0:
            return file, self._module_around(file, self.extractions[file].definition_parents[row])
        folder, _, name = self.paths[file].rpartition("/")
        if name in _ROOT_NAMES:
            return None
        above = folder.rpartition("/")[0] if name == "mod.rs" else folder
        own = folder if name == "mod.rs" else ""
        tries = [f"{above}/{last}".lstrip("/") for last in ("mod.rs", *_ROOT_NAMES)]
        tries.append(f"{above}.rs")
        found = [self.by_path[at] for at in tries if at in self.by_path and self.by_path[at] in self.extractions]
        known_as = own.rpartition("/")[2] or name.removesuffix(".rs")
        declaring = [other for other in found if self._declares(other, known_as)]
        if not declaring and above.rpartition("/")[2] in _LOOSE_FOLDERS:
            declaring = [other for other in self._files_in(above) if other != file and self._declares(other, known_as)]
        return (declaring[0], -1) if len(declaring) == 1 else None

    def _files_in(self, folder: str) -> list[int]:
        """Return the Rust files directly in one of the folders where each file may be a crate."""
        if not self._loose:
            for file in sorted(self.extractions):
                around = self.paths[file].rpartition("/")[0]
                if self.extractions[file].language == "rust" and around.rpartition("/")[2] in _LOOSE_FOLDERS:
                    self._loose.setdefault(around, []).append(file)
        return self._loose.get(folder, [])

    def _declares(self, file: int, name: str) -> bool:
        rows = self.extractions[file]
        return any(
            flags & SUBMODULE and module == name for module, flags in zip(rows.import_modules, rows.import_flags, strict=True)
        )

    def _crate_root(self, file: int) -> int | None:
        """Return the file of the crate around *file*, going up from module to module as they declare each other."""
        at: Target | None = (file, -1)
        for _ in range(64):
            if at is None or self.paths[at[0]].rpartition("/")[2] in _ROOT_NAMES:
                break
            above = self._parent(at)
            if above is None:
                break
            at = above
        return at[0] if at is not None else None

    def _child(self, file: int, scope: int, name: str) -> int | None:
        rows = self.extractions[file]
        folder, _, own = self.paths[file].rpartition("/")
        parts = [folder] if folder else []
        if own not in (*_ROOT_NAMES, "mod.rs") and not self._is_loose_root(file):
            parts.append(own.removesuffix(".rs"))
        module = self._module_around(file, scope)
        if module >= 0:
            parts += rows.definition_names[module].split(".")
        stem = "/".join([*parts, name])
        found = [self.by_path[at] for at in (f"{stem}.rs", f"{stem}/mod.rs") if at in self.by_path]
        return found[0] if len(found) == 1 and found[0] in self.extractions else None

    def _is_loose_root(self, file: int) -> bool:
        """Whether the file is a crate by itself: a program, test, example or build script."""
        folder, _, name = self.paths[file].rpartition("/")
        return name == "build.rs" or folder.rpartition("/")[2] in _LOOSE_FOLDERS
