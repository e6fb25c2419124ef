"""What git's own tests do to objects (t1050, t1060, t5303, t5306, t5308, t5309, t5313), answered as git answers."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone.core.errors import NotFoundError, SiltstoneError
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.conftest import GIT_ENVIRONMENT
from tests.gitobjects.hostile_repositories import make_skeleton, read_everything, write_loose
from tests.native.pack_files import write_pack
from tests.reference import delta as deltas
from tests.reference.pack_read import (
    OFS_DELTA,
    REF_DELTA,
    Entry,
    encode_distance,
    encode_header,
    make_index,
    make_pack,
    name_of,
    parse_index,
)  # fmt: skip

pytestmark = pytest.mark.oracle
Git = Callable[..., bytes]
LINES = [b"".join(b"%d of %d\n" % (number, version) if number % 40 == 0 else b"line %d\n" % number for number in range(120))
         for version in range(3)]  # fmt: skip
NAMES = [name_of(3, content) for content in LINES]


def as_git(folder: Path, names: list[bytes]) -> dict[bytes, bytes | None]:
    """Return the content of each object as ``git cat-file`` gives it, None where it fails."""
    answers = {}
    for name in names:
        done = subprocess.run(["git", "cat-file", "blob", name.hex()], cwd=folder, capture_output=True, timeout=60,
                              env=GIT_ENVIRONMENT, check=False)  # fmt: skip
        answers[name] = None if done.returncode else done.stdout
    return answers


def as_we(folder: Path, names: list[bytes]) -> dict[bytes, bytes | None]:
    """Return the content of each object, None where it is refused; the walk gives the same objects."""
    answers: dict[bytes, bytes | None] = {}
    walked = read_everything(folder)[0]
    with ObjectDatabase.open(folder) as database:
        for name in names:
            try:
                answers[name] = database.read(ObjectId(name)).data
            except SiltstoneError:
                answers[name] = None
            assert answers[name] == (walked[name][1] if name in walked else None)
    return answers


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, git: Git) -> Path:
    """A bare repository with one pack of three blobs, each a delta of the one before; loose copies are beside it."""
    folder = make_skeleton(tmp_path_factory.mktemp("suite") / "r")
    for content in LINES:
        git(folder, "hash-object", "-w", "-t", "blob", "--stdin", input=content)
    shutil.copytree(folder / "objects", folder.parent / "loose", ignore=shutil.ignore_patterns("pack"))
    names = b"".join(name.hex().encode() + b"\n" for name in NAMES)
    git(folder, "pack-objects", "-q", "--depth=5", "--window=5", "objects/pack/pack", input=names)
    git(folder, "prune-packed", "-q")
    (pack,) = (folder / "objects/pack").glob("*.pack")
    pack.chmod(0o644)
    return folder


def entry_starts(pack: Path) -> list[int]:
    return sorted(parse_index(pack.with_suffix(".idx").read_bytes()).values())


@pytest.mark.parametrize("entry", [0, 1, 2])
@pytest.mark.parametrize("place", [0, 1, 2, 9, -3], ids=lambda place: f"byte {place}")
def test_resilience_to_a_damaged_entry(chain: Path, tmp_path: Path, entry: int, place: int) -> None:
    """t5303: what hangs on the damage fails, the rest is given; with a loose copy of the base nothing is lost."""
    shutil.copytree(chain, tmp_path / "r")
    (pack,) = (tmp_path / "r/objects/pack").glob("*.pack")
    starts = [*entry_starts(pack), pack.stat().st_size - 20]
    data = bytearray(pack.read_bytes())
    data[starts[entry] + place if place >= 0 else starts[entry + 1] + place] ^= 0x5A
    pack.write_bytes(bytes(data))
    expected = as_git(tmp_path / "r", NAMES)
    assert as_we(tmp_path / "r", NAMES) == expected
    if place == 9:
        for name in NAMES[:2]:
            shutil.copytree(chain.parent / "loose" / name.hex()[:2], tmp_path / "r/objects" / name.hex()[:2])
        assert as_we(tmp_path / "r", NAMES) == as_git(tmp_path / "r", NAMES)


BIG, HUGE = 1 << 31, (1 << 63) + 5


@pytest.mark.parametrize("offset", [0, 1, 11, 13, 4095, BIG - 1, BIG, HUGE, (1 << 64) - 1])
def test_a_bogus_offset_in_the_index(tmp_path: Path, offset: int) -> None:
    """t5313: an offset before, inside and after the entries, as 4 and as 8 bytes."""
    folder = make_skeleton(tmp_path / "r")
    write_pack(folder / "objects/pack", *make_pack([Entry(NAMES[0], 3, LINES[0])], {NAMES[0]: offset}))
    assert as_we(folder, NAMES[:1]) == as_git(folder, NAMES[:1]) == {NAMES[0]: None}


@pytest.mark.parametrize("change", ["slot", "fan-out falls", "fan-out is too large", "unsorted", "version"])
def test_a_bogus_index(tmp_path: Path, change: str) -> None:
    """t5313: tables that point outside of themselves; the loose copy is given whatever the index says."""
    folder = make_skeleton(tmp_path / "r")
    entries = [Entry(name, 3, content) for name, content in zip(NAMES, LINES, strict=True)]
    pack, index = make_pack(entries)
    data = bytearray(index)
    if change == "slot":
        data[8 + 1024 + 3 * 24 : 8 + 1024 + 3 * 24 + 4] = b"\x80\0\0\7"
    elif change == "fan-out falls":
        data[8 + 4 * 100 : 12 + 4 * 100] = b"\0\0\1\0"
    elif change == "fan-out is too large":
        data[8 + 1020 : 8 + 1024] = b"\xff\xff\xff\xff"
    elif change == "unsorted":
        data[1032 : 1032 + 60] = b"".join(sorted(NAMES, reverse=True))
    else:
        data[7] = 3
    write_pack(folder / "objects/pack", pack, bytes(data))
    write_loose(folder, 3, LINES[1])
    ours, expected = as_we(folder, NAMES), as_git(folder, NAMES)
    assert ours[NAMES[1]] == LINES[1]
    assert all(ours[name] in (None, expected[name]) for name in NAMES)


@pytest.mark.parametrize("distance", [0, 1, 5, 30, 1 << 20, (1 << 63) - 1, 1 << 63], ids=hex)
def test_a_bogus_distance_to_a_base(tmp_path: Path, distance: int) -> None:
    """t5313: a base before the pack, inside another entry, at the entry itself."""
    folder = make_skeleton(tmp_path / "r")
    name = b"\x77" * 20
    program = deltas.encode(len(LINES[0]), [(0, len(LINES[0]))])
    body = bytearray(make_pack([Entry(NAMES[0], 3, LINES[0]), Entry(name, 3, b"")])[0][:-20])
    at = parse_index(make_pack([Entry(NAMES[0], 3, LINES[0]), Entry(name, 3, b"")])[1])[name]
    body[at:] = encode_header(OFS_DELTA, len(program)) + encode_distance(distance) + zlib.compress(program)
    pack = bytes(body) + bytes(20)
    write_pack(folder / "objects/pack", pack, make_index({NAMES[0]: 12, name: at}, bytes(20)))
    assert as_we(folder, [NAMES[0], name]) == as_git(folder, [NAMES[0], name]) == {NAMES[0]: LINES[0], name: None}


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_duplicates_within_a_pack(tmp_path: Path, git: Git, copies: int) -> None:
    """t5308: each name several times; git indexes it, every one is found, the walk gives it once."""
    folder = make_skeleton(tmp_path / "r")
    entries = [Entry(name, 3, content) for name, content in zip(NAMES, LINES, strict=True)] * copies
    path = write_pack(folder / "objects/pack", make_pack(entries)[0], b"")
    path.with_suffix(".idx").unlink()
    git(folder, "index-pack", str(path))
    assert as_we(folder, NAMES) == as_git(folder, NAMES) == dict(zip(NAMES, LINES, strict=True))
    with ObjectDatabase.open(folder) as database:
        assert sorted(database.iter_ids()) == sorted(NAMES)
        assert database.count() == 3


def test_a_cycle_of_deltas_and_a_way_out(tmp_path: Path) -> None:
    """t5309: a cycle fails; where another pack has one of the two whole, both are given."""
    folder = make_skeleton(tmp_path / "r")
    size = len(LINES[0])
    assert len(LINES[1]) == size
    turn = [Entry(NAMES[0], REF_DELTA, deltas.encode(size, [LINES[0][:100], (100, size - 100)]), NAMES[1]),
            Entry(NAMES[1], REF_DELTA, deltas.encode(size, [LINES[1][:100], (100, size - 100)]), NAMES[0])]
    write_pack(folder / "objects/pack", *make_pack(turn), "pack-a")
    assert as_we(folder, NAMES[:2]) == dict.fromkeys(NAMES[:2])
    write_pack(folder / "objects/pack", *make_pack([Entry(NAMES[1], 3, LINES[1])]), "pack-b")
    assert as_we(folder, NAMES[1:2]) == {NAMES[1]: LINES[1]}


def test_a_delta_without_its_base(tmp_path: Path) -> None:
    """t5306: an error while the base is nowhere, the object as soon as a loose base is there."""
    folder = make_skeleton(tmp_path / "r")
    size = len(LINES[0])
    write_pack(folder / "objects/pack", *make_pack([Entry(b"\x31" * 20, REF_DELTA, deltas.encode(size, [(0, 50)]), NAMES[0])]))
    assert as_we(folder, [b"\x31" * 20]) == as_git(folder, [b"\x31" * 20]) == {b"\x31" * 20: None}
    write_loose(folder, 3, LINES[0])
    assert as_we(folder, [b"\x31" * 20]) == {b"\x31" * 20: LINES[0][:50]}


LOOSE = zlib.compress(b"blob %d\0" % len(LINES[0]) + LINES[0])


@pytest.mark.parametrize("data", [
    b"", b"\0", LOOSE[:1], LOOSE[:20], LOOSE[:-1], LOOSE + b"more", b"\0" * len(LOOSE), LOOSE[:30] + b"\xff" + LOOSE[31:],
    zlib.compress(LINES[0]), zlib.compress(b"blob 5\0" + LINES[0]), zlib.compress(b"blob 0%d\0" % len(LINES[0]) + LINES[0]),
    zlib.compress(b"blob %d\0" % (len(LINES[0]) + 1) + LINES[0]), zlib.compress(b"blob -1\0"), zlib.compress(b"blob\0"),
    zlib.compress(b"blob 99999999999999999999\0x"), zlib.compress(b"blobb 1\0x"), zlib.compress(b"x" * 9000, 0),
])  # fmt: skip
def test_a_damaged_loose_object(tmp_path: Path, data: bytes) -> None:
    """t1060: what git refuses is refused, and nothing else is given than git gives."""
    folder = make_skeleton(tmp_path / "r")
    write_loose(folder, 3, LINES[0])
    (path,) = (folder / "objects" / NAMES[0].hex()[:2]).iterdir()
    path.write_bytes(data)
    assert as_we(folder, NAMES[:1]) == {NAMES[0]: None}
    assert as_git(folder, NAMES[:1])[NAMES[0]] in (None, LINES[0])  # git streams a blob before it compares sizes


def test_a_loose_object_under_a_false_name_is_what_it_is(tmp_path: Path) -> None:
    """t1060: reading does not hash; `silt objects verify` does, as ``git fsck``."""
    folder = make_skeleton(tmp_path / "r")
    false = write_loose(folder, 3, LINES[0], b"\x42" * 20)
    assert as_we(folder, [false]) == as_git(folder, [false]) == {false: LINES[0]}


def test_large_files_are_streamed_into_packs(tmp_path: Path, git: Git) -> None:
    """t1050: above core.bigFileThreshold git writes packs at once, whole, one object each."""
    folder = make_skeleton(tmp_path / "r")
    contents = [b"%d" % number * 300_000 for number in range(3)]
    for content in contents:
        git(folder, "-c", "core.bigFileThreshold=200k", "hash-object", "-w", "--stdin", input=content)
    names = [name_of(3, content) for content in contents]
    assert as_we(folder, names) == dict(zip(names, contents, strict=True))
    with ObjectDatabase.open(folder) as database, pytest.raises(NotFoundError):
        database.read(ObjectId(bytes(20)))
