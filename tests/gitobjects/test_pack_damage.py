"""Damaged packs, indexes and loose files: a typed error, a gap in the ledger, or exactly what git gives."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siltstone.core.errors import CorruptDataError, SiltstoneError
from siltstone.gitobjects.ids import SHA1, Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.loose import LooseObjects
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.pack_index import read_pack_index

Git = Callable[..., bytes]


@pytest.fixture
def packed(repository: Path, git: Git) -> Path:
    """A repository of a few small objects in one pack with deltas."""
    for number in range(3):
        (repository / "file").write_text("".join(f"{i}\n" for i in range(30 + number)))
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", f"{number}")
    git(repository, "repack", "-adfq", "--depth=10")
    git(repository, "prune-packed")
    for path in (repository / ".git/objects/pack").iterdir():
        path.chmod(0o644)
    return repository


def pack_of(folder: Path) -> Path:
    (path,) = (folder / ".git/objects/pack").glob("*.pack")
    return path


def everything(folder: Path) -> tuple[dict[bytes, tuple[Kind, bytes]], dict[Reason, int]]:
    with ObjectDatabase.open(folder) as database:
        found = {
            bytes(block.oid(i)): (block.kind(i), bytes(block.content(i)))
            for block in database.walk_objects(Kind) for i in range(len(block))
        }
        for oid in database.iter_ids():
            try:
                value = database.read(oid)
                assert found[oid] == (value.kind, value.data)
            except SiltstoneError:
                assert oid not in found
        return found, database.ledger.counts()


def flips(data: bytes, step: int) -> Iterator[bytes]:
    for at in range(0, len(data), step):
        yield bytes([*data[:at], data[at] ^ 0x41, *data[at + 1 :]])


@pytest.mark.oracle
def test_every_flipped_byte_of_a_pack_gives_what_git_gives(packed: Path, git: Git) -> None:
    path = pack_of(packed)
    original = path.read_bytes()
    whole, _ = everything(packed)
    differing = 0
    for damaged in flips(original, 1):
        path.write_bytes(damaged)
        found, gaps = everything(packed)
        assert len(found) == len(whole) or gaps, "a loss that nobody told of"
        if found != {name: value for name, value in whole.items() if name in found}:
            differing += 1  # another valid object: git must see the same
            for name in found:
                if found[name] != whole[name]:
                    kind = git(packed, "cat-file", "-t", name.hex()).strip()
                    assert found[name] == (Kind[kind.decode().upper()], git(packed, "cat-file", kind.decode(), name.hex()))
    assert differing < len(original) // 10


@pytest.mark.parametrize("step", [1])
def test_every_flipped_byte_of_an_index_is_told_or_harmless(packed: Path, step: int) -> None:
    path = pack_of(packed).with_suffix(".idx")
    original = path.read_bytes()
    whole, _ = everything(packed)
    for at in [*range(8), *range(8, 1032, 41), *range(1032, len(original), step)]:
        path.write_bytes(bytes([*original[:at], original[at] ^ 0x41, *original[at + 1 :]]))
        found, gaps = everything(packed)
        assert set(found.values()) == set(whole.values()) or gaps or len(found) == len(whole)


def test_every_truncation_of_an_index_is_corrupt(packed: Path) -> None:
    path = pack_of(packed).with_suffix(".idx")
    original = path.read_bytes()
    for size in [*range(0, 1100, 13), *range(1100, len(original), 5)]:
        path.write_bytes(original[:size])
        with pytest.raises(CorruptDataError):
            read_pack_index(path, 20)


def test_a_pack_that_is_not_of_its_index_is_left_out(packed: Path) -> None:
    path = pack_of(packed)
    original = path.read_bytes()
    for damaged in (b"", original[:40], original[:-1], b"JUNK" + original[4:], original[:11] + b"\xff" + original[12:]):
        path.write_bytes(damaged)
        found, gaps = everything(packed)
        assert (found, gaps) == ({}, {Reason.CORRUPT: 1})


def test_another_copy_is_used_where_one_is_damaged(packed: Path, git: Git) -> None:
    whole, _ = everything(packed)
    path = pack_of(packed)
    names = b"".join(name.hex().encode() + b"\n" for name in sorted(whole))
    git(packed, "-c", "pack.depth=0", "pack-objects", "-q", "--no-reuse-delta", ".git/objects/pack/pack", input=names)
    data = bytearray(path.read_bytes())
    for at in range(14, len(data) - 20, 9):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    assert everything(packed) == (whole, {})


def test_every_damage_of_a_loose_object_is_an_error(tmp_path: Path) -> None:
    content = b"loose content " * 5
    oid = SHA1.object_id(Kind.BLOB, content)
    loose = LooseObjects(tmp_path, SHA1, limit_bytes=1000)
    path = loose.path_of(oid)
    path.parent.mkdir()
    stream = zlib.compress(b"blob %d\0" % len(content) + content)
    path.write_bytes(stream)
    assert loose.read(oid) == (Kind.BLOB, content)
    assert loose.header(oid) == (Kind.BLOB, len(content))
    assert list(loose.iter_ids()) == [oid]
    for damaged in [*flips(stream, 1), *(stream[:size] for size in range(len(stream))), stream + b"x"]:
        path.write_bytes(damaged)
        with pytest.raises(CorruptDataError):
            found = loose.read(oid)
            assert found == (Kind.BLOB, content)  # a bit of the zlib header that says how hard it was packed
            raise CorruptDataError("harmless")


@pytest.mark.parametrize("header", [b"blob 5", b"blob 05\0", b"blob -5\0", b"blot 5\0", b"blob 5 \0", b"", b"blob 4\0",
                                    b"blob 6\0", b"blob 99999999999999999999\0"])
def test_a_loose_header_is_strict(tmp_path: Path, header: bytes) -> None:
    loose = LooseObjects(tmp_path, SHA1, limit_bytes=1 << 62)
    oid = ObjectId(bytes(20))
    loose.path_of(oid).parent.mkdir()
    loose.path_of(oid).write_bytes(zlib.compress(header + b"hello"))
    with pytest.raises(CorruptDataError):
        loose.read(oid)


def test_an_object_folder_of_nothing_is_empty(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "r")
    shutil.rmtree(tmp_path / "r/.git/objects")
    (tmp_path / "r/.git/objects").mkdir()
    assert everything(tmp_path / "r") == ({}, {})
