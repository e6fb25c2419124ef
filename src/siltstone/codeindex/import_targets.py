"""Import rows to files and definitions, by the rules of each language; only files of the repository are targets.

A rule answers None rather than choose: two files that a name could mean are no target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.workspace import Root

Target = tuple[int, int]  # file, row of the definition (-1: the file itself)


class Lookups(Protocol):
    """What the rules ask back from the resolver."""

    extractions: Mapping[int, Extraction]

    def lookup(self, file: int, name: str) -> Target | None:
        """Return what *name* means at the top of *file*."""

    def import_target(self, file: int, row: int) -> Target | None:
        """Return what the name bound by an import row stands for."""

    def once(self, file: int, name: str) -> Target | None:
        """Ask `fallback` for the top of *file*, unless the same question is being answered."""

    def member(self, target: Target, name: str) -> Target | None:
        """Return a member of a module or type."""


class ImportTargets:
    """The rules that all languages share: none. Each language overrides what it has."""

    def __init__(self, paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root],
                 lookups: Lookups) -> None:
        self.paths, self.extractions, self.lookups = paths, extractions, lookups
        self.roots = roots
        self.by_path = {path: file for file, path in enumerate(paths)}

    def target(self, file: int, row: int) -> Target | None:
        """Return what the local name of the import *row* stands for."""
        return None

    def files(self, file: int, row: int) -> list[int]:
        """Return the files that the import *row* brings in, in order."""
        return []

    def walk_module(self, file: int, row: int, parts: list[str]) -> tuple[Target, int] | None:
        """Return (module, parts used) where the name itself spells a module path, as after ``import a.b``."""
        return None

    def fallback(self, file: int, name: str, scope: int) -> Target | None:
        """Return what *name* means in the definition *scope* (-1: the file) though nothing binds it there.

        Star imports, the same package, included files.
        """
        return None

    def absolute(self, file: int, parts: list[str], scope: int) -> Target | None:
        """Return the target of a name that is a path from the outermost module."""
        return None

    def member_of_module(self, file: int, name: str) -> Target | None:
        """Return what the module *file* gives to others under *name*."""
        return self.lookups.lookup(file, name)

    def scattered_member(self, target: Target, name: str) -> Target | None:
        """Return a member that another file adds to a type."""
        return None
