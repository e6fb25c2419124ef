"""``async for``: the work is done in threads, other tasks get their turns, a cancellation leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import pytest

from siltstone.content import chunk_streams
from siltstone.content.buffers import BufferStrategy
from siltstone.content.chunk_async import iter_chunks_async, iter_file_chunks_async
from siltstone.content.chunking import Chunker, iter_chunks
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.content.chunk_inputs import SMALL, content

DATA = content("random", 300_000)
CHUNKS = [bytes(chunk) for chunk in iter_chunks(DATA, profile=SMALL)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.write_bytes(DATA)
    return made


async def collect(chunks: object) -> list[bytes]:
    return [bytes(chunk) async for chunk in chunks]


def test_a_stream_reader_is_read_by_size_and_not_by_lines() -> None:
    async def run() -> list[bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(DATA)
        reader.feed_eof()
        return await collect(iter_chunks_async(reader, profile=SMALL))

    assert asyncio.run(run()) == CHUNKS


@pytest.mark.parametrize("block_bytes", [1, 10_000, 1 << 20])
def test_cutting_runs_in_a_thread_and_views_live_on(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    threads = set()
    real = Chunker.feed

    def watched(self: Chunker, data: bytes) -> object:
        threads.add(threading.current_thread())
        return real(self, data)

    monkeypatch.setattr(Chunker, "feed", watched)

    async def pieces() -> object:
        for start in range(0, len(DATA), 7_000):
            yield DATA[start:start + 7_000]

    async def run() -> list[object]:
        return [chunk async for chunk in iter_chunks_async(pieces(), profile=SMALL, block_bytes=block_bytes)]

    assert [bytes(chunk) for chunk in asyncio.run(run())] == CHUNKS
    assert threading.main_thread() not in threads


def test_a_file_is_read_in_a_thread_of_the_given_executor(path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        chunks = asyncio.run(collect(iter_file_chunks_async(path, profile=SMALL, executor=executor)))
        assert chunks == CHUNKS
        assert executor.submit(int).result() == 0


def test_other_tasks_get_their_turns(path: Path) -> None:
    async def run() -> int:
        turns, done = 0, False

        async def other() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await collect(iter_file_chunks_async(path, profile=SMALL, max_chunks=10))
        done = True
        await task
        return turns

    assert asyncio.run(run()) >= len(CHUNKS) // 10


def test_a_file_that_shrinks_is_a_typed_error(path: Path) -> None:
    async def run() -> None:
        async with aclosing(iter_file_chunks_async(path, profile=SMALL, buffer=BufferStrategy.fixed(4_096))) as chunks:
            await anext(chunks)
            os.truncate(path, 50_000)
            async for _ in chunks:
                pass

    with pytest.raises(CorruptDataError, match="at byte 50000"):
        asyncio.run(run())


def test_cancelling_waits_for_the_read_under_way_and_closes_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    real = chunk_streams.ChunkReader.read_block

    def slow(self: chunk_streams.ChunkReader) -> object:
        reading.set()
        assert go_on.wait(10)
        ended.set()
        return real(self)

    monkeypatch.setattr(chunk_streams.ChunkReader, "read_block", slow)
    before = len(os.listdir("/proc/self/fd"))

    async def run() -> None:
        task = asyncio.create_task(collect(iter_file_chunks_async(path, profile=SMALL)))
        await asyncio.to_thread(reading.wait)
        for _ in range(3):  # impatient callers cancel again
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
    assert len(os.listdir("/proc/self/fd")) == before


def test_leaving_early_closes_the_file(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))

    async def run() -> None:
        async with aclosing(iter_file_chunks_async(path, profile=SMALL)) as chunks:
            async for _ in chunks:
                break

    asyncio.run(run())
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_error_of_the_source_passes_through() -> None:
    async def pieces() -> object:
        yield DATA[:5_000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(collect(iter_chunks_async(pieces(), profile=SMALL)))
    with pytest.raises(ConfigError, match="asynchronous"):
        asyncio.run(collect(iter_chunks_async(DATA, profile=SMALL)))


def test_asyncio_is_loaded_only_by_those_who_use_it() -> None:
    code = ("import sys, siltstone.content as c; c.cut_offsets(b'x', threads=2); c.read_chunks; c.chunk_batch; c.ChunkPoller\n"
            "assert 'asyncio' not in sys.modules; c.iter_chunks_async; assert 'asyncio' in sys.modules")
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("block_bytes", [0, -1, 1.5, None, True])
def test_a_block_without_bytes_is_refused_by_name(block_bytes: object) -> None:
    async def pieces() -> object:
        yield DATA

    with pytest.raises(ConfigError) as caught:
        asyncio.run(collect(iter_chunks_async(pieces(), block_bytes=block_bytes)))
    assert caught.value.field == "block_bytes"
