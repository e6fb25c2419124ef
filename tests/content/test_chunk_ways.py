"""Every way to chunk gives the cuts of `cut_offsets` over the whole, however the input is split."""

from __future__ import annotations

import asyncio
import io
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone.content import kernels
from siltstone.content.buffers import ALIGNMENT, BufferStrategy
from siltstone.content.chunk_async import iter_chunks_async, iter_file_chunks_async
from siltstone.content.chunk_slices import ChunkPoller, PollState, iter_in_slices
from siltstone.content.chunk_streams import iter_file_chunks, read_chunks
from siltstone.content.chunk_threads import file_cut_offsets
from siltstone.content.chunking import Chunker, cut_offsets, iter_chunks
from siltstone.content.profiles import ALGORITHMS, PROFILES, Profile
from tests.content.chunk_inputs import KINDS, ODD, SMALL, Dribble, ReadOnly, content


def pushed(data, sizes, profile):
    chunker = Chunker(profile=profile)
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        yield from map(bytes, chunker.feed(data[start:start + size]))
        start, turn = start + size, turn + 1
    yield from map(bytes, chunker.finish())


def polled(data, sizes, profile):
    poller = ChunkPoller(Dribble(data, sizes), profile=profile)
    while (poll := poller.poll_next_chunk()).state is not PollState.DONE:
        if poll.state is PollState.READY:
            yield bytes(poll.chunk)


def awaited(data, sizes, profile):
    async def pieces():
        start = turn = 0
        while start < len(data):
            yield data[start:start + sizes[turn % len(sizes)]]
            start, turn = start + sizes[turn % len(sizes)], turn + 1

    async def collect():
        return [bytes(chunk) async for chunk in iter_chunks_async(pieces(), profile=profile, block_bytes=max(sizes))]

    return asyncio.run(collect())


def streamed(buffer):
    return lambda data, sizes, profile: map(bytes, read_chunks(Dribble(data, sizes), profile=profile, buffer=buffer()))


WAYS = {
    "views": lambda data, sizes, profile: iter_chunks(data, profile=profile),
    "pushed": pushed,
    "polled": polled,
    "sliced": lambda data, sizes, profile: [
        bytes(chunk) for chunk in iter_in_slices(iter_chunks(data, profile=profile), max_chunks=sizes[0]) if chunk is not None
    ],
    "fixed buffer": streamed(lambda: BufferStrategy.fixed(ALIGNMENT)),
    "adaptive buffer": streamed(BufferStrategy.adaptive),
    "own buffer": streamed(lambda: BufferStrategy.preallocated(bytearray(2 * ALIGNMENT))),
    "owned": lambda data, sizes, profile: read_chunks(Dribble(data, sizes), profile=profile, owned=True),
    "only read": lambda data, sizes, profile: read_chunks(ReadOnly(data, sizes), profile=profile, owned=True),
    "in memory": lambda data, sizes, profile: read_chunks(io.BytesIO(data), profile=profile, owned=True),
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 50), size=st.integers(0, 30_000),
       sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=4), profile=st.sampled_from([SMALL, ODD]))
@example(kind="random", seed=0, size=3_000, sizes=[1], profile=ODD)
@example(kind="zeros", seed=0, size=5_125, sizes=[1_025], profile=ODD)
@example(kind="zeros", seed=0, size=20_000, sizes=[4_096], profile=SMALL)
def test_every_way_cuts_as_the_whole(way, kind, seed, size, sizes, profile):
    data = content(kind, size, seed)
    chunks = [bytes(chunk) for chunk in WAYS[way](data, sizes, profile)]
    assert list(accumulate(map(len, chunks))) == list(cut_offsets(data, profile=profile))
    assert b"".join(chunks) == data


@settings(max_examples=15)
@given(st.sampled_from(KINDS), st.integers(0, 50), st.integers(0, 30_000),
       st.lists(st.integers(1, 9_000), min_size=1, max_size=4))
def test_awaited_chunks_are_those_of_the_whole(kind, seed, size, sizes):
    data = content(kind, size, seed)
    assert awaited(data, sizes, ODD) == [bytes(chunk) for chunk in iter_chunks(data, profile=ODD)]


def every_algorithm():
    """Return a small profile of each algorithm, taken from its smallest named one."""
    smallest = sorted(PROFILES.values(), key=lambda profile: profile.target)
    return [next((one for one in smallest if one.algorithm == name), Profile(algorithm=name)) for name in ALGORITHMS]


@pytest.mark.parametrize("profile", every_algorithm(), ids=lambda profile: profile.algorithm)
def test_every_algorithm_cuts_the_same_in_every_way(profile: Profile, tmp_path: Path) -> None:
    data = content("random", 700_000) + bytes(300_001) + content("text", 500_000)
    whole = [bytes(chunk) for chunk in iter_chunks(data, profile=profile)]
    path = tmp_path / "data"
    path.write_bytes(data)
    for way in ("pushed", "polled", "owned"):
        assert [bytes(chunk) for chunk in WAYS[way](data, [70_001, 3, 4_096], profile)] == whole
    assert [bytes(chunk) for chunk in iter_file_chunks(path, profile=profile)] == whole
    assert [bytes(chunk) for chunk in iter_file_chunks(path, profile=profile, mapped=True)] == whole
    assert list(file_cut_offsets(path, profile=profile, threads=2)) == list(accumulate(map(len, whole)))

    async def collect():
        return [bytes(chunk) async for chunk in iter_file_chunks_async(path, profile=profile)]

    assert asyncio.run(collect()) == whole


@pytest.mark.parametrize("kernel", kernels.available())
def test_every_kernel_cuts_the_same_in_every_way(kernel: str, tmp_path: Path) -> None:
    data = content("random", 2_000_000) + bytes(600_001) + content("text", 900_000) + content("periodic", 600_000)
    path = tmp_path / "data"
    path.write_bytes(data)
    for profile in (SMALL, Profile(minimum=2_048, target=8_192, maximum=32_768), Profile()):
        ends = cut_offsets(data, profile=profile, kernel="scalar")
        assert cut_offsets(data, profile=profile, kernel=kernel) == ends
        assert cut_offsets(data, profile=profile, kernel=kernel, threads=2) == ends
        assert file_cut_offsets(path, profile=profile, kernel=kernel) == ends
        for chunks in (read_chunks(Dribble(data, [100_001, 17, 4_096]), profile=profile, kernel=kernel),
                       iter_file_chunks(path, profile=profile, kernel=kernel, buffer=BufferStrategy.fixed(65_536))):
            assert list(accumulate(map(len, chunks))) == list(ends)
