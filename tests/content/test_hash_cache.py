"""The hash cache: never a wrong digest for a change that shows, exact bounds, and a file that may be damaged."""

import hashlib
import os
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content.batch_hashing import hash_batch
from siltstone.content.file_fingerprint import SETTLED_NS, FileFingerprint
from siltstone.content.hash_cache import ENTRY_BYTES, HashCache
from siltstone.content.hash_cache_file import decode_cache, encode_cache, load_hash_cache, save_hash_cache
from siltstone.content.hash_files import hash_file
from siltstone.content.hashing import digest_of
from siltstone.core.errors import ConfigError, CorruptDataError, UnsupportedError

LONG_AGO = 1_500_000_000_000_000_000


def fingerprint(number=1, **changes):
    return FileFingerprint(device=2, inode=number, size=1000, modified_ns=LONG_AGO, changed_ns=LONG_AGO)._replace(**changes)


def keep(cache, key, digest=b"d" * 32, algorithm="blake3", **part):
    return cache.put(key, algorithm, digest, read_after_ns=LONG_AGO + SETTLED_NS, **part)


def filled(count, capacity=100):
    cache = HashCache(capacity * ENTRY_BYTES)
    for number in range(count):
        keep(cache, fingerprint(number), number.to_bytes(32, "big"))
    return cache


def test_a_digest_is_found_under_its_own_key_only():
    cache = filled(0)
    assert keep(cache, fingerprint(), b"1" * 32)
    assert keep(cache, fingerprint(), b"2" * 32, algorithm="sha256")
    assert keep(cache, fingerprint(), b"3" * 32, offset=10, size=20)
    assert cache.get(fingerprint(), "blake3") == b"1" * 32 == cache.get(fingerprint(), "blake3", offset=0, size=1000)
    assert cache.get(fingerprint(), "sha256") == b"2" * 32
    assert cache.get(fingerprint(), "blake3", offset=10, size=20) == b"3" * 32
    assert cache.get(fingerprint(), "blake3", offset=10) is None
    for field in ("device", "inode", "size", "modified_ns", "changed_ns"):
        assert cache.get(fingerprint(**{field: 7}), "blake3") is None
    stats = cache.stats()
    assert (stats.entries, stats.hits, stats.evictions, stats.unsettled) == (3, 4, 0, 0)
    assert stats.as_dict()["bytes"] == 3 * ENTRY_BYTES


@given(st.integers(1, 12), st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=80))
def test_the_least_recently_used_go_first(capacity, steps):
    cache, model = HashCache(capacity * ENTRY_BYTES), {}
    for is_put, number in steps:
        if is_put:
            keep(cache, fingerprint(number), number.to_bytes(32, "big"))
            model.pop(number, None)
            model[number] = number.to_bytes(32, "big")
            while len(model) > capacity:
                del model[next(iter(model))]
        else:
            assert cache.get(fingerprint(number), "blake3") == model.get(number)
            if number in model:
                model[number] = model.pop(number)
    assert [digest for _, digest in cache.entries()] == list(model.values())
    assert decode_cache(encode_cache(cache)).entries() == cache.entries()


