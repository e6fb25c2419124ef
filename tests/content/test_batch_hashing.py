"""Many digests at once: they are those of one at a time, failures stay with their items, and a stop stops."""

import hashlib
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content.batch_hashing import hash_batch
from siltstone.content.hash_files import hash_file, hash_stream
from siltstone.content.hash_threads import AUTOMATIC, ONE_THREAD, HashThreads, usable_threads
from siltstone.content.hashing import ALGORITHMS, digest_of, digests_of, new_hasher
from siltstone.core.errors import Cancelled, ConfigError, CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.core.progress import Progress

ALWAYS = HashThreads(minimum_total=0, minimum_mean=0, minimum_single=0)
NOISE = random.Random(3).randbytes(1 << 20)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("free", [1, 3])
@given(st.lists(st.binary(max_size=40), max_size=200))
def test_a_batch_gives_the_digests_of_its_items(algorithm, free, pieces):
    expected = [digest_of(piece, algorithm=algorithm) for piece in pieces]
    assert digests_of(pieces, algorithm=algorithm) == expected
    batch = hash_batch(pieces, algorithm=algorithm, threads=ALWAYS, free_threads=free)
    assert batch.digests == expected
    assert hash_batch(iter(pieces), algorithm=algorithm, threads=ALWAYS, free_threads=free).digests == expected
    assert (len(batch), batch.errors) == (len(pieces), {})


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 16 << 10, 256 << 10, (256 << 10) + 1, 1 << 20])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_files_streams_and_threads_give_the_same(tmp_path, size, algorithm):
    data = NOISE[:size]
    (tmp_path / "file").write_bytes(data)
    expected = digest_of(data, algorithm=algorithm)
    assert digest_of(data, algorithm=algorithm, threads=3) == expected
    for free in (1, 3):
        assert hash_file(tmp_path / "file", algorithm=algorithm) == expected
        assert hash_batch([data], algorithm=algorithm, threads=ALWAYS, free_threads=free).digests == [expected]
    with open(tmp_path / "file", "rb") as file:
        assert hash_stream(file, algorithm=algorithm) == expected
    assert hash_batch([tmp_path / "file", str(tmp_path / "file"), data], algorithm=algorithm).digests == [expected] * 3


@pytest.mark.parametrize("free", [1, 2])
def test_failures_stay_with_their_items(tmp_path, free):
    (tmp_path / "file").write_bytes(b"abc")
    items = [b"abc", tmp_path / "absent", 7, memoryview(b"a1b2c3")[::2], tmp_path, tmp_path / "file", array("H", [1]), "a\0b"]
    batch = hash_batch(items * 40, threads=ALWAYS, free_threads=free)
    assert len(batch) == 8 * 40
    assert [index % 8 for index in batch.errors] == [1, 2, 3, 4, 7] * 40
    assert batch.get(0) == batch.get(5) == batch.get(8 * 39 + 5) == digest_of(b"abc")
    assert batch.get(6) == digest_of(array("H", [1]).tobytes())
    for index, error in ((1, FileNotFoundError), (2, TypeError), (3, TypeError), (4, IsADirectoryError), (7, ValueError)):
        with pytest.raises(error):
            batch.get(index)


def test_a_wrong_setting_is_no_failure_of_an_item():
    with pytest.raises(ConfigError):
        hash_batch([b"x"], algorithm="md5")
    for wrong in ({"maximum": -1}, {"minimum_total": 1.5}, {"maximum": 1000}):
        with pytest.raises(ConfigError):
            HashThreads(**wrong)
    with pytest.raises(ConfigError):
        new_hasher(threads=0)
    with pytest.raises(ConfigError):
        hash_stream(Waiting())


class Waiting:
    def readinto(self, room):
        return None


def test_a_given_executor_is_used_and_left_open():
    with ThreadPoolExecutor(2, thread_name_prefix="given") as executor:
        batch = hash_batch([NOISE[n:n + 4096] for n in range(500)], threads=ALWAYS, free_threads=2, executor=executor)
        assert batch.digests == [digest_of(NOISE[n:n + 4096]) for n in range(500)]
        assert executor.submit(int).result() == 0


def test_progress_counts_items_and_a_stop_ends_the_batch(tmp_path):
    states = []
    progress = Progress(states.append, weights={"hash": 1.0})
    hash_batch([b"x"] * 5000, progress=progress)
    assert states[0].stage == "hash"
    assert states[0].total == 5000
    assert progress._done == 5000
    (tmp_path / "file").write_bytes(NOISE)

    def items():
        for n in range(10_000):
            if n == 700:
                progress.cancel()
            yield tmp_path / "file"

    for free in (1, 2):
        with pytest.raises(Cancelled):
            hash_batch(items(), threads=ALWAYS, free_threads=free, progress=progress)


