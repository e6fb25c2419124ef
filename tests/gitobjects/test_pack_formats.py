"""Indexes of packs as git writes them: versions, large offsets, reverse indexes, multi-pack indexes whole and in layers.

Each repository is read with the accelerator as git made it, damaged and stale, and always held to ``git cat-file``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, CorruptDataError, NotFoundError
from siltstone.gitobjects.ids import ALGORITHMS, Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.multi_pack_index import MultiPackIndex, open_multi_pack_indexes
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.pack_index import read_pack_index
from tests.gitobjects.newer_git import require_git, run_newer

pytestmark = pytest.mark.oracle
Git = Callable[..., bytes]
FORMATS = ("sha1", "sha256")


@pytest.fixture(scope="session")
def git() -> Git:
    """Run the newest git there is: an older one stops at a multi-pack index of version 2."""
    return lambda folder, *words, input=b"": run_newer(folder, *words, data=input)  # noqa: A006


def contents(git: Git, folder: Path) -> dict[ObjectId, bytes]:
    """Every object as git gives it, by id."""
    out = git(folder, "cat-file", "--batch-all-objects", "--batch")
    found, at = {}, 0
    while at < len(out):
        stop = out.index(b"\n", at)
        name, _, size = out[at:stop].split()
        found[ObjectId(bytes.fromhex(name.decode()))] = out[stop + 1 : stop + 1 + int(size)]
        at = stop + 2 + int(size)
    return found


def agrees(folder: Path, expected: dict[ObjectId, bytes]) -> list[tuple[str, str]]:
    """Hold reading one by one and walking to git; return the notes. Nothing may be missing because of an accelerator."""
    with ObjectDatabase.open(folder) as database:
        assert {oid: database.read(oid).data for oid in expected} == expected
        nothing = ObjectId(bytes(database.algorithm.size))
        assert nothing not in database
        with pytest.raises(NotFoundError):
            database.read(nothing)
        assert set(database.iter_ids()) == set(expected)
        assert database.ledger.complete
        notes = database.ledger.notes()
    with ObjectDatabase.open(folder) as database:
        walked = {
            block.oid(i): bytes(block.content(i)) for block in database.walk_objects(Kind) for i in range(len(block))
        }
        assert walked == expected
        assert all(oid in database for oid in expected)
    return notes


def commit(git: Git, folder: Path, number: int) -> None:
    (folder / "log").write_text("".join(f"line {i} of the log\n" for i in range(40 * (number + 2))))
    (folder / f"file{number}").write_text(f"{number}\n" * 50)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"change {number}")


def make(git: Git, folder: Path, format_name: str, packs: int, commits: int = 3) -> Path:
    """Return a work tree whose objects lie in *packs* packs; the last commit is loose."""
    folder.mkdir()
    git(folder, "init", "-q", f"--object-format={format_name}")
    for number in range(packs * commits + 1):
        commit(git, folder, number)
        if (number + 1) % commits == 0 and number < packs * commits:
            git(folder, "repack", "-dq")
    return folder


def packs_of(folder: Path) -> list[Path]:
    return sorted((folder / ".git" / "objects" / "pack").glob("*.pack"))


def change(path: Path, offset: int, data: bytes) -> None:
    """Write *data* into a file that git left read-only; a negative *offset* counts from the end."""
    path.chmod(0o644)
    whole = bytearray(path.read_bytes())
    start = offset if offset >= 0 else len(whole) + offset
    whole[start : start + len(data)] = data
    path.write_bytes(whole)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("version", ["1", "2", "2,0x40"])
def test_every_version_of_the_index_with_and_without_large_offsets(
    tmp_path: Path, git: Git, format_name: str, version: str
) -> None:
    folder = make(git, tmp_path / "repository", format_name, 1)
    expected = contents(git, folder)
    pack = packs_of(folder)[0]
    index = pack.with_suffix(".idx")
    for path in pack.parent.glob("*.rev"):
        path.unlink()
    os.replace(pack, tmp_path / "kept.pack")
    index.unlink()
    shutil.copy(tmp_path / "kept.pack", pack)
    git(folder, "index-pack", "--no-rev-index", f"--index-version={version}", str(pack))
    known = read_pack_index(index, ALGORITHMS[format_name].size)
    shown = git(folder, "show-index", f"--object-format={format_name}", input=index.read_bytes())
    rows = sorted((int(words[0]), words[1]) for words in (line.split() for line in shown.splitlines()))
    assert known.offsets.tolist() == [offset for offset, _ in rows]
    assert [known.name(int(place)).hex().encode() for place in known.order] == [name for _, name in rows]
    assert known.ranks[known.order].tolist() == list(range(len(known)))
    assert (index.read_bytes()[:4] == b"\xfftOc") == (version != "1")
    if version == "2,0x40":
        assert len(index.read_bytes()) > 1032 + len(known) * (known.id_size + 8) + 2 * known.id_size
    assert agrees(folder, expected) == []


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_reverse_index_gives_the_order_and_a_wrong_one_is_ignored(tmp_path: Path, git: Git, format_name: str) -> None:
    folder = make(git, tmp_path / "repository", format_name, 1)
    expected = contents(git, folder)
    pack = packs_of(folder)[0]
    size = ALGORITHMS[format_name].size
    reverse = pack.with_suffix(".rev")
    reverse.unlink(missing_ok=True)
    sorted_index = read_pack_index(pack.with_suffix(".idx"), size)
    git(folder, "index-pack", "--rev-index", "-o", str(tmp_path / "other.idx"), str(pack))
    shutil.copy(tmp_path / "other.rev", reverse)
    good = reverse.read_bytes()
    notes: list[str] = []
    index = read_pack_index(pack.with_suffix(".idx"), size, lambda _, why: notes.append(why))
    assert notes == []
    assert np.array_equal(index.order, sorted_index.order)
    assert np.array_equal(index.offsets, sorted_index.offsets)
    assert agrees(folder, expected) == []
    swapped = good[16:20] + good[12:16]
    for offset, data in ((0, b"XXXX"), (7, b"\2"), (11, b"\3"), (12, swapped), (12, b"\xff\xff\xff\xff"), (12, good[16:20]),
                         (len(good) - 2 * size, bytes(4))):
        reverse.chmod(0o644)
        reverse.write_bytes(good)
        change(reverse, offset, data)
        assert [what for what, _ in agrees(folder, expected)] == [str(reverse)], (offset, data)
    for damaged in (good[:-1], good + b"\0", b"", good[:12]):
        reverse.write_bytes(damaged)
        assert len(agrees(folder, expected)) == 1
    reverse.unlink()
    reverse.mkdir()
    assert len(agrees(folder, expected)) == 1


@pytest.fixture(scope="module", params=[(name, version) for name in FORMATS for version in (1, 2)], ids=str)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, git: Git) -> Path:
    """Return a work tree of five packs and a multi-pack index of one of the versions, with a loose commit."""
    format_name, version = request.param
    if version == 2:
        require_git(2, 54)
    folder = make(git, tmp_path_factory.mktemp("model") / "repository", format_name, 5, 1)
    git(folder, "-c", f"midx.version={version}", "multi-pack-index", "write")
    assert multi_of(folder).read_bytes()[4] == version
    return folder


@pytest.fixture
def several(model: Path, tmp_path: Path) -> Path:
    """Return a copy of the model."""
    folder = tmp_path / "repository"
    shutil.copytree(model, folder)
    multi_of(folder).chmod(0o644)
    return folder


def multi_of(folder: Path) -> Path:
    return folder / ".git" / "objects" / "pack" / "multi-pack-index"


def opened(database: ObjectDatabase) -> int:
    """How many packs had their index read."""
    return sum(len(folder.opened) for folder in database.folders)


def test_a_multi_pack_index_says_where_objects_are(several: Path, git: Git) -> None:
    expected = contents(git, several)
    size = len(next(iter(expected)))
    algorithm = next(known for known in ALGORITHMS.values() if known.size == size)
    multi = MultiPackIndex(multi_of(several), algorithm)
    indexes = {path.stem: read_pack_index(path.with_suffix(".idx"), size) for path in packs_of(several)}
    assert sorted(multi.packs) == sorted(indexes)
    packed = {index.name(i) for index in indexes.values() for i in range(len(index))}
    assert len(multi) == len(packed) < len(expected)
    for oid in expected:
        name = multi.find(oid)
        assert (name is not None) == (oid in packed)
        if name is not None:
            assert list(indexes[name].names_between(oid, oid)) == [oid]
    multi.close()
    assert agrees(several, expected) == []


def test_only_the_packs_that_are_asked_are_opened(several: Path, git: Git) -> None:
    expected = contents(git, several)
    loose = ObjectId(bytes.fromhex(git(several, "rev-parse", "HEAD").decode()))
    packed = ObjectId(bytes.fromhex(git(several, "rev-parse", "HEAD~3").decode()))
    with ObjectDatabase.open(several) as database:
        assert opened(database) == 0
        assert database.budget.reserved("pack_index") == 0
        assert database.read(loose).data == expected[loose]
        assert opened(database) == 0
        assert database.read(packed).data == expected[packed]
        assert opened(database) == 1
        assert packed in database
        assert ObjectId(bytes(len(packed))) not in database
        assert opened(database) == 5
        assert len(database.packs()) == 5
    with ObjectDatabase.open(several) as database:
        assert database.count() == len(expected)
        assert opened(database) == 5


def test_a_pack_that_is_newer_than_the_multi_pack_index_is_read(several: Path, git: Git) -> None:
    git(several, "repack", "-dq")
    git(several, "prune-packed", "-q")
    assert len(packs_of(several)) == 6
    expected = contents(git, several)
    with ObjectDatabase.open(several) as database:
        assert opened(database) == 1
    assert agrees(several, expected) == []


def test_a_stale_multi_pack_index_is_told(several: Path, git: Git) -> None:
    kept = multi_of(several).read_bytes()
    git(several, "repack", "-adq")
    commit(git, several, 9)
    git(several, "repack", "-dq")
    multi_of(several).write_bytes(kept)
    expected = contents(git, several)
    assert agrees(several, expected) == [(str(multi_of(several)), "is stale: it covers packs that are not there")]


def test_a_pack_that_vanishes_while_it_waits_is_found_again(several: Path, git: Git) -> None:
    expected = contents(git, several)
    with ObjectDatabase.open(several) as database:
        git(several, "repack", "-adq")
        assert {oid: database.read(oid).data for oid in expected} == expected
        assert database.ledger.complete


def test_damage_of_a_multi_pack_index_never_changes_an_answer(several: Path, git: Git) -> None:
    expected = contents(git, several)
    good = multi_of(several).read_bytes()
    for offset in [*range(12 + 12 * 6), *range(84, len(good), 97), len(good) - 1]:
        change(multi_of(several), offset, bytes([good[offset] ^ 0x41]))
        with ObjectDatabase.open(several) as database:
            oids = list(expected)[offset % 7 :: 7]
            assert all(database.read(oid).data == expected[oid] for oid in oids)
            assert database.ledger.complete
        multi_of(several).write_bytes(good)
    for damaged in (b"", good[:11], good[: len(good) // 2], good[:-1], good + b"\0"):
        multi_of(several).write_bytes(damaged)
        assert len(agrees(several, expected)) == 1


def test_a_multi_pack_index_that_lies_is_found_out(several: Path, git: Git) -> None:
    """Its checksum is right, but every object is said to be in the first pack."""
    expected = contents(git, several)
    size = len(next(iter(expected)))
    algorithm = next(known for known in ALGORITHMS.values() if known.size == size)
    data = bytearray(multi_of(several).read_bytes())
    multi = MultiPackIndex(multi_of(several), algorithm)
    start = multi._places_at
    for row in range(len(multi)):
        data[start + 8 * row : start + 8 * row + 4] = bytes(4)
    multi.close()
    data[-size:] = hashlib.new(algorithm.name, bytes(data[:-size])).digest()
    multi_of(several).write_bytes(data)
    notes = agrees(several, expected)
    assert [why.split(" in ")[0] for _, why in notes] == ["names objects"]


def test_a_damaged_pack_behind_a_multi_pack_index_is_told_and_other_copies_are_used(several: Path, git: Git) -> None:
    expected = contents(git, several)
    victim = packs_of(several)[0]
    change(victim.with_suffix(".idx"), 0, b"XXXX")
    held = read_held(victim, git, several, expected)
    with ObjectDatabase.open(several) as database:
        for oid, data in expected.items():
            if oid in held:
                with pytest.raises(NotFoundError):
                    database.read(oid)
            else:
                assert database.read(oid).data == data
        assert database.ledger.counts() == {Reason.CORRUPT: 1}


def read_held(victim: Path, git: Git, folder: Path, expected: dict[ObjectId, bytes]) -> set[ObjectId]:
    """Return what only the pack *victim* holds, as the other indexes tell."""
    others: set[bytes] = set()
    for path in packs_of(folder):
        if path != victim:
            index = read_pack_index(path.with_suffix(".idx"), len(next(iter(expected))))
            others |= {index.name(i) for i in range(len(index))}
    places = (folder / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*")
    loose = {ObjectId(bytes.fromhex(path.parent.name + path.name)) for path in places}
    return {oid for oid in expected if oid not in others and oid not in loose}


def test_a_budget_without_room_for_one_more_index_is_an_error_each_time(several: Path, git: Git) -> None:
    packed = ObjectId(bytes.fromhex(git(several, "rev-parse", "HEAD~3").decode()))
    with ObjectDatabase.open(several, budget=Budget({"pack_index": 8})) as database:
        for _ in range(2):
            with pytest.raises(BudgetExceeded, match="pack_index"):
                database.read(packed)


@pytest.mark.parametrize("format_name", FORMATS)
def test_layers_of_multi_pack_indexes(tmp_path: Path, git: Git, format_name: str) -> None:
    require_git(2, 47)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", f"--object-format={format_name}")
    for number in range(6):
        commit(git, folder, number)
        git(folder, "repack", "-dq")
        if number in (1, 3, 4):
            git(folder, "multi-pack-index", "write", "--incremental")
    expected = contents(git, folder)
    place = folder / ".git" / "objects" / "pack"
    chain = place / "multi-pack-index.d" / "multi-pack-index-chain"
    chain.chmod(0o644)
    layers = open_multi_pack_indexes(place, ALGORITHMS[format_name], lambda *_: pytest.fail("no note is due"))
    assert [len(layer.packs) for layer in layers] == [2, 2, 1]
    assert all(sum(layer.find(oid) is not None for layer in layers) <= 1 for oid in expected)
    for layer in layers:
        layer.close()
    assert agrees(folder, expected) == []
    with ObjectDatabase.open(folder) as database:
        assert opened(database) == 1
        oid = ObjectId(bytes.fromhex(git(folder, "rev-parse", "HEAD~4").decode()))
        assert database.read(oid).data == expected[oid]
        assert opened(database) == 2
    lines = chain.read_bytes()
    last = chain.parent / f"multi-pack-index-{lines.split()[-1].decode()}.midx"
    kept = last.read_bytes()
    last.unlink()
    assert [what for what, _ in agrees(folder, expected)] == [str(last)]
    for damaged in (kept[:-1], kept[:5] + b"\7" + kept[6:], kept[:-1] + bytes([kept[-1] ^ 1])):
        last.write_bytes(damaged)
        assert len(agrees(folder, expected)) == 1
    last.write_bytes(kept)
    for text in (lines[:-2], b"nonsense\n", lines.upper(), b"\n" + lines):
        chain.write_bytes(text)
        assert len(agrees(folder, expected)) == 1
    chain.write_bytes(b"")
    assert agrees(folder, expected) == []


def test_a_multi_pack_index_that_is_a_pipe_is_not_waited_for(tmp_path: Path, git: Git) -> None:
    folder = make(git, tmp_path / "repository", "sha1", 2, 1)
    expected = contents(git, folder)
    os.mkfifo(multi_of(folder))
    with ObjectDatabase.open(folder) as database:
        assert {oid: database.read(oid).data for oid in expected} == expected
        assert len(database.ledger.notes()) == 1


@pytest.mark.parametrize("data", [b"", b"MIDX", b"MIDX\1\1\0\0" + bytes(40), b"MIDX\3\1\0\0" + bytes(40)])
def test_what_is_no_multi_pack_index_is_corrupt(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "multi-pack-index"
    path.write_bytes(data)
    with pytest.raises(CorruptDataError):
        MultiPackIndex(path, ALGORITHMS["sha1"])
