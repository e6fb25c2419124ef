"""Which files an object folder holds besides objects: what belongs to each pack, what speeds reading up, what is garbage."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PACK_PARTS = frozenset({"pack", "idx", "rev", "bitmap", "keep", "promisor", "mtimes"})
_SHARED_PARTS = frozenset({"midx", "bitmap", "rev", "graph"})
_BOTH = frozenset({"pack", "idx"})


@dataclass(slots=True)
class FolderFiles:
    """The files below one ``objects`` folder that are no loose objects.

    *packs* maps each pack to the suffixes that lie beside it; *shared* lists multi-pack indexes and commit-graphs with what
    belongs to them; *garbage* is what git does not know, or a part of a pack without the rest (`git count-objects`).
    """

    packs: dict[Path, set[str]] = field(default_factory=dict)
    shared: list[Path] = field(default_factory=list)
    garbage: list[Path] = field(default_factory=list)


def list_folder_files(folder: Path, digits: int) -> FolderFiles:
    """Return the files of one object folder, sorted; *digits* is the length of an object id in hexadecimal."""
    found = FolderFiles()
    parts: dict[Path, set[str]] = {}
    for path in _iter_files(folder / "pack"):
        stem, _, suffix = path.name.rpartition(".")
        if path.name == "multi-pack-index" or (stem.startswith("multi-pack-index") and suffix in _SHARED_PARTS):
            found.shared.append(path)
        elif suffix in _PACK_PARTS:
            parts.setdefault(path.with_name(f"{stem}.pack"), set()).add(suffix)
        else:
            found.garbage.append(path)
    for pack, suffixes in parts.items():
        if suffixes >= _BOTH:
            found.packs[pack] = suffixes
        else:
            found.garbage.extend(pack.with_suffix(f".{suffix}") for suffix in sorted(suffixes))
    for place in (folder / "pack" / "multi-pack-index.d", folder / "info" / "commit-graphs"):
        for path in _iter_files(place):  # a killed writer leaves locks and temporary files
            known = path.name.endswith("-chain") or path.suffix.removeprefix(".") in _SHARED_PARTS
            (found.shared if known else found.garbage).append(path)
    if (folder / "info" / "commit-graph").is_file():
        found.shared.append(folder / "info" / "commit-graph")
    found.garbage.extend(_iter_loose_garbage(folder, digits))
    found.garbage.sort()
    return found


def _iter_files(folder: Path) -> Iterator[Path]:
    """Yield what lies in *folder*, sorted, folders left out; nothing where there is none."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (folder / name for name in names)


def _iter_loose_garbage(folder: Path, digits: int) -> Iterator[Path]:
    object_name = re.compile(f"[0-9a-f]{{{digits - 2}}}")
    for prefix in range(256):
        with suppress(OSError):  # who reads the objects tells that their folder cannot be listed
            for path in _iter_files(folder / f"{prefix:02x}"):
                if not object_name.fullmatch(path.name):
                    yield path
