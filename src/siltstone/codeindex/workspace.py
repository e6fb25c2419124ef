"""Roots of a monorepo, from the list of files and the text of manifest files; nothing is executed.

A root is a folder with a manifest of its own.  Members that a workspace manifest names by pattern are roots where they
hold a manifest, so the list of files decides, not the pattern.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MANIFESTS = {
    "package.json": "npm", "pnpm-workspace.yaml": "npm", "Cargo.toml": "cargo", "go.mod": "go", "go.work": "go",
    "pyproject.toml": "python", "setup.cfg": "python", "setup.py": "python", "pom.xml": "maven", "build.gradle": "gradle",
    "build.gradle.kts": "gradle", "settings.gradle": "gradle", "settings.gradle.kts": "gradle",
}
_SKIPPED_FOLDERS = frozenset({"node_modules", "vendor", "third_party", ".venv", "venv", "site-packages"})


@dataclass(frozen=True, slots=True, order=True)
class Root:
    """A folder that is a project of its own; *name* is what others import it by, '' where its manifest names none."""

    path: str  # relative to the repository, '' for the repository itself
    kind: str  # npm, cargo, go, python, maven, gradle
    name: str = ""


def is_manifest(path: str) -> bool:
    """Whether `find_roots` wants to read *path*."""
    *folders, name = path.split("/")
    return name in _MANIFESTS and not _SKIPPED_FOLDERS.intersection(folders)


def find_roots(paths: Sequence[str], read: Callable[[str], bytes]) -> list[Root]:
    """Return the roots among *paths*, sorted; *read* gives the content of a manifest, b'' where there is none.

    A manifest that does not parse still marks a root, without a name.
    """
    roots: dict[tuple[str, str], str] = {}
    for path in paths:
        if not is_manifest(path):
            continue
        folder, _, name = path.rpartition("/")
        place = (folder, _MANIFESTS[name])
        roots[place] = roots.get(place) or _NAME_READERS.get(name, _no_name)(read(path))
    return sorted(Root(folder, kind, name) for (folder, kind), name in roots.items())


def _no_name(_content: bytes) -> str:
    return ""


def _npm_name(content: bytes) -> str:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _toml_name(content: bytes) -> str:
    try:
        value = tomllib.loads(content.decode("utf-8", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    for table in ("package", "project"):
        part = value.get(table)
        if isinstance(part, dict) and isinstance(part.get("name"), str):
            return str(part["name"])
    return ""


def _go_module(content: bytes) -> str:
    for line in content.decode("utf-8", "replace").splitlines():
        words = line.split("//", 1)[0].split()
        if len(words) == 2 and words[0] == "module":
            return words[1].strip('"`')
    return ""


_NAME_READERS: dict[str, Callable[[bytes], str]] = {
    "package.json": _npm_name, "Cargo.toml": _toml_name, "pyproject.toml": _toml_name, "go.mod": _go_module,
}
