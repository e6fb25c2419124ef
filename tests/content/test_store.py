"""The chunk store: files come back byte for byte, shared content is kept once, and writers do not disturb each other."""

import io
import os
import random
import resource
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content import pack_sink, staging, store_writer
from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.content.store_folder import encode_format, read_format
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, NotFoundError, StoreError
from siltstone.core.metrics import Metrics
from siltstone.core.progress import Progress

SMALL = Profile(minimum=64, target=256, maximum=1024)


@pytest.fixture
def store(tmp_path):
    with ChunkStore.open(tmp_path / "store", create=True, profile=SMALL) as opened:
        yield opened


def content_of(store, name):
    target = io.BytesIO()
    store.get(name, target)
    return target.getvalue()


def put(store, name, data, **options):
    return store.put(name, io.BytesIO(data), **options)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20_000), st.booleans()), min_size=1, max_size=5))
def test_files_come_back_byte_for_byte(tmp_path_factory, files):
    with ChunkStore.open(tmp_path_factory.mktemp("s") / "store", create=True, profile=SMALL) as store:
        contents = {}
        for seed, size, zeros in files:
            name = f"{seed}-{size}-{zeros}"
            contents[name] = bytes(size) if zeros else random.Random(seed).randbytes(size)
            put(store, name, contents[name], replace=True)
        assert {name: content_of(store, name) for name in contents} == contents
        assert {file.name: file.size for file in store.iter_files()} == {name: len(data) for name, data in contents.items()}
        assert store.verify().problems == ()


def test_short_reads_of_the_source_change_nothing(store):
    data = random.Random(5).randbytes(50_000)

    class Slow:
        place = 0

        def read(self, size=-1):
            size = min(size, 777)
            self.place += size
            return data[self.place - size:self.place]

    assert store.put("slow", Slow()).root == put(store, "fast", data).root
    assert content_of(store, "slow") == data


def test_shared_content_is_kept_once(store):
    data = random.Random(1).randbytes(400_000)
    put(store, "first", data)
    before = store.stats()
    metrics = Metrics()
    with store.writer(metrics=metrics) as writer:
        writer.put("same", io.BytesIO(data))
        writer.put("inserted", io.BytesIO(data[:200_000] + b"an insertion" + data[200_000:]))
    after = store.stats()
    assert metrics.counter("store.new_chunks") <= 6
    assert after.chunks - before.chunks == metrics.counter("store.new_chunks")
    assert after.bytes > 2 * before.bytes
    assert after.stored_bytes < before.stored_bytes + 6 * SMALL.maximum


def test_workers_never_change_what_is_stored(tmp_path):
    data = random.Random(2).randbytes(100_000) + b"text " * 20_000
    names = []
    for workers in (1, 2, 5):
        with ChunkStore.open(tmp_path / str(workers), create=True, profile=SMALL) as store:
            with store.writer(workers=workers) as writer:
                writer.put("file", io.BytesIO(data))
            names.append({path.name: path.read_bytes() for folder in ("packs", "manifests")
                          for path in (store.root / folder).iterdir()})
    assert names[0] == names[1] == names[2]


def test_a_name_is_given_once(store):
    put(store, "name", b"one")
    with pytest.raises(ConfigError, match="already"):
        put(store, "name", b"two")
    assert content_of(store, "name") == b"one"
    put(store, "name", b"two", replace=True)
    assert content_of(store, "name") == b"two"
    with pytest.raises(ConfigError, match="already"), store.writer(replace=True) as writer:
        writer.put("twice", io.BytesIO(b"1"))
        writer.put("twice", io.BytesIO(b"2"))
    assert store.find("twice") is None


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "x" * 5000, "\x7f"])
def test_a_name_that_is_none_is_refused(store, name):
    with pytest.raises(ConfigError) as caught:
        put(store, name, b"")
    assert caught.value.field == "name"


