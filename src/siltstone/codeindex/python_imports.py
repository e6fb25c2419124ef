"""Where Python imports lead: relative ones by path, absolute ones by the source roots of the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.import_targets import ImportTargets, Lookups, Target
from siltstone.codeindex.workspace import Root

_LAYOUTS = ("", "src", "lib")  # where a project keeps its packages, below its root


class PythonImports(ImportTargets):
    """A module is known by its stem: its path without ``.py``, or the folder of a package."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root],
                 lookups: Lookups) -> None:
        super().__init__(paths, extractions, roots, lookups)
        self._files = _files_by_stem(paths, extractions)
        self._packages = {stem for stem, file in self._files.items() if "/__init__.py" in "/" + paths[file]}
        self._folders = _folders(self._files)
        tops = sorted({"", *(root.path for root in roots if root.kind == "python")})
        self._declared = ["/".join(part for part in (top, layout) if part) for top in tops for layout in _LAYOUTS]
        self._own: dict[str, str] = {}
        self._stems: dict[tuple[str, str], str | None] = {}
        self._stars: dict[int, list[int]] = {}

    def target(self, file: int, row: int) -> Target | None:
        """A module, or a member of a module, or a submodule of that name."""
        rows = self.extractions[file]
        stem, name = self._stem(file, rows.import_modules[row]), rows.import_names[row]
        if stem is None or name == "*":
            return None
        if not name:
            return self._module(stem)
        module = self._files.get(stem)
        if module is not None and module != file:
            found = self.lookups.lookup(module, name)
            if found is not None:
                return found
        return self._module(f"{stem}/{name}" if stem else name)

    def files(self, file: int, row: int) -> list[int]:
        """The module, and the submodule where the member is one."""
        rows = self.extractions[file]
        stem, name = self._stem(file, rows.import_modules[row]), rows.import_names[row]
        if stem is None:
            return []
        stems = [stem] if name in ("", "*") else [stem, f"{stem}/{name}" if stem else name]
        return [self._files[at] for at in stems if at in self._files]

    def walk_module(self, file: int, row: int, parts: list[str]) -> tuple[Target, int] | None:
        """``import a.b`` binds a, and a.b.c spells modules as far as there are some."""
        rows = self.extractions[file]
        if rows.import_names[row] or rows.import_locals[row] != rows.import_modules[row].partition(".")[0]:
            return None
        best: tuple[Target, int] | None = None
        for used in range(1, len(parts) + 1):
            stem = self._stem(file, ".".join(parts[:used]))
            if stem is None:
                break
            module = self._module(stem)
            if module is not None:
                best = module, used
        return best

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """A submodule of a package, or the one star import that has the name where all star imports are known."""
        path = self.paths[file]
        if path.endswith("__init__.py"):
            folder = path.rpartition("/")[0]
            module = self._module(f"{folder}/{name}" if folder else name)
            if module is not None:
                return module
        return self._from_stars(file, name)

    def _from_stars(self, file: int, name: str) -> Target | None:
        rows, found = self.extractions[file], set()
        stars = self._stars.get(file)
        if stars is None:
            stars = self._stars[file] = [row for row, member in enumerate(rows.import_names) if member == "*"]
        for row in stars if not name.startswith("_") else ():
            stem = self._stem(file, rows.import_modules[row])
            module = self._files.get(stem) if stem is not None else None
            if module is None:
                return None
            if module != file:
                target = self.lookups.lookup(module, name)
                if target is not None:
                    found.add(target)
        return found.pop() if len(found) == 1 else None

    def _module(self, stem: str) -> Target | None:
        file = self._files.get(stem)
        return None if file is None else (file, -1)

    def _stem(self, file: int, module: str) -> str | None:
        folder = self.paths[file].rpartition("/")[0]
        question = (folder, module)
        if question not in self._stems:
            relative = module.startswith(".")
            self._stems[question] = self._relative(folder, module) if relative else self._absolute(folder, module)
        return self._stems[question]

    def _relative(self, folder: str, module: str) -> str | None:
        name = module.lstrip(".")
        parts = folder.split("/") if folder else []
        up = len(module) - len(name) - 1
        if up > len(parts):
            return None
        stem = "/".join([*parts[: len(parts) - up], *(name.split(".") if name else [])])
        return stem if self._exists(stem) else None

    def _absolute(self, folder: str, module: str) -> str | None:
        tail = module.replace(".", "/")
        own = self._own_root(folder)
        stem = f"{own}/{tail}" if own else tail
        if self._exists(stem):
            return stem
        stems = {f"{root}/{tail}" if root else tail for root in self._declared}
        found = sorted(stem for stem in stems if self._exists(stem))
        return found[0] if len(found) == 1 else None

    def _exists(self, stem: str) -> bool:
        return stem in self._files or stem in self._folders

    def _own_root(self, folder: str) -> str:
        """Return the folder above the outermost package around *folder*."""
        if folder not in self._own:
            at = folder
            while at in self._packages:
                at = at.rpartition("/")[0]
            self._own[folder] = at
        return self._own[folder]


def _files_by_stem(paths: Sequence[str], extractions: Mapping[int, Extraction]) -> dict[str, int]:
    """A package wins over a module of the same name, and source over a stub, as when they are imported."""
    stems: dict[str, tuple[int, int]] = {}
    for file in sorted(extractions):
        path = paths[file]
        if extractions[file].language != "python" or not path.endswith((".py", ".pyi")):
            continue
        stem = path.rpartition(".")[0]
        package = stem == "__init__" or stem.endswith("/__init__")
        if package:
            stem = stem[: -len("/__init__")]
        rank = (0 if package else 2) + (1 if path.endswith(".pyi") else 0)
        if stem not in stems or rank < stems[stem][0]:
            stems[stem] = (rank, file)
    return {stem: file for stem, (_, file) in stems.items()}


def _folders(stems: Mapping[str, int]) -> set[str]:
    folders: set[str] = set()
    for stem in stems:
        at = stem.rpartition("/")[0]
        while at and at not in folders:
            folders.add(at)
            at = at.rpartition("/")[0]
    return folders