def test_bytes_of_one_file_are_counted(tmp_path):
    (tmp_path / "file").write_bytes(NOISE)
    progress = Progress()
    hash_file(tmp_path / "file", progress=progress)
    assert progress._done == len(NOISE)
    progress.cancel()
    with pytest.raises(Cancelled):
        hash_file(tmp_path / "file", progress=progress)


def test_a_file_that_shrinks_is_a_typed_error_and_one_that_grows_is_read_as_it_was(tmp_path):
    path = tmp_path / "file"

    def changed(size):
        path.write_bytes(NOISE)
        progress = Progress()

        def advance(count):
            os.truncate(path, size)

        progress.advance = advance
        return hash_file(path, progress=progress)

    with pytest.raises(CorruptDataError, match="shrank") as caught:
        changed(300_000)
    assert caught.value.offset == 300_000
    assert changed(len(NOISE) + 5) == digest_of(NOISE)


def test_what_tells_no_size_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(NOISE,))
    writer.start()
    assert hash_file(tmp_path / "pipe") == digest_of(NOISE)
    writer.join()
    assert hash_file("/dev/null") == digest_of(b"")


def test_threads_are_taken_when_the_work_and_the_machine_allow():
    threads = HashThreads(minimum_total=1000, minimum_mean=10, minimum_single=500)
    assert threads.for_batch(999, 10, free=8) == 1
    assert threads.for_batch(1000, 101, free=8) == 1
    assert threads.for_batch(1000, 100, free=8) == 8
    assert threads.for_batch(1000, 3, free=8) == 3
    assert threads.for_batch(10_000, 1, free=8) == 1
    assert threads.for_batch(1000, 100, free=0) == 1
    assert (threads.for_one(499, free=8), threads.for_one(500, free=8), threads.for_one(500, free=1)) == (1, 8, 1)
    assert HashThreads(maximum=2).for_one(1 << 30, free=8) == 2
    assert ONE_THREAD.for_batch(1 << 40, 1000) == 1
    assert AUTOMATIC["blake3"].for_one(1 << 30) == usable_threads() >= 1
    assert AUTOMATIC["sha256"].for_batch(8 << 20, 2048, free=4) == 4  # pieces of 4 KiB
    assert AUTOMATIC["blake3"].for_batch(64 << 20, 4096, free=4) == 1  # pieces of 16 KiB: slower with two, as measured


def test_hashing_after_a_fork_does_not_wait_for_threads_that_are_gone():
    code = ("import os; from siltstone.content import digest_of; data = bytes(1 << 22); one = digest_of(data)\n"
            "assert digest_of(data, threads=2) == one\n"
            "child = os.fork()\n"
            "if child == 0: os._exit(0 if digest_of(data, threads=2) == one else 1)\n"
            "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))")
    subprocess.run([sys.executable, "-P", "-W", "ignore::DeprecationWarning", "-c", code], check=True, timeout=60)


def test_windows_of_a_file_are_not_mapped(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(NOISE)
    sizes = []
    read = WindowedFile.read_into
    monkeypatch.setattr(WindowedFile, "read_into", lambda *words: sizes.append(len(words[2])) or read(*words))
    assert hash_file(tmp_path / "file", algorithm="sha256") == hashlib.sha256(NOISE).digest()
    assert sizes == [256 << 10] * 4


@pytest.mark.parametrize("free", [1, 2])
def test_items_are_not_kept(free):
    sizes = [1, *[1 << 16] * 1024, *[4 << 20] * 16]  # 128 MiB
    tracemalloc.start()
    batch = hash_batch((bytes(size) for size in sizes), threads=ALWAYS, free_threads=free)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    expected = {size: digest_of(bytes(size)) for size in set(sizes)}
    assert batch.digests == [expected[size] for size in sizes]
    assert peak < 40 << 20  # two groups of 4 MiB, or of an item more, for each thread


def test_a_short_iterator_starts_no_threads(monkeypatch):
    asked = []
    monkeypatch.setattr("siltstone.content.batch_hashing.map_in_order",
                        lambda work, groups, threads, executor: (asked.append(threads), (work(one) for one in groups))[1])
    threads = HashThreads(minimum_total=8 << 20, minimum_mean=8 << 10)
    hash_batch(iter([bytes(1 << 16)] * 60), threads=threads, free_threads=4)
    hash_batch((bytes(1 << 16) for _ in range(65)), threads=threads, free_threads=4)
    hash_batch([bytes(1 << 16)] * 65, threads=threads, free_threads=4)
    hash_batch([bytes(1 << 16)] * 200, threads=threads, free_threads=4)
    assert asked == [1, 4, 1, 4]
