"""Packs and folders made to hurt: every one is told about, costs little, and hides nothing that is sound."""

from __future__ import annotations

import gc
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from siltstone.core.errors import CorruptDataError, NotFoundError, SiltstoneError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.gitobjects.hostile_repositories import (
    INNOCENT,
    INNOCENT_NAME,
    Objects,
    make_repository,
    make_skeleton,
    read_everything,
)  # fmt: skip
from tests.reference import delta as deltas
from tests.reference.pack_read import OFS_DELTA, REF_DELTA, Entry, name_of

SAME = deltas.encode(4, [(0, 4)])
BASE = Entry(name_of(3, b"base"), 3, b"base")
SOON = 9.0  # seconds of processor time; each takes some tenths, most of it to make the pack; unbounded it takes minutes


def oid(number: int) -> bytes:
    return number.to_bytes(20, "big")


def thin(number: int, base: bytes, program: bytes = SAME) -> Entry:
    return Entry(oid(number), REF_DELTA, program, base)


def filler(number: int) -> Entry:
    """Something sound that makes a pack differ from the next."""
    content = b"filler %d" % number
    return Entry(name_of(3, content), 3, content)


@pytest.fixture(autouse=True)
def _soon_over() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < SOON


def chain(length: int, first: Entry) -> list[Entry]:
    return [first, *(Entry(oid(number), OFS_DELTA, SAME, 1) for number in range(1, length))]


# name -> packs, and how many objects must be missing from what is read
HOSTILE: dict[str, tuple[list[list[Entry]], int]] = {
    "bases that name each other across packs, each many times": (
        [[thin(side, oid(1 - side)), filler(10 * pack + side)] for pack in range(4) for side in range(2)], 2),
    "a ladder across packs, each rung many times, that ends nowhere": (
        [[thin(rung, oid(rung + 1)), filler(100 * copy + rung)] for rung in range(12) for copy in range(3)], 12),
    "a ladder whose every copy but the last applies to no base": (
        [[thin(rung, oid(rung + 1), deltas.encode(5, [(0, 4)])), filler(100 * copy + rung)]
         for rung in range(12) for copy in range(3)]
        + [[Entry(oid(12), 3, b"last")]], 12),
    "a long chain on a base that is nowhere": ([chain(3_000, thin(0, b"\xee" * 20))], 3_000),
    "a long chain on a base of another pack": ([chain(3_000, thin(0, BASE.name)), [BASE]], 0),
    "a cycle of hundreds": (
        [[Entry(oid(number), REF_DELTA, SAME, oid((number + 1) % 500)) for number in range(500)]], 500),
    "a chain deeper than any git writes": ([chain(6_000, Entry(oid(0), 3, b"base"))], 0),
    "an object of all the memory there is": ([[Entry(oid(0), 3, b"x", size=(1 << 62) - 1)]], 1),
    "a delta that grows a thousandfold, nested": (
        [[Entry(oid(0), 3, bytes(1_000)), Entry(oid(1), OFS_DELTA, deltas.encode(1_000, [(0, 1_000)] * 1_000), 1),
          Entry(oid(2), OFS_DELTA, deltas.encode(1_000_000, [(0, 1_000_000)] * 1_000), 1),
          Entry(oid(3), OFS_DELTA, deltas.encode(1_000_000_000, [(0, 1_000_000)]), 1)]], 2),
    "a stream that inflates without end": (
        [[Entry(oid(0), 3, b"", size=9, stream=zlib.compress(bytes(50_000_000), 9))]], 1),
    "an empty stream for a size": ([[Entry(oid(0), 3, b"", size=40_000, stream=zlib.compress(b""))]], 1),
    "an empty delta": ([[BASE, Entry(oid(0), OFS_DELTA, b"", 1)]], 1),
    "a delta of sizes alone": ([[BASE, Entry(oid(0), OFS_DELTA, b"\4\4", 1)]], 1),
    "an overlong number in a delta": ([[BASE, Entry(oid(0), OFS_DELTA, b"\x84" + b"\x80" * 9 + b"\0\4\x90\4", 1)]], 1),
    "a whole object and a delta of one name": ([[BASE], [Entry(BASE.name, REF_DELTA, SAME, BASE.name)]], 0),
    "a broken copy before a sound one": ([[Entry(BASE.name, 3, b"", size=4, stream=b"junk")], [BASE]], 0),
    "a type that is reserved, as a base": ([[Entry(oid(0), 5, b"base"), Entry(oid(1), OFS_DELTA, SAME, 1)]], 2),
}


