"""Repositories that no git would write, made byte by byte: any folder of packs, loose files and references."""

from __future__ import annotations

import zlib
from pathlib import Path

from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import SiltstoneError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.native.pack_files import write_pack
from tests.reference.pack_read import LABELS, Entry, make_pack, name_of

Objects = dict[bytes, tuple[Kind, bytes]]
INNOCENT = b"innocent"
INNOCENT_NAME = name_of(3, INNOCENT)


def make_skeleton(folder: Path) -> Path:
    """Return an empty bare repository, made without git."""
    (folder / "objects" / "pack").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


def make_repository(folder: Path, *packs: list[Entry]) -> Path:
    """Return a bare repository of one loose object that is fine, and of these packs in this order."""
    make_skeleton(folder)
    write_loose(folder, 3, INNOCENT)
    for number, entries in enumerate(packs):
        write_pack(folder / "objects" / "pack", *make_pack(entries), f"pack-{number:03d}")
    return folder


def write_loose(folder: Path, kind: int, content: bytes, name: bytes | None = None) -> bytes:
    """Write a loose object, under a false *name* where given; return its name."""
    oid = (name or name_of(kind, content)).hex()
    path = folder / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(b"%s %d\0%s" % (LABELS[kind], len(content), content)))
    return bytes.fromhex(oid)


def small_budget() -> Budget:
    """A budget that any absurd size exceeds."""
    return Budget(object=MIB, objects=2 * MIB)


def read_everything(folder: Path, budget: Budget | None = None) -> tuple[Objects, dict[Reason, int]]:
    """Return what the walk gives and the gaps it told; plain reads must give the same, or our own errors."""
    found: Objects = {}
    with ObjectDatabase.open(folder, budget=budget or small_budget()) as database:
        for block in database.walk_objects(Kind):
            for i in range(len(block)):
                assert block.oid(i) not in found
                found[block.oid(i)] = (block.kind(i), bytes(block.content(i)))
        gaps = database.ledger.counts()
        names = list(database.iter_ids())
        for oid in names:
            try:
                value = database.read(ObjectId(oid))
            except SiltstoneError:
                continue
            assert found[oid] == (value.kind, value.data)
    assert len(names) <= len(found) + sum(gaps.values()), "a loss that nobody told of"
    return found, gaps