@pytest.mark.parametrize("name", ["../escape", "/absolute", ".", "ünïcode", "a b", "\udcff"])
def test_any_other_name_is_only_a_name(store, name):
    put(store, name, b"content")
    assert content_of(store, name) == b"content"
    assert [file.name for file in store.iter_files()] == [name]


def test_a_missing_name_is_not_found(store):
    assert store.find("nothing") is None
    with pytest.raises(NotFoundError) as caught:
        content_of(store, "nothing")
    assert caught.value.name == "nothing"


def test_an_error_of_the_source_stores_nothing(store):
    class Broken:
        def read(self, size=-1):
            raise OSError(5, "broken disk")

    with pytest.raises(OSError, match="broken disk"), store.writer() as writer:
        writer.put("good", io.BytesIO(b"good"))
        writer.put("bad", Broken())
    assert list(store.iter_files()) == []
    assert list((store.root / "staging").iterdir()) == []
    assert list((store.root / "packs").iterdir()) == []


def test_two_writers_at_once_both_succeed(store):
    data = random.Random(3).randbytes(50_000)
    with ChunkStore.open(store.root) as other:
        with store.writer() as first, other.writer() as second:
            first.put("first", io.BytesIO(data))
            second.put("second", io.BytesIO(data + b"more"))
        assert content_of(store, "second") == data + b"more"
        assert content_of(other, "first") == data
    assert store.verify().problems == ()


def test_of_two_writers_of_one_name_the_first_wins(store):
    with ChunkStore.open(store.root) as other, pytest.raises(ConfigError, match="already"), store.writer() as late:
        late.put("name", io.BytesIO(b"late"))
        put(other, "name", b"early")
    assert content_of(store, "name") == b"early"
    assert list((store.root / "staging").iterdir()) == []


def test_a_reader_sees_what_was_published_after_it_opened(store):
    with ChunkStore.open(store.root) as reader:
        put(store, "new", b"new content")
        assert content_of(reader, "new") == b"new content"


def test_a_full_pack_is_closed_and_the_next_one_begun(store, monkeypatch):
    monkeypatch.setattr(pack_sink, "PACK_BYTES", 10_000)
    monkeypatch.setattr(store_writer, "BLOCK_BYTES", 4096)
    data = random.Random(4).randbytes(100_000)
    put(store, "large", data)
    put(store, "again", data)
    assert store.stats().packs > 5
    assert store.stats().chunk_bytes == len(data)
    assert content_of(store, "again") == data


def test_opening_says_what_is_wrong(tmp_path):
    with pytest.raises(NotFoundError):
        ChunkStore.open(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotFoundError):
        ChunkStore.open(tmp_path / "file")
    with pytest.raises(StoreError, match="no chunk store"):
        ChunkStore.open(tmp_path, create=True)
    ChunkStore.open(tmp_path / "store", create=True, profile=SMALL).close()
    with pytest.raises(ConfigError) as caught:
        ChunkStore.open(tmp_path / "store", create=True, profile=Profile())
    assert caught.value.field == "profile"


def test_a_newer_format_is_a_store_error(tmp_path):
    ChunkStore.open(tmp_path / "store", create=True).close()
    (tmp_path / "store" / "format").write_bytes(encode_format(SMALL, version=3))
    with pytest.raises(StoreError, match="format 3"):
        ChunkStore.open(tmp_path / "store")


def test_a_damaged_format_file_is_corrupt(tmp_path):
    (tmp_path / "format").write_bytes(encode_format(SMALL))
    assert read_format(tmp_path, None) == SMALL
    path = tmp_path / "format"
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(CorruptDataError):
            read_format(tmp_path, None)
    for bit in range(0, 8 * len(data), 7):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(CorruptDataError):
            read_format(tmp_path, None)


def test_the_index_keeps_to_its_budget_and_gives_it_back(store):
    put(store, "file", random.Random(6).randbytes(50_000))
    with pytest.raises(BudgetExceeded):
        ChunkStore.open(store.root, budget=Budget(chunk_index=1000))
    budget = Budget()
    with ChunkStore.open(store.root, budget=budget):
        assert budget.reserved("chunk_index") > 44 * store.stats().chunks
    assert budget.reserved("chunk_index") == 0


