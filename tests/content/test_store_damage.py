"""Damaged stores: every truncation and every flipped bit of every file gives the right content or CorruptDataError."""

import io
import random
import shutil

import pytest

from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.core.errors import CorruptDataError, NotFoundError

SMALL = Profile(minimum=64, target=256, maximum=1024)
DATA = random.Random(8).randbytes(500) + b"silt " * 100


@pytest.fixture
def store_folder(tmp_path):
    with ChunkStore.open(tmp_path / "store", create=True, profile=SMALL) as store:
        store.put("file", io.BytesIO(DATA))
    return tmp_path / "store"


def outcome(folder):
    """The content, or the class of the error; whatever else is raised is a failure of the test."""
    try:
        with ChunkStore.open(folder) as store:
            [file.as_dict() for file in store.iter_files()]
            target = io.BytesIO()
            store.get("file", target)
            return target.getvalue()
    except CorruptDataError:
        return CorruptDataError


def problems_of(folder):
    with ChunkStore.open(folder) as store:
        return store.verify().problems


def damages(data, bits):
    yield from (data[:size] for size in range(len(data)))
    yield from (data + tail for tail in (b"\0", b"\xff", data))
    for bit in bits:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


@pytest.mark.parametrize("kind", ["manifests", "packs"])
def test_no_damage_goes_unseen(store_folder, kind):
    [path] = (store_folder / kind).iterdir()
    data = path.read_bytes()
    # A bit of a zstd frame that decoders ignore may flip and the content still be right.
    right = [] if kind == "manifests" else [DATA]
    for changed in damages(data, range(0, 8 * len(data), 7)):
        path.write_bytes(changed)
        assert outcome(store_folder) in [CorruptDataError, *right]
    path.write_bytes(data)
    assert outcome(store_folder) == DATA


def test_verify_finds_each_kind_of_damage_and_goes_on(store_folder):
    assert problems_of(store_folder) == ()
    for kind in ("manifests", "packs"):
        [path] = (store_folder / kind).iterdir()
        data = path.read_bytes()
        for place in (0, 9, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:place] + bytes((data[place] ^ 0xFF,)) + data[place + 1:])
            assert problems_of(store_folder), (kind, place)
        path.unlink()
        assert problems_of(store_folder) or kind == "manifests"
        path.write_bytes(data)
    assert problems_of(store_folder) == ()


def test_a_manifest_under_another_name_is_corrupt(store_folder):
    [path] = (store_folder / "manifests").iterdir()
    with ChunkStore.open(store_folder) as store:
        store.put("other", io.BytesIO(b"other"))
        other = next(name for name in path.parent.iterdir() if name != path)
        shutil.copy(other, path)
        with pytest.raises(CorruptDataError, match="another name"):
            store.find("file")
        assert any("another name" in problem for problem in store.verify().problems)


def test_a_damaged_pack_harms_only_its_own_files(store_folder):
    with ChunkStore.open(store_folder) as store:
        store.put("other", io.BytesIO(b"other content" * 100))
    small = min((store_folder / "packs").iterdir(), key=lambda path: path.stat().st_size)
    small.write_bytes(small.read_bytes()[:-1])
    assert outcome(store_folder) == DATA
    with ChunkStore.open(store_folder) as store, pytest.raises(CorruptDataError):
        list(store.iter_chunks("other"))


def test_storing_again_heals_a_damaged_index(store_folder):
    [path] = (store_folder / "packs").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with ChunkStore.open(store_folder) as store:
        store.put("again", io.BytesIO(DATA))
    assert outcome(store_folder) == DATA


def test_a_store_without_its_folders_is_an_error_of_the_file_system(store_folder):
    shutil.rmtree(store_folder / "packs")
    with pytest.raises(FileNotFoundError):
        ChunkStore.open(store_folder)
    shutil.rmtree(store_folder)
    with pytest.raises(NotFoundError):
        ChunkStore.open(store_folder)
