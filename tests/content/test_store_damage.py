"""Damaged stores: every truncation and every flipped bit of every file gives the right content or CorruptDataError."""

import errno
import io
import os
import random
import shutil

import pytest

from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.core.errors import CorruptDataError, NotFoundError, StoreError
from siltstone.core.progress import Progress

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


def test_storing_again_heals_a_damaged_pack_for_a_store_that_is_open(store_folder):
    [path] = (store_folder / "packs").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with ChunkStore.open(store_folder) as store:
        store.put("again", io.BytesIO(DATA))  # the new pack has the content of the damaged one, and its name
        assert b"".join(store.iter_chunks("again")) == b"".join(store.iter_chunks("file")) == DATA
        assert store.verify().problems == ()


@pytest.mark.parametrize("place", ["tables", "group", "manifest"])
def test_a_sector_that_cannot_be_read_is_damage_like_any_other(store_folder, monkeypatch, place):
    [path] = (store_folder / ("manifests" if place == "manifest" else "packs")).iterdir()
    bad = {"tables": path.stat().st_size - 1, "group": 8, "manifest": 8}[place]
    broken = path.stat().st_ino
    real = os.pread

    def pread(descriptor, size, offset):
        if os.fstat(descriptor).st_ino == broken and offset <= bad < offset + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, size, offset)

    with ChunkStore.open(store_folder) as store:
        store.put("other", io.BytesIO(b"other content" * 100))
    monkeypatch.setattr("os.pread", pread)
    with ChunkStore.open(store_folder) as store:
        assert any(str(path) in problem for problem in store.verify().problems)
        assert b"".join(store.iter_chunks("other")) == b"other content" * 100
        with pytest.raises(CorruptDataError, match="cannot read"):
            b"".join(store.iter_chunks("file"))


def test_verifying_is_not_misled_by_what_is_written_meanwhile(store_folder):
    with ChunkStore.open(store_folder) as store, ChunkStore.open(store_folder) as other:

        class Writes(Progress):
            """Replaces a file and stores another one while packs are read."""

            done = False

            def advance(self, count=1):
                if not self.done:
                    self.done = True
                    other.put("file", io.BytesIO(random.Random(1).randbytes(5_000)), replace=True)
                    other.put("new", io.BytesIO(random.Random(2).randbytes(5_000)))
                super().advance(count)

        other.put("more", io.BytesIO(random.Random(3).randbytes(5_000)))
        assert store.verify(workers=1, progress=Writes()).problems == ()
        other.delete("more", "new")
        assert store.verify().problems == ()


def test_verifying_and_collecting_wait_for_each_other(store_folder):
    with ChunkStore.open(store_folder) as store, ChunkStore.open(store_folder) as other:

        class Collects(Progress):
            refused = 0

            def advance(self, count=1):
                with pytest.raises(StoreError):
                    other.gc(timeout_seconds=0.0)
                self.refused += 1
                super().advance(count)

        progress = Collects()
        assert store.verify(workers=1, progress=progress).problems == ()
        assert progress.refused