def test_progress_counts_bytes_and_can_stop(store):
    progress = Progress(None)
    progress.cancel()
    with pytest.raises(Exception, match="interrupted"), store.writer(progress=progress) as writer:
        writer.put("stopped", io.BytesIO(bytes(10_000)))
    assert store.find("stopped") is None
    assert list((store.root / "staging").iterdir()) == []


def test_wrong_settings_of_a_writer_are_refused(store):
    for settings_, field in (({"workers": 0}, "workers"), ({"level": 99}, "level"), ({"codec": "rar"}, "codec")):
        with pytest.raises(ConfigError) as caught:
            store.writer(**settings_)
        assert caught.value.field == field


def test_a_long_pack_is_synced_on_the_way(store, monkeypatch):
    monkeypatch.setattr(staging, "_SYNC_BYTES", 10_000)
    before, synced = threading.active_count(), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor)))
    monkeypatch.setattr(store_writer, "BLOCK_BYTES", 4096)
    put(store, "long", random.Random(7).randbytes(100_000))
    assert len(synced) >= 6
    assert threading.active_count() == before
    assert store.verify().problems == ()


def test_a_disk_that_fails_to_sync_on_the_way_fails_the_put(store, monkeypatch):
    monkeypatch.setattr(staging, "_SYNC_BYTES", 10_000)
    monkeypatch.setattr(store_writer, "BLOCK_BYTES", 4096)

    def fail(_descriptor):
        raise OSError(5, "broken disk")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken disk"):
        put(store, "long", random.Random(7).randbytes(100_000))
    assert store.find("long") is None
    assert list((store.root / "staging").iterdir()) == []


def test_an_error_that_is_swallowed_gives_no_name_to_half_a_file(store, tmp_path):
    with pytest.raises(ConfigError, match="absent"), store.writer() as writer:
        writer.put("whole", b"whole")
        with pytest.raises(FileNotFoundError):
            writer.put("absent", tmp_path / "no-such-file")
    assert list(store.iter_files()) == []
    assert store.gc().packs_removed == 0


def test_a_name_that_is_refused_does_not_end_the_writer(store):
    with store.writer() as writer:
        with pytest.raises(ConfigError):
            writer.put("", b"no name")
        writer.put("name", b"content")
    assert content_of(store, "name") == b"content"


def test_more_files_than_a_process_may_open_are_put_as_one(store):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, len(os.listdir("/dev/fd")) + 40), hard))
    try:
        with store.writer(workers=1) as writer:
            for number in range(100):
                writer.put(str(number), b"%d" % number)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert content_of(store, "99") == b"99"
    assert store.stats().files == 100


def test_a_budget_that_does_not_suffice_is_given_back(store):
    for number in range(3):
        put(store, str(number), random.Random(number).randbytes(20_000))
    with ChunkStore.open(store.root) as opened:
        needed = opened.budget.reserved("chunk_index")
    budget = Budget(chunk_index=needed - 1)
    with pytest.raises(BudgetExceeded):
        ChunkStore.open(store.root, budget=budget)
    assert budget.reserved("chunk_index") == 0


def test_a_pack_is_closed_where_its_table_grows_too_long(store, monkeypatch):
    monkeypatch.setattr(pack_sink, "PACK_CHUNKS", 50)
    data = random.Random(9).randbytes(300_000)
    monkeypatch.setattr(store_writer, "BLOCK_BYTES", 4096)
    put(store, "file", data)
    assert len(store.packs) > 3
    assert content_of(store, "file") == data


def test_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(store):
    data = random.Random(9).randbytes(50_000)
    put(store, "file", data)

    class Deleting(io.BytesIO):
        def write(self, piece):
            if not self.tell():
                store.delete("file")
            return super().write(piece)

    target = Deleting()
    assert store.get("file", target).size == len(data)
    assert target.getvalue() == data