@pytest.mark.parametrize(("packs", "lost"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pack_is_told_about_soon_and_hides_nothing(tmp_path: Path, packs: list[list[Entry]], lost: int) -> None:
    found, gaps = read_everything(make_repository(tmp_path / "r", *packs))
    names = {entry.name for pack in packs for entry in pack}
    assert found.pop(INNOCENT_NAME) == (Kind.BLOB, INNOCENT)
    assert (len(found), sum(gaps.values())) == (len(names) - lost, lost)
    assert set(gaps) <= {Reason.CORRUPT, Reason.OVERSIZE}
    sound = {entry.name: entry.content for pack in packs for entry in pack if 1 <= entry.kind <= 4 and entry.stream is None
             and entry.size is None}  # fmt: skip
    assert sound.items() <= {name: content for name, (_, content) in found.items()}.items()


def is_innocent_left(folder: Path) -> bool:
    found: Objects
    found, gaps = read_everything(folder)
    return found == {INNOCENT_NAME: (Kind.BLOB, INNOCENT)} and bool(gaps)


@pytest.mark.parametrize("name", ["pack/pack-x.idx", "pack/pack-000.pack", "01/" + "01" * 19])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path.name, path)],
                         ids=["pipe", "folder", "circle of links"])  # fmt: skip
def test_what_is_no_file_is_neither_opened_nor_waited_for(tmp_path: Path, name: str, make: object) -> None:
    folder = make_repository(tmp_path / "r", [BASE])
    place = folder / "objects" / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    make(place)  # type: ignore[operator]
    with ObjectDatabase.open(folder) as database:
        found = {bytes(block.oid(i)) for block in database.walk_objects(Kind) for i in range(len(block))}
        assert INNOCENT_NAME in found
        assert (BASE.name in found) == (name != "pack/pack-000.pack")
        assert not database.ledger.complete
        with pytest.raises(SiltstoneError):
            database.read(ObjectId(b"\1" * 20))


def test_a_circle_of_folders_is_told(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r")
    (folder / "objects/01").symlink_to("01")
    with ObjectDatabase.open(folder) as database:
        assert list(database.iter_ids()) == [INNOCENT_NAME]
        assert database.ledger.counts() == {Reason.UNREADABLE: 1}


@pytest.mark.parametrize(("name", "text"), [
    ("gitdir", b"\0"), ("gitdir", b"a\0b\n"), ("commondir", b"a\0b\n"), ("config", b"[core]\nworktree = a\0b\n"),
    (".git", b"gitdir: a\0b\n"), ("objects/info/alternates", b"a\0b\n"), ("refs/x", b"ref: refs/a\0b\n"),
    ("shallow", b"a\0b\n"), ("packed-refs", b"\0" * 100), ("config", b"\0" * 100), ("HEAD", b"\0"),
])  # fmt: skip
def test_a_name_with_a_nul_is_an_error_or_a_gap(tmp_path: Path, name: str, text: bytes) -> None:
    folder = make_skeleton(tmp_path / "r")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(text)
    with suppress(CorruptDataError, NotFoundError), ObjectDatabase.open(folder) as database:
        database.refs()
        database.head()
        database.shallow_commits()
        assert name in ("gitdir", "refs/x") or not database.ledger.complete


def test_blocks_in_a_circle_of_references_are_freed_in_any_order(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", chain(20, Entry(oid(0), 3, b"base")))
    for _ in range(10):
        with ObjectDatabase.open(folder) as database:
            ring: list[object] = [block.content(0) for block in database.walk_objects(Kind)]
            ring.append(ring)
        del ring
        gc.collect()  # once the collector had cleared the forest, a block wrote its memory into what stood there instead
    assert type(type(None)) is type
