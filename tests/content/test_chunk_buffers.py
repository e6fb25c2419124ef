"""Buffers grow by doubling to a cap, keep reads aligned, and never overwrite what somebody looks at."""

from __future__ import annotations

import mmap

import pytest

from siltstone.content.buffers import ALIGNMENT, BufferStrategy, ChunkBuffer, align_up
from siltstone.core.errors import ConfigError


def read(buffer: ChunkBuffer, count: int | None = None) -> int:
    """Act as a source that gives *count* bytes, or all that is asked for; return what was asked."""
    room = buffer.room()
    asked = len(room)
    room.release()
    buffer.added(asked if count is None else min(count, asked), asked)
    return asked


@pytest.mark.parametrize(("size", "aligned"), [(0, 0), (1, 4_096), (4_096, 4_096), (4_097, 8_192)])
def test_sizes_are_aligned_up(size: int, aligned: int) -> None:
    assert align_up(size) == aligned


def test_an_adaptive_buffer_doubles_what_it_asks_for_up_to_its_limit() -> None:
    buffer = ChunkBuffer(BufferStrategy.adaptive(4_096, 32_768), 1_024)
    asked = []
    for _ in range(6):
        asked.append(read(buffer))
        buffer.take(sum(asked))
    assert asked == [4_096, 8_192, 16_384, 32_768, 32_768, 32_768]
    assert buffer.capacity <= align_up(1_024) + 32_768 + ALIGNMENT


def test_an_adaptive_buffer_asks_for_twice_what_a_slow_source_gives() -> None:
    buffer = ChunkBuffer(BufferStrategy.adaptive(65_536, 1 << 20), 1_024)
    total = 0
    for _ in range(60):
        asked = read(buffer, 1_000)
        total += 1_000
        buffer.take(total)
    assert asked <= ALIGNMENT


def test_memory_grows_only_when_it_must_and_to_twice() -> None:
    buffer = ChunkBuffer(BufferStrategy.adaptive(4_096, 4_096), 100_000)
    capacities = []
    for _ in range(24):
        read(buffer)
        if buffer.capacity not in capacities:
            capacities.append(buffer.capacity)
    assert capacities == [4_096, 8_192, 16_384, 32_768, 65_536, align_up(100_000) + 8_192]


def test_reads_end_at_multiples_of_the_block_size_after_a_short_one() -> None:
    buffer = ChunkBuffer(BufferStrategy.fixed(8_192), 1_024)
    position = 0
    for count in (8_192, 100, None, 5_000, None, None):
        asked = read(buffer, count)
        assert (position + asked) % ALIGNMENT == 0
        position += asked if count is None else min(count, asked)
        buffer.take(position)


def test_what_is_kept_moves_to_the_front_unchanged() -> None:
    buffer = ChunkBuffer(BufferStrategy.fixed(4_096), 4_096)
    room = buffer.room()
    room[:] = bytes(index % 251 for index in range(4_096))
    room.release()
    buffer.added(4_096, 4_096)
    buffer.take(3_000)
    for turn in range(1, 6):
        asked = read(buffer)
        assert bytes(buffer.view(3_000, 4_096)) == bytes(index % 251 for index in range(3_000, 4_096))
        if turn == 2:
            break
    assert asked == 4_096


@pytest.mark.parametrize("strategy", [BufferStrategy.fixed(4_096), BufferStrategy.adaptive(4_096, 4_096)])
def test_memory_that_is_looked_at_is_replaced_and_not_overwritten(strategy: BufferStrategy) -> None:
    buffer = ChunkBuffer(strategy, 1_024)
    room = buffer.room()
    room[:5] = b"first"
    room.release()
    buffer.added(4_096, 4_096)
    kept = buffer.view(0, 5)
    buffer.take(4_096)
    total = 4_096
    for _ in range(10):
        room = buffer.room()
        room[:] = b"x" * len(room)
        total += len(room)
        buffer.added(len(room), len(room))
        room.release()
        buffer.take(total)
    assert bytes(kept) == b"first"


def test_the_callers_memory_is_used_and_nothing_else() -> None:
    with mmap.mmap(-1, 16_384) as memory:
        strategy = BufferStrategy.preallocated(memory)
        buffer = ChunkBuffer(strategy, 1_024)
        room = buffer.room()
        room[:4] = b"here"
        room.release()
        assert memory[:4] == b"here"
        assert buffer.capacity == 16_384
        del buffer
        strategy.memory.release()


@pytest.mark.parametrize(("make", "field"), [
    (lambda: BufferStrategy.fixed(5_000), "first_bytes"),
    (lambda: BufferStrategy.fixed(0), "first_bytes"),
    (lambda: BufferStrategy.adaptive(8_192, 4_096), "first_bytes"),
    (lambda: BufferStrategy.adaptive(4_096, 4_097), "limit_bytes"),
    (lambda: BufferStrategy.adaptive(4_096, 1 << 31), "limit_bytes"),
    (lambda: BufferStrategy.preallocated(bytearray(100)), "buffer"),
    (lambda: BufferStrategy.preallocated(bytes(100_000)), "buffer"),
    (lambda: ChunkBuffer(BufferStrategy.preallocated(bytearray(8_192)), 8_192), "buffer"),
])
def test_sizes_that_cannot_work_are_named(make: object, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.field == field


def test_looking_whether_memory_is_free_takes_none() -> None:
    buffer = ChunkBuffer(BufferStrategy.fixed(65_536), 4_096)
    capacity = buffer.capacity
    for turn in range(1, 9):
        buffer.take(sum(read(buffer) for _ in range(1)) + buffer.offset)
        assert buffer.capacity == capacity, turn
    assert buffer._memory is not None
    assert buffer._memory.__alloc__() == capacity + 1
