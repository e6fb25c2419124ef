"""Several threads find the cuts of one, where the guesses meet and where they never do."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content.chunk_threads import file_cut_offsets, iter_file_cuts
from siltstone.content.chunking import cut_offsets
from siltstone.core.errors import ConfigError, CorruptDataError
from siltstone.core.files import WindowedFile
from tests.content.chunk_inputs import KINDS, ODD, SMALL, content


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@settings(max_examples=40)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 100), size=st.integers(0, 400_000),
       profile=st.sampled_from([SMALL, ODD]))
def test_threads_find_the_cuts_of_one(threads, kind, seed, size, profile):
    data = content(kind, size, seed)
    assert cut_offsets(data, profile=profile, threads=threads) == cut_offsets(data, profile=profile)


@pytest.mark.parametrize("shift", range(0, 1_024, 93))
def test_zeros_that_begin_anywhere_are_cut_the_same(shift):
    data = content("random", shift) + bytes(200_000) + content("random", 90_000) + bytes(100_000)
    assert cut_offsets(data, profile=SMALL, threads=3) == cut_offsets(data, profile=SMALL)


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_cut_as_their_bytes(kind, tmp_path):
    data = content(kind, 300_000)
    path = tmp_path / "data"
    path.write_bytes(data)
    for threads in (1, 2, 4):
        assert file_cut_offsets(path, profile=SMALL, threads=threads) == cut_offsets(data, profile=SMALL)
    path.write_bytes(b"")
    assert list(file_cut_offsets(path, threads=2)) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_tells_no_size_is_cut_to_its_end(tmp_path, threads):
    data, pipe = content("random", 300_000), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert file_cut_offsets(pipe, profile=SMALL, threads=threads) == cut_offsets(data, profile=SMALL)
    writer.join()
    assert list(file_cut_offsets("/dev/null", threads=threads)) == []
    with pytest.raises(ConfigError, match="threads"):
        file_cut_offsets("/dev/null", threads=0)


def test_a_given_executor_is_used_and_left_open():
    names = set()

    class Watched(ThreadPoolExecutor):
        def submit(self, function, /, *words):
            names.add("submitted")
            return super().submit(function, *words)

    data = content("random", 200_000)
    with Watched(2) as executor:
        assert cut_offsets(data, profile=SMALL, threads=2, executor=executor) == cut_offsets(data, profile=SMALL)
        assert executor.submit(lambda: 1).result() == 1
    assert names


@pytest.mark.parametrize("threads", [0, -1, 257, True, 1.5])
def test_a_wrong_number_of_threads_is_named(threads):
    with pytest.raises(ConfigError, match="threads"):
        cut_offsets(b"x", threads=threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_that_shrinks_is_an_error_with_its_offset_and_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    path = tmp_path / "data"
    path.write_bytes(content("random", 6_000_000))
    before, real, reads = threading.active_count(), WindowedFile.read_into, []

    def truncating(self: WindowedFile, offset: int, room: memoryview) -> int:
        reads.append(offset)
        if len(reads) == 3:
            os.truncate(path, 1_200_000)
        return real(self, offset, room)

    monkeypatch.setattr(WindowedFile, "read_into", truncating)
    with pytest.raises(CorruptDataError, match="shrank") as caught:
        file_cut_offsets(path, profile=SMALL, threads=threads)
    assert caught.value.source == str(path)
    assert 1_200_000 <= (caught.value.offset or 0) < 6_000_000
    assert threading.active_count() == before


def test_leaving_early_leaves_no_thread_and_no_open_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(content("random", 400_000))
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    cuts = iter_file_cuts(path, profile=SMALL, threads=4)
    next(cuts)
    cuts.close()
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
