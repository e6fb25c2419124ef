"""How many objects a repository holds, how large they are, how they are packed, and what speeds reading them up.

Headers are read, and the sizes that deltas state; nothing is decoded and no content is checked: `verify_objects` does that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siltstone._native.inflate import capsule
from siltstone._native.pack_table import read_pack_table
from siltstone._native.spill_index import find_repeats
from siltstone.core.errors import BudgetExceeded, CorruptDataError, NotFoundError
from siltstone.core.files import WindowedFile
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.folder_files import FolderFiles, list_folder_files
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.object_folder import ObjectFolder
from siltstone.gitobjects.pack_file import PackFile

_STAT_BLOCK = 512  # bytes of st_blocks (POSIX leaves it open, Linux and the BSDs do not)
_TABLE_BYTES = 18  # an entry: four columns and the scratch of the kernel
_SLICE = 1 << 16  # entries counted at once: what is computed of them takes 2 MB


@dataclass(slots=True)
class KindStats:
    """Objects of one kind: how many, bytes of content, bytes on disk (of the first copy), how many are deltas."""

    objects: int = 0
    content_bytes: int = 0
    disk_bytes: int = 0
    deltas: int = 0

    def add(self, objects: int, content_bytes: int, disk_bytes: int, deltas: int = 0) -> None:
        """Count some more."""
        self.objects += objects
        self.content_bytes += content_bytes
        self.disk_bytes += disk_bytes
        self.deltas += deltas


@dataclass(frozen=True, slots=True)
class PackStats:
    """One pack; *parts* are the suffixes of the files beside it."""

    path: Path
    objects: int
    deltas: int
    disk_bytes: int
    longest_chain: int
    parts: tuple[str, ...]


@dataclass(slots=True)
class ObjectStats:
    """What `count_objects` found. *chains* maps each length of a delta chain to the number of entries at its end."""

    algorithm: str
    partial: bool
    shallow: bool
    kinds: dict[Kind, KindStats] = field(default_factory=lambda: {kind: KindStats() for kind in Kind})
    packs: list[PackStats] = field(default_factory=list)
    chains: dict[int, int] = field(default_factory=dict)
    loose_objects: int = 0
    loose_bytes: int = 0
    loose_also_packed: int = 0
    repeated: int = 0  # copies beyond the first of an object
    folders: list[Path] = field(default_factory=list)
    accelerators: list[tuple[Path, int]] = field(default_factory=list)  # with their size
    garbage: list[Path] = field(default_factory=list)
    ledger: CoverageLedger = field(default_factory=CoverageLedger)

    @property
    def total(self) -> KindStats:
        """All kinds together; what does not read is left out."""
        total = KindStats()
        for told in self.kinds.values():
            total.add(told.objects, told.content_bytes, told.disk_bytes, told.deltas)
        return total

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "algorithm": self.algorithm, "objects": self.total.objects, "partial": self.partial, "shallow": self.shallow,
            "kinds": {
                kind.name.lower(): {"objects": stats.objects, "content_bytes": stats.content_bytes,
                                    "disk_bytes": stats.disk_bytes, "deltas": stats.deltas}
                for kind, stats in self.kinds.items()
            },
            "loose": {"objects": self.loose_objects, "disk_bytes": self.loose_bytes, "also_packed": self.loose_also_packed},
            "repeated": self.repeated,
            "packs": [
                {"path": _text(pack.path), "objects": pack.objects, "deltas": pack.deltas, "disk_bytes": pack.disk_bytes,
                 "longest_chain": pack.longest_chain, "parts": list(pack.parts)}
                for pack in self.packs
            ],
            "chains": {str(length): count for length, count in sorted(self.chains.items())},
            "folders": [_text(path) for path in self.folders],
            "accelerators": [{"path": _text(path), "disk_bytes": size} for path, size in self.accelerators],
            "garbage": [_text(path) for path in self.garbage],
            "coverage": self.ledger.as_dict(),
        }


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def count_objects(db: ObjectDatabase, *, progress: Progress = NO_PROGRESS) -> ObjectStats:
    """Return what there is, over all packs, loose objects and alternates.

    An object that several sources hold counts once, by the first. Entries that do not read are looked for in the other
    sources, and go to the ledger where none has them. Takes 18 bytes an entry of one pack at a time from the budget
    ``pack_index``; 2 s for the 849,014 objects of git/git.
    """
    stats = ObjectStats(db.algorithm.name, db.partial, bool(db.shallow_commits()), ledger=db.ledger)
    files: dict[Path, FolderFiles] = {}
    for folder in db.folders:
        files[folder.path] = listed = list_folder_files(folder.path, 2 * db.algorithm.size)
        stats.folders.append(folder.path)
        stats.garbage += listed.garbage
        stats.accelerators += [(path, path.stat().st_size) for path in listed.shared]
    packs = db.packs()
    repeats = find_repeats([pack.index.names for pack in packs], db.algorithm.size)
    progress.stage("count", sum(map(len, packs)))
    for pack, repeated in zip(packs, repeats, strict=True):
        parts = files.get(pack.path.parent.parent, FolderFiles()).packs.get(pack.path, set())
        with db.budget.hold("pack_index", len(pack) * _TABLE_BYTES):
            _count_pack(db, pack, repeated, tuple(sorted(parts)), stats)
        progress.advance(len(pack))
    for place, folder in enumerate(db.folders):
        _count_loose(db, folder, db.folders[:place], stats)
        progress.check()
    return stats


@dataclass(frozen=True, slots=True)
class _Table:
    """The columns of one pack, by rank."""

    types: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.uint8]
    depths: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]


def _read_table(pack: PackFile, limit_bytes: int) -> _Table:
    index = pack.index
    with WindowedFile(pack.path) as file:
        types, kinds, depths, sizes = read_pack_table(
            index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data,
            id_size=index.id_size, end=pack.end, descriptor=file.fileno(), limit_bytes=limit_bytes, sizes=True,
            inflate=capsule(),
        )  # fmt: skip
    return _Table(np.frombuffer(types, np.uint8), np.frombuffer(kinds, np.uint8), np.frombuffer(depths, np.int32),
                  np.frombuffer(sizes, np.int64))


def _count_pack(db: ObjectDatabase, pack: PackFile, repeats: bytearray, parts: tuple[str, ...], stats: ObjectStats) -> None:
    table = _read_table(pack, db.budget.limit("object"))
    repeated = np.frombuffer(repeats, np.uint8)
    stats.repeated += int(np.count_nonzero(repeated))
    deltas = sum(
        _count_slice(db, pack, table, repeated, slice(start, start + _SLICE), stats) for start in range(0, len(pack), _SLICE))
    longest = max(0, int(table.depths.max(initial=0)))
    stats.packs.append(PackStats(pack.path, len(pack), deltas, pack.end + pack.index.id_size, longest, parts))


def _count_slice(
    db: ObjectDatabase, pack: PackFile, table: _Table, repeated: npt.NDArray[np.uint8], ranks: slice, stats: ObjectStats
) -> int:
    """Count the entries of some ranks; return how many are deltas."""
    kinds, depths, sizes = table.kinds[ranks], table.depths[ranks], table.sizes[ranks]
    is_delta = table.types[ranks] > Kind.TAG
    for length, count in enumerate(np.bincount(depths[depths > 0]).tolist()):
        if count:
            stats.chains[length] = stats.chains.get(length, 0) + count
    bounds = pack.index.offsets[ranks.start : ranks.stop + 1].astype(np.int64)
    if len(bounds) == len(kinds):
        bounds = np.append(bounds, pack.end)
    extents = np.maximum(np.diff(bounds), 0)
    fresh = repeated[pack.index.order[ranks]] == 0
    known = fresh & (kinds > 0) & (sizes >= 0)
    for kind, told in stats.kinds.items():
        chosen = known & (kinds == kind)
        told.add(int(chosen.sum()), int(sizes[chosen].sum()), int(extents[chosen].sum()), int((chosen & is_delta).sum()))
    for at in np.flatnonzero(fresh & ~known).tolist():
        header = _find_header(db, ObjectId(pack.index.name(int(pack.index.order[ranks.start + at]))))
        if header is not None:
            stats.kinds[header[0]].add(1, header[1], int(extents[at]), int(is_delta[at]))
    return int(is_delta.sum())


def _find_header(db: ObjectDatabase, oid: ObjectId) -> tuple[Kind, int] | None:
    """Return the kind and size that any source gives; None, and a gap in the ledger, where none does."""
    try:
        return db.header(oid)
    except (CorruptDataError, NotFoundError) as error:
        db.ledger.add(Reason.CORRUPT, oid.hex(), str(error))
    except BudgetExceeded as error:
        db.ledger.add(Reason.OVERSIZE, oid.hex(), str(error))
    except OSError as error:
        db.ledger.add(Reason.UNREADABLE, oid.hex(), str(error))
    return None


def _count_loose(db: ObjectDatabase, folder: ObjectFolder, earlier: Sequence[ObjectFolder], stats: ObjectStats) -> None:
    packs = db.packs()
    for oid in folder.loose.iter_ids():
        try:
            status = os.stat(folder.loose.path_of(oid))
        except FileNotFoundError:  # packed meanwhile
            continue
        stats.loose_objects += 1
        stats.loose_bytes += status.st_blocks * _STAT_BLOCK
        packed = any(oid in pack for pack in packs)
        stats.loose_also_packed += packed
        if packed or any(oid in other.loose for other in earlier):
            stats.repeated += 1
            continue
        header = _find_header(db, oid)
        if header is not None:
            stats.kinds[header[0]].add(1, header[1], status.st_size)
