"""Chunks of buffers and of streams: joined they are the input, and no split of the input changes them."""

import random
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone.content.chunking import Chunker, cut_offsets, iter_chunks
from siltstone.content.profiles import Profile
from siltstone.core.errors import ConfigError

SMALL = Profile(minimum=64, target=256, maximum=1024)
ODD = Profile(minimum=65, target=257, maximum=1025)


def pieces_of(data, sizes):
    start = turn = 0
    while start < len(data):
        yield data[start:start + sizes[turn % len(sizes)]]
        start += sizes[turn % len(sizes)]
        turn += 1


def push(data, sizes, profile):
    chunker, chunks = Chunker(profile=profile), []
    for piece in pieces_of(data, sizes):
        chunks += [bytes(chunk) for chunk in chunker.feed(piece)]
    return chunks + [bytes(chunk) for chunk in chunker.finish()]


@given(st.integers(0, 1000), st.integers(0, 6000), st.lists(st.integers(1, 2500), min_size=1, max_size=5),
       st.sampled_from([SMALL, ODD]))
@example(0, 3000, [1], SMALL)
@example(0, 3000, [1], ODD)
@example(5, 6000, [3, 1], ODD)
def test_pushed_chunks_equal_those_of_the_whole(seed, size, sizes, profile):
    data = random.Random(seed).randbytes(size)
    whole = [bytes(chunk) for chunk in iter_chunks(data, profile=profile)]
    assert push(data, sizes, profile) == whole
    assert b"".join(whole) == data


def test_cut_offsets_is_an_array_that_ends_at_the_size():
    ends = cut_offsets(bytes(5000), profile=SMALL)
    assert isinstance(ends, array)
    assert list(ends) == [1024, 2048, 3072, 4096, 5000]
    assert len(cut_offsets(b"", profile=SMALL)) == 0


def test_any_contiguous_buffer_is_taken():
    data = random.Random(1).randbytes(4096)
    expected = cut_offsets(data, profile=SMALL)
    assert cut_offsets(bytearray(data), profile=SMALL) == cut_offsets(memoryview(data), profile=SMALL) == expected
    words = array("Q", data)
    assert cut_offsets(words, profile=SMALL) == cut_offsets(words, profile=SMALL, threads=2) == expected
    with pytest.raises(TypeError):
        cut_offsets(memoryview(data)[::2], profile=SMALL)
    assert b"".join(iter_chunks(words, profile=SMALL)) == data
    chunker = Chunker(profile=SMALL)
    assert b"".join([*chunker.feed(words), *chunker.finish()]) == data


def test_chunks_inside_a_piece_are_views_of_it():
    data = random.Random(1).randbytes(4096)
    assert all(isinstance(chunk, memoryview) and chunk.obj is data for chunk in Chunker(profile=SMALL).feed(data))


def test_an_insertion_moves_few_chunks():
    data = random.Random(4).randbytes(400_000)
    changed = data[:200_000] + b"inserted" + data[200_000:]
    before = {bytes(chunk) for chunk in iter_chunks(data, profile=SMALL)}
    after = [bytes(chunk) for chunk in iter_chunks(changed, profile=SMALL)]
    assert sum(chunk in before for chunk in after) >= len(after) - 6


def test_a_finished_chunker_takes_no_more():
    chunker = Chunker()
    assert chunker.finish() == []
    with pytest.raises(ConfigError):
        chunker.feed(b"late")
