"""Where Go imports lead: the module path of ``go.mod`` and the folder of the package; files of one package see each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.import_targets import ImportTargets, Lookups, Target
from siltstone.codeindex.workspace import Root


class GoImports(ImportTargets):
    """A package stands for itself by the first of its files."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root],
                 lookups: Lookups) -> None:
        super().__init__(paths, extractions, roots, lookups)
        self._modules = sorted(((root.name, root.path) for root in roots if root.kind == "go" and root.name), reverse=True)
        self._packages: dict[tuple[str, str], list[int]] = {}  # (folder, package clause) -> files, tests included
        self._folders: dict[str, list[int]] = {}  # folder -> files that others can import
        for file in sorted(extractions):
            if extractions[file].language == "go":
                folder = paths[file].rpartition("/")[0]
                self._packages.setdefault((folder, extractions[file].package), []).append(file)
                if not paths[file].endswith("_test.go"):
                    self._folders.setdefault(folder, []).append(file)

    def target(self, file: int, row: int) -> Target | None:
        """The package."""
        found = self.files(file, row)
        return (found[0], -1) if found and self.extractions[file].import_names[row] != "*" else None

    def files(self, file: int, row: int) -> list[int]:
        """All files of the package, without its tests."""
        path = self.extractions[file].import_modules[row]
        for name, folder in self._modules:
            if path == name or path.startswith(name + "/"):
                inside = path[len(name) + 1 :]
                return self._folders.get("/".join(part for part in (folder, inside) if part), [])
        return []

    def member_of_module(self, file: int, name: str) -> Target | None:
        """A definition at the top of any file of the package."""
        return self._of_package(file, name, tests=False)

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """The package around the file, then its dot imports."""
        found = self._of_package(file, name, tests=self.paths[file].endswith("_test.go"))
        if found is not None:
            return found
        rows = self.extractions[file]
        dots = [self.files(file, row) for row, member in enumerate(rows.import_names) if member == "*"]
        targets = {self.member_of_module(files[0], name) for files in dots if files} - {None}
        return targets.pop() if len(targets) == 1 else None

    def scattered_member(self, target: Target, name: str) -> Target | None:
        """A method written in another file of the package."""
        file, row = target
        owner = self.extractions[file].definition_names[row]
        found = {
            (other, code) for other in self._files(file)
            if (code := self.extractions[other].foreign.get(owner, {}).get(name)) is not None and code >= 0
        }
        return found.pop() if len(found) == 1 else None

    def _files(self, file: int) -> list[int]:
        return self._packages[self.paths[file].rpartition("/")[0], self.extractions[file].package]

    def _of_package(self, file: int, name: str, *, tests: bool) -> Target | None:
        found = {
            (other, code) for other in self._files(file)
            if (code := self.extractions[other].members.get(-1, {}).get(name)) is not None and code >= 0
            and (tests or not self.paths[other].endswith("_test.go"))
        }
        return found.pop() if len(found) == 1 else None
