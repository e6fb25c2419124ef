"""Files, sockets and odd objects as sources: short reads, files that change, views that end, memory that is bounded."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import socket
import threading
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from pickle import PickleBuffer

import numpy
import pytest

from siltstone.content.batch_chunking import chunk_batch
from siltstone.content.buffers import BufferStrategy
from siltstone.content.chunk_async import iter_file_chunks_async
from siltstone.content.chunk_streams import ChunkReader, iter_file_chunks, open_reader, read_chunks
from siltstone.content.chunk_threads import file_cut_offsets
from siltstone.content.chunking import Chunker, cut_offsets, iter_chunks, warmup
from siltstone.content.profiles import Profile
from siltstone.content.sources import source_of
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.content.chunk_inputs import SMALL, Dribble, content

DATA = content("random", 200_000)
CHUNKS = [bytes(chunk) for chunk in iter_chunks(DATA, profile=SMALL)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.write_bytes(DATA)
    return made


@pytest.mark.parametrize("mode", [{"buffering": 0}, {"buffering": 8_192}, {"buffering": -1}])
def test_raw_and_buffered_files_are_read_from_where_they_stand(path: Path, mode: dict[str, int]) -> None:
    with open(path, "rb", **mode) as file:
        assert file.read(len(CHUNKS[0])) == CHUNKS[0]
        assert list(read_chunks(file, profile=SMALL, owned=True)) == CHUNKS[1:]
        assert not file.closed


def test_sockets_and_pipes_are_read_until_the_other_side_ends() -> None:
    here, there = socket.socketpair()
    reader, writer = os.pipe()

    def send() -> None:
        for start in range(0, len(DATA), 999):
            there.sendall(DATA[start:start + 999])
            os.write(writer, DATA[start:start + 999])
        there.close()
        os.close(writer)

    sender = threading.Thread(target=send)
    sender.start()
    with here, open(reader, "rb", buffering=0) as pipe:
        chunks = read_chunks(here, profile=SMALL, owned=True)
        piped = read_chunks(pipe, profile=SMALL, owned=True)
        assert [pair[0] for pair in zip(chunks, piped, strict=True) if pair[0] == pair[1]] == CHUNKS
    sender.join()


def test_a_named_pipe_is_a_file_without_a_size(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(DATA))
    writer.start()
    assert list(iter_file_chunks(pipe, profile=SMALL, owned=True)) == CHUNKS
    writer.join()
    with pytest.raises(ConfigError, match="mapped"):
        list(iter_file_chunks("/dev/null", mapped=True))
    assert list(iter_file_chunks("/dev/null")) == []


@pytest.mark.parametrize("mapped", [False, True])
def test_an_empty_file_has_no_chunks(tmp_path: Path, mapped: bool) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert list(iter_file_chunks(tmp_path / "empty", mapped=mapped)) == []
    with pytest.raises(FileNotFoundError):
        list(iter_file_chunks(tmp_path / "absent", mapped=mapped))


def test_a_file_that_shrinks_is_an_error_with_its_offset(path: Path) -> None:
    chunks = iter_file_chunks(path, profile=SMALL, buffer=BufferStrategy.fixed(65_536), owned=True)
    first = next(chunks)
    os.truncate(path, 100_000)
    with pytest.raises(CorruptDataError, match="shrank") as caught:
        list(chunks)
    assert (caught.value.source, caught.value.offset) == (str(path), 100_000)
    assert first == CHUNKS[0]


def test_a_file_that_grows_is_read_up_to_the_size_it_had(path: Path) -> None:
    chunks = iter_file_chunks(path, profile=SMALL, owned=True)
    got = [next(chunks)]
    with open(path, "ab") as file:
        file.write(DATA)
    assert got + list(chunks) == CHUNKS


def test_a_mapped_file_is_cut_window_by_window(tmp_path: Path) -> None:
    profile = Profile(minimum=256 << 10, target=1 << 20, maximum=8 << 20)  # windows of 32 MiB
    data = content("random", 40 << 20) + bytes(30 << 20)
    path = tmp_path / "large"
    path.write_bytes(data)
    ends, total = [], 0
    for chunk in iter_file_chunks(path, profile=profile, mapped=True):
        assert chunk == data[total:total + len(chunk)]
        total += len(chunk)
        ends.append(total)
    assert ends == list(cut_offsets(data, profile=profile))


@pytest.mark.parametrize("mapped", [False, True])
def test_a_view_ends_with_the_next_step_and_an_array_made_of_it_does_not(path: Path, mapped: bool) -> None:
    chunks = iter_file_chunks(path, profile=SMALL, buffer=BufferStrategy.fixed(4_096), mapped=mapped)
    first = next(chunks)
    kept = numpy.frombuffer(first, dtype=numpy.uint8)
    second = next(chunks)
    third = next(chunks)
    with pytest.raises(ValueError, match="released"):
        second.tobytes()
    part = third[5:15]
    for _ in chunks:
        pass
    assert kept.tobytes() == CHUNKS[0]
    assert bytes(part) == CHUNKS[2][5:15]


def test_owned_chunks_are_bytes_that_live_on(path: Path) -> None:
    chunks = list(iter_file_chunks(path, profile=SMALL, owned=True, buffer=BufferStrategy.fixed(4_096)))
    assert chunks == CHUNKS
    assert {type(chunk) for chunk in chunks} == {bytes}
    assert list(iter_chunks(DATA, profile=SMALL, owned=True)) == CHUNKS
    pushed = Chunker(profile=SMALL, owned=True)
    assert {type(chunk) for chunk in [*pushed.feed(DATA), *pushed.finish()]} == {bytes}


def test_tiny_reads_cost_no_call_below_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    from siltstone.content import kernels

    calls = []

    class Counting:
        def __init__(self, profile: Profile, kernel: str) -> None:
            self.scanner = real(profile, kernel=kernel)

        def feed(self, data: memoryview) -> object:
            calls.append(len(data))
            return self.scanner.feed(data)

        def finish(self) -> object:
            return self.scanner.finish()

    real = kernels.scanner
    monkeypatch.setattr(kernels, "scanner", lambda profile, kernel="auto": Counting(profile, kernel))
    profile = Profile(minimum=4_096, target=16_384, maximum=65_536)
    assert b"".join(read_chunks(Dribble(DATA[:4_000], [10]), profile=profile, owned=True)) == DATA[:4_000]
    assert calls == [4_000]


def test_blocks_tell_their_place_and_last_until_the_next(path: Path) -> None:
    with open_reader(path, profile=SMALL, buffer=BufferStrategy.fixed(8_192)) as reader:
        ends: list[int] = []
        while block := reader.read_block():
            assert block.offset == (ends[-1] if ends else 0)
            assert block.data == DATA[block.offset:block.ends[-1]]
            assert [bytes(chunk) for chunk in block] == list(block.owned())
            assert len(block) == len(block.ends)
            ends += block.ends
            last = block
        assert ends == list(cut_offsets(DATA, profile=SMALL))
        with pytest.raises(ValueError, match="released"):
            last.data.tobytes()
        assert reader.read_block() is None


class Lying:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def readinto(self, room: memoryview) -> object:
        return self.answer


class Talkative:
    def read(self, size: int) -> bytes:
        return bytes(size + 1)


@pytest.mark.parametrize(("file", "problem"), [
    (Lying(1 << 40), "says it gave"), (Lying(-1), "says it gave"), (Talkative(), "gave"), (Lying(None), "would block"),
    (object(), "expected a file"),
])
def test_sources_that_break_their_word_are_refused(file: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        list(read_chunks(file))


def test_an_error_of_the_source_passes_and_ends_the_reader() -> None:
    class Failing(Dribble):
        def readinto(self, room: memoryview) -> int:
            if self.reads == 3:
                raise OSError(5, "Input/output error")
            return super().readinto(room)

    reader = ChunkReader(source_of(Failing(DATA, [5_000])), profile=SMALL)
    with pytest.raises(OSError, match="Input/output"):
        while reader.read_block():
            pass
    assert reader.read_block() is None


def test_the_buffer_stays_small_whatever_the_size_of_the_stream() -> None:
    profile = Profile(minimum=2_048, target=8_192, maximum=32_768)
    block = content("random", 1 << 20)

    class Endless:
        left = 48

        def readinto(self, room: memoryview) -> int:
            self.left -= 1
            size = min(len(room), len(block)) if self.left >= 0 else 0
            room[:size] = block[:size]
            return size

    def peak_of() -> int:
        gc.collect()
        tracemalloc.start()
        try:
            for _ in read_chunks(Endless(), profile=profile, buffer=BufferStrategy.adaptive(limit_bytes=262_144)):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_of() < 700_000


def test_a_small_stream_takes_a_small_buffer() -> None:
    reader = ChunkReader(source_of(io.BytesIO(b"x" * 1_000)), profile=Profile(maximum=1 << 20))
    while reader.read_block():
        pass
    assert reader.capacity <= 65_536


def test_a_file_that_is_left_early_is_closed_with_its_generator(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for mapped in (False, True):
        chunks = iter_file_chunks(path, profile=SMALL, mapped=mapped)
        next(chunks)
        chunks.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_is_not_left_open_where_the_buffer_does_not_fit(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigError, match="buffer"):
        iter_file_chunks(path, buffer=BufferStrategy.preallocated(bytearray(8_192)))
    assert len(os.listdir("/proc/self/fd")) == before


def test_warming_up_takes_a_profile_and_a_kernel() -> None:
    assert warmup(SMALL, kernel="scalar") is None
    with pytest.raises(ConfigError, match="kernel"):
        warmup(SMALL, kernel="steam")


def test_a_chunker_holds_one_open_chunk_however_small_the_pieces() -> None:
    chunker = Chunker(profile=Profile(minimum=65_536, target=65_536, maximum=1 << 20))
    tracemalloc.start()
    try:
        for _ in range(60_000):
            chunker.feed(b"x")
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("way", [
    lambda path: list(iter_file_chunks(path, profile=SMALL, owned=True)),
    lambda path: sum(len(chunk) for chunk in iter_file_chunks(path, profile=SMALL, mapped=True)),
    lambda path: [len(chunk) for chunk, _ in zip(iter_file_chunks(path, profile=SMALL), range(50), strict=False)],
    lambda path: cut_offsets(DATA, profile=SMALL, threads=2),
    lambda path: file_cut_offsets(path, profile=SMALL, threads=2),
    lambda path: [result.get() for result in chunk_batch([DATA, path, DATA[:100]], profile=SMALL)],
    lambda path: asyncio.run(_count_async(path)),
], ids=["owned", "mapped", "left early", "threads", "file threads", "batch", "async"])
def test_nothing_is_left_behind(path: Path, way: Callable[[Path], object]) -> None:
    for _ in range(3):
        way(path)
    gc.collect()
    files, threads, objects = len(os.listdir("/proc/self/fd")), threading.active_count(), len(gc.get_objects())
    tracemalloc.start()
    try:
        way(path)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            way(path)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == (files, threads)
    assert len(gc.get_objects()) - objects < 100


async def _count_async(path: Path) -> int:
    return sum([len(chunk) async for chunk in iter_file_chunks_async(path, profile=SMALL)])


def _array_of(view: memoryview) -> object:
    return numpy.frombuffer(view, dtype=numpy.uint8)


@pytest.mark.parametrize("keep", [_array_of, PickleBuffer])  # one takes a view of its own, one holds on to ours
def test_what_is_made_from_a_block_outlives_it_and_the_reader(path: Path, keep: Callable[[memoryview], object]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader = open_reader(path, profile=SMALL, buffer=BufferStrategy.fixed(4_096))
    blocks = []
    for _ in range(3):
        block = reader.read_block()
        assert block is not None
        blocks.append((block.offset, keep(block.data)))
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before
    for offset, kept in blocks:
        held = memoryview(kept).cast("B")
        assert held == DATA[offset:offset + len(held)]


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_is_closed_with_a_generator_that_never_ran(path: Path, mapped: bool) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        iter_file_chunks(path, profile=SMALL, mapped=mapped).close()
        gc.collect()
    assert heard == []
    assert len(os.listdir("/proc/self/fd")) == before