def test_the_limit_in_bytes_is_what_python_really_takes():
    keys = [fingerprint(number, changed_ns=LONG_AGO - number) for number in range(9000)]
    for capacity in (1366, 2048, 2731):
        tracemalloc.start()
        cache = HashCache(capacity * ENTRY_BYTES)
        for key in keys:
            keep(cache, key, key.inode.to_bytes(32, "big"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(cache) == capacity
        assert peak <= capacity * ENTRY_BYTES
        assert cache.stats().evictions == 9000 - capacity


def test_a_file_that_is_not_settled_is_not_believed():
    cache = filled(0)
    for change in ({"modified_ns": LONG_AGO + 1}, {"changed_ns": LONG_AGO + 1}, {"changed_ns": LONG_AGO * 2}):
        assert not keep(cache, fingerprint(**change))
        assert cache.get(fingerprint(**change), "blake3") is None
    assert cache.stats().unsettled == 3


@pytest.fixture
def old_file(tmp_path, monkeypatch):
    """A file that counts as settled: the clock of the reader is ahead."""
    path = tmp_path / "file"
    path.write_bytes(b"first" * 1000)
    ahead = path.stat().st_ctime_ns + 10 * SETTLED_NS
    monkeypatch.setattr("siltstone.content.hash_files.time.time_ns", lambda: ahead)
    return path


def test_a_known_file_is_not_read_again_and_a_changed_one_is(old_file):
    cache = filled(0)
    for _ in range(3):
        assert hash_file(old_file, cache=cache) == digest_of(b"first" * 1000)
    assert (cache.stats().hits, cache.stats().misses) == (2, 1)
    kept = old_file.stat()
    old_file.write_bytes(b"other" * 1000)
    os.utime(old_file, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # the same size and time: only the inode's time tells
    assert hash_file(old_file, cache=cache) == digest_of(b"other" * 1000)
    assert hash_batch([old_file, old_file], cache=cache).digests == [digest_of(b"other" * 1000)] * 2
    assert hash_file(old_file, cache=cache, algorithm="sha256") == digest_of(b"other" * 1000, algorithm="sha256")


def test_a_file_that_changes_while_it_is_read_is_not_kept(old_file):
    cache = filled(0)

    class Progress:
        def advance(self, count):
            os.utime(old_file, ns=(1, 1))

    hash_file(old_file, cache=cache, progress=Progress())
    assert len(cache) == 0


def test_a_file_just_written_is_not_kept_and_an_empty_one_is_no_key(tmp_path):
    cache = filled(0)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "empty").write_bytes(b"")
    assert hash_file(tmp_path / "new", cache=cache) == digest_of(b"new")
    assert hash_file(tmp_path / "empty", cache=cache) == digest_of(b"")
    assert (len(cache), cache.stats().unsettled) == (0, 1)
    assert FileFingerprint.of(os.stat(tmp_path)) is None


def test_threads_share_a_cache():
    cache = HashCache(50 * ENTRY_BYTES)

    def work(seed):
        for step in range(2000):
            number = (step * seed) % 97
            found = cache.get(fingerprint(number), "blake3")
            assert found in (None, number.to_bytes(32, "big"))
            keep(cache, fingerprint(number), number.to_bytes(32, "big"))
            assert len(cache) <= 50

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 5, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = cache.stats()
    assert stats.hits + stats.misses == 8000
    cache.clear()
    assert len(cache) == 0


def test_wrong_settings_are_refused():
    for work in (lambda: HashCache(ENTRY_BYTES - 1), lambda: filled(1).get(fingerprint(), "md5"),
                 lambda: filled(1).get(fingerprint(), "blake3", offset=1001),
                 lambda: filled(1).get(fingerprint(), "blake3", offset=1, size=1000),
                 lambda: keep(filled(0), fingerprint(), b"x")):
        with pytest.raises(ConfigError):
            work()


def test_a_cache_comes_back_from_its_file(tmp_path):
    path = tmp_path / "hashes"
    assert load_hash_cache(path)[1] == ""
    cache = filled(60)
    cache.get(fingerprint(0), "blake3")
    save_hash_cache(cache, path)
    assert path.stat().st_mode & 0o777 == 0o600
    back, note = load_hash_cache(path)
    assert (back.entries(), note) == (cache.entries(), "")
    assert back.entries()[-1][1] == bytes(32)
    small, note = load_hash_cache(path, limit_bytes=60 * ENTRY_BYTES)
    assert (len(small), small.stats().evictions, note) == (60, 0, "")
    none, note = load_hash_cache(path, limit_bytes=59 * ENTRY_BYTES)
    assert len(none) == 0
    assert "larger" in note
    assert "not used" in load_hash_cache(tmp_path)[1]


def test_the_format_is_this():
    cache = HashCache()
    keep(cache, fingerprint(5), bytes(range(32)), algorithm="sha256", offset=2, size=3)
    assert encode_cache(cache).hex() == (
        "73696c74686173680100000059000000" "0100000000000000"
        "0200000000000000" "0500000000000000" "e803000000000000" "0000167b0d12d114" "0000167b0d12d114"
        "0200000000000000" "0300000000000000" "01"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "e4f7d8db8a44a69cccfc48ee242bb74fff8383bb6160a935479b113caee69566")


def test_every_truncation_and_every_flipped_bit_gives_an_empty_cache_and_a_note(tmp_path):
    data = encode_cache(filled(3))
    for size in range(len(data)):
        with pytest.raises(CorruptDataError):
            decode_cache(data[:size])
    for at in range(len(data)):
        for bit in range(8):
            changed = data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1:]
            with pytest.raises(CorruptDataError):
                decode_cache(changed)
    (tmp_path / "hashes").write_bytes(data[:-1])
    cache, note = load_hash_cache(tmp_path / "hashes")
    assert len(cache) == 0
    assert "checksum" in note


def test_a_well_formed_file_of_another_kind_is_refused():
    def signed(body):
        return body + hashlib.sha256(body).digest()

    body = encode_cache(filled(2))[:-32]
    with pytest.raises(UnsupportedError, match="version 2"):
        decode_cache(signed(body[:8] + b"\x02" + body[9:]))
    for wrong in (body[:16] + b"\x03" + body[17:], body[:24 + 56] + b"\x02" + body[24 + 57:]):
        with pytest.raises(CorruptDataError):
            decode_cache(signed(wrong))
