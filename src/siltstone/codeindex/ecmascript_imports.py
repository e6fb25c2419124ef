"""Where imports of JavaScript and TypeScript lead: relative paths; packages, aliases and ``tsconfig`` are not guessed."""

from __future__ import annotations

import posixpath

from siltstone.codeindex.extraction import EXPORTED, FIRST_IMPORT
from siltstone.codeindex.import_targets import ImportTargets, Target

_ENDINGS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")  # in the order compilers try them
_SOURCES_OF = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}


class EcmascriptImports(ImportTargets):
    """A module is a file; what it gives to others is what it exports, or has at its top."""

    def target(self, file: int, row: int) -> Target | None:
        """A module, or what it exports under a name."""
        rows = self.extractions[file]
        module, name = rows.import_modules[row], rows.import_names[row]
        if not module:
            return self.lookups.lookup(file, name)
        found = self._file(file, module)
        if found is None or name == "*" or (found == file and name):
            return None
        if found not in self.extractions:
            return (found, -1) if not name else None
        return (found, -1) if not name else self.member_of_module(found, name)

    def files(self, file: int, row: int) -> list[int]:
        """The one file that the path names."""
        found = self._file(file, self.extractions[file].import_modules[row])
        return [] if found is None else [found]

    def member_of_module(self, file: int, name: str) -> Target | None:
        """An export, a definition at the top, or the one star export that has the name."""
        if file not in self.extractions:
            return None
        rows = self.extractions[file]
        names = rows.members.get(-1, {})
        code = names.get(f"export {name}", names.get(name))
        if code is not None:
            if code >= 0:
                return file, code
            return self.lookups.import_target(file, FIRST_IMPORT - code) if code <= FIRST_IMPORT else None
        return self.lookups.once(file, name) if name != "default" else None

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """Star exports, which other files see through this one."""
        rows, found = self.extractions[file], set()
        for row, member in enumerate(rows.import_names):
            if member == "*" and rows.import_flags[row] & EXPORTED and scope < 0:
                module = self._file(file, rows.import_modules[row])
                if module is not None and module != file:
                    target = self.member_of_module(module, name)
                    if target is not None:
                        found.add(target)
        return found.pop() if len(found) == 1 else None

    def _file(self, file: int, module: str) -> int | None:
        if not module.startswith((".", "..")) or "\0" in module:
            return None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.paths[file]), module))
        if path.startswith(".."):
            return None
        stem, ending = posixpath.splitext(path)
        tries = [path, *(stem + other for other in _SOURCES_OF.get(ending, ())), *(path + other for other in _ENDINGS),
                 *(("" if path == "." else path + "/") + "index" + other for other in _ENDINGS)]
        return next((self.by_path[at] for at in tries if at in self.by_path), None)
