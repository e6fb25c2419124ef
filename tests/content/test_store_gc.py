"""Collecting garbage: what no file needs goes, everything else stays, whoever writes, reads or dies meanwhile."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content.chunk_index import ChunkPlace
from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError, StoreError

SMALL = Profile(minimum=64, target=256, maximum=1024)


@pytest.fixture
def store(tmp_path):
    with ChunkStore.open(tmp_path / "store", create=True, profile=SMALL) as opened:
        yield opened


def content(store, name):
    return b"".join(store.iter_chunks(name))


def noise(seed, size=20_000):
    return random.Random(seed).randbytes(size)


def test_a_pack_that_nobody_needs_is_removed(store):
    store.put("keep", noise(1))
    store.put("drop", noise(2))
    store.delete("drop")
    report = store.gc()
    assert (report.packs_removed, report.packs_rewritten) == (1, 0)
    assert report.bytes_freed >= 20_000
    assert content(store, "keep") == noise(1)
    assert store.stats().packs == 1
    assert store.gc().bytes_freed == 0


def test_a_pack_that_is_mostly_waste_is_written_anew(store):
    with store.writer() as writer:
        writer.put("keep", noise(1, 5_000) + b"text " * 2_000)
        writer.put("drop", noise(2))
    before = store.stats()
    store.delete("drop")
    assert store.gc(waste=0.99).packs_rewritten == 0
    report = store.gc(waste=0.1)
    after = store.stats()
    assert report.packs_rewritten == 1
    assert report.bytes_freed == before.stored_bytes - after.stored_bytes > 15_000
    assert report.chunks_removed == before.chunks - after.chunks
    assert content(store, "keep") == noise(1, 5_000) + b"text " * 2_000
    assert store.verify().problems == ()


def test_a_dry_run_changes_nothing(store):
    store.put("drop", noise(1))
    store.delete("drop")
    before = sorted(path.name for path in (store.root / "packs").iterdir())
    report = store.gc(dry_run=True)
    assert (report.packs_removed, report.dry_run) == (1, True)
    assert sorted(path.name for path in (store.root / "packs").iterdir()) == before


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12), st.sampled_from([0.0, 0.25, 1.0]))
def test_every_file_that_was_not_deleted_survives(tmp_path_factory, steps, waste):
    with ChunkStore.open(tmp_path_factory.mktemp("s") / "store", create=True, profile=SMALL) as store:
        held = {}
        for seed, keep in steps:
            name = str(seed)
            if keep:
                held[name] = noise(seed, 3_000) + noise(seed // 2, 3_000)  # files share content
                store.put(name, held[name], replace=True)
            elif name in held:
                store.delete(name)
                del held[name]
        store.gc(waste=waste)
        assert {file.name: content(store, file.name) for file in store.iter_files()} == held
        assert store.verify().problems == ()
        if waste == 0.0:
            live = {digest for data in held.values() for digest in chunk_digests(data)}
            assert store.stats().chunks == len(live)


def chunk_digests(data):
    from siltstone.content.chunking import iter_chunks
    from siltstone.content.hashing import digest_of

    return [digest_of(chunk) for chunk in iter_chunks(data, profile=SMALL)]


def test_of_two_copies_of_a_chunk_the_whole_one_is_kept(store):
    with ChunkStore.open(store.root) as other, store.writer() as first, other.writer() as second:
        first.put("first", noise(1))
        second.put("second", noise(1))
        second.put("more", noise(2))
    store.refresh()
    assert store.stats().chunk_bytes == 60_000
    copies = next(store.index.iter_copies())
    damaged = min(store.packs, key=lambda path: path.stat().st_size)
    data = bytearray(damaged.read_bytes())
    data[5_000] ^= 1
    damaged.write_bytes(data)
    assert all(isinstance(place, ChunkPlace) for place in copies)
    with ChunkStore.open(store.root) as opened:
        opened.gc(waste=0.0)
        assert content(opened, "first") == content(opened, "second") == noise(1)
        assert opened.stats().chunk_bytes == 40_000


def test_a_damaged_chunk_keeps_its_pack(store):
    with store.writer(codec="none") as writer:
        writer.put("keep", noise(1))
        writer.put("drop", noise(2))
    store.delete("drop")
    [pack] = (store.root / "packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[100] ^= 1
    pack.write_bytes(data)
    with ChunkStore.open(store.root) as opened:
        report = opened.gc(waste=0.0)
        assert len(report.kept) == 1
        assert report.packs_rewritten == 0
    assert pack.exists()


def test_a_damaged_manifest_stops_the_collection(store):
    store.put("one", noise(1))
    store.put("two", noise(2))
    manifest = store.manifests()[0]
    manifest.write_bytes(manifest.read_bytes()[:-1])
    with pytest.raises(CorruptDataError):
        store.gc()
    assert len(list((store.root / "packs").iterdir())) == 2


def test_writers_and_the_collector_exclude_each_other(store):
    store.put("drop", noise(1))
    store.delete("drop")
    with ChunkStore.open(store.root) as other, other.writer() as writer:
        writer.put("again", noise(1))  # counts on the chunks that nobody names now
        with pytest.raises(StoreError, match="writers"):
            store.gc(timeout_seconds=0.05)
    assert content(store, "again") == noise(1)
    store.gc(waste=0.0)
    assert content(store, "again") == noise(1)


def test_a_writer_that_opened_before_the_collection_counts_on_nothing_it_took(store):
    store.put("drop", noise(1))
    with ChunkStore.open(store.root) as other:
        store.delete("drop")
        store.gc()
        other.put("again", noise(1))
    assert content(store, "again") == noise(1)


def test_a_reader_that_opened_before_the_collection_goes_on(store):
    with store.writer() as writer:
        writer.put("keep", noise(1))
        writer.put("drop", noise(2))
    with ChunkStore.open(store.root) as reader:
        chunks = reader.iter_chunks("keep", workers=1)
        first = bytes(next(chunks))
        store.delete("drop")
        store.gc(waste=0.0)
        assert first + b"".join(chunks) == noise(1)
    with ChunkStore.open(store.root) as reader:
        assert content(reader, "keep") == noise(1)


def test_names_are_deleted_all_or_none(store):
    store.put("a", b"1")
    with pytest.raises(NotFoundError):
        store.delete("a", "b")
    assert store.find("a") is not None


@pytest.mark.parametrize("waste", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(store, waste):
    with pytest.raises(ConfigError) as caught:
        store.gc(waste=waste)
    assert caught.value.field == "waste"


def test_the_budget_is_given_back_when_packs_go(store):
    store.put("drop", io.BytesIO(noise(1)))
    store.delete("drop")
    store.gc()
    assert store.budget.reserved("chunk_index") == 0


@pytest.mark.parametrize("seed", range(10, 18))
def test_a_collector_that_was_killed_before_it_removed_the_old_pack_loses_nothing(store, seed):
    with store.writer() as writer:
        writer.put("keep", noise(seed))
        writer.put("drop", noise(seed + 100))
    [old] = store.packs
    data = old.read_bytes()
    store.delete("drop")
    store.gc(waste=0.0)
    old.write_bytes(data)  # as it is after a kill: the new pack has its name, the old one is still there
    with ChunkStore.open(store.root) as opened:
        opened.gc(waste=0.0)  # may write the very same new pack again
        assert content(opened, "keep") == noise(seed)
        assert opened.stats().packs == 1
        assert opened.verify().problems == ()


def test_a_reader_goes_on_where_fewer_packs_are_left(store):
    for seed in range(6):
        store.put(f"drop {seed}", noise(seed))
    with store.writer() as writer:
        writer.put("first", noise(100))
        writer.put("drop with first", noise(101))
    with store.writer() as writer:
        writer.put("keep", noise(100) + noise(102, 1_500_000))
        writer.put("drop with keep", noise(103))
    with ChunkStore.open(store.root) as reader:
        chunks = reader.iter_chunks("keep", workers=1)
        first = bytes(next(chunks))
        store.delete(*(file.name for file in list(store.iter_files()) if file.name != "keep"))
        store.gc(waste=0.0)
        assert first + b"".join(chunks) == noise(100) + noise(102, 1_500_000)


def test_a_pack_with_damaged_tables_is_left_alone_and_named(store):
    store.put("keep", noise(1))
    [pack] = store.packs
    pack.write_bytes(pack.read_bytes()[:-1])
    with ChunkStore.open(store.root) as opened:
        report = opened.gc(waste=0.0)
    assert [str(pack) in problem for problem in report.kept] == [True]
    assert pack.exists()


def test_groups_that_are_all_needed_are_kept_as_they_were_stored(store):
    text = " ".join(random.Random(3).choices(["river", "silt", "sand", "clay"], k=100_000)).encode()
    with store.writer(level=19) as writer:
        writer.put("keep", text)
    alone = store.stats().stored_bytes
    store.delete("keep")
    store.gc()
    with store.writer(level=19) as writer:
        writer.put("keep", text)
        writer.put("drop", noise(1, 200_000))
    store.delete("drop")
    assert store.gc(waste=0.0).packs_rewritten == 1
    assert store.stats().stored_bytes == alone
    assert content(store, "keep") == text
    assert store.verify().problems == ()
