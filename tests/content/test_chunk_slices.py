"""Slices of time with a clock that we turn, and polling a source that has nothing yet."""

from __future__ import annotations

import io
import selectors
import socket

import pytest

from siltstone.content.chunk_slices import ChunkPoller, PollState, iter_in_slices
from siltstone.content.chunk_streams import read_chunks
from siltstone.content.chunking import iter_chunks
from siltstone.core.errors import ConfigError
from tests.content.chunk_inputs import SMALL, Dribble, content

DATA = content("random", 100_000)
CHUNKS = [bytes(chunk) for chunk in iter_chunks(DATA, profile=SMALL)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_slice_ends_after_so_many_chunks() -> None:
    shape = [chunk is None for chunk in iter_in_slices(CHUNKS[:7], max_chunks=3, max_seconds=60)]
    assert shape == [False, False, False, True, False, False, False, True, False]
    assert [chunk is None for chunk in iter_in_slices(CHUNKS[:6], max_chunks=3, max_seconds=60)].count(True) == 1
    assert list(iter_in_slices([])) == []


def test_a_slice_ends_when_its_time_is_over_and_the_next_begins_when_the_caller_is_back() -> None:
    clock, given = Clock(), []
    for chunk in iter_in_slices(CHUNKS[:6], max_chunks=1_000, max_seconds=0.010, clock=clock):
        given.append(chunk)
        clock.now += 5.0 if chunk is None else 0.004  # what others do with their turn is not ours
    assert [chunk is None for chunk in given] == [False, False, False, True, False, False, False]
    assert [chunk for chunk in given if chunk is not None] == CHUNKS[:6]


def test_views_of_a_reader_survive_a_pause() -> None:
    sliced = iter_in_slices(read_chunks(io.BytesIO(DATA), profile=SMALL), max_chunks=1)
    assert [bytes(chunk) for chunk in sliced if chunk is not None] == CHUNKS


def test_leaving_the_slices_closes_what_they_came_from() -> None:
    chunks = read_chunks(io.BytesIO(DATA), profile=SMALL)
    sliced = iter_in_slices(chunks)
    next(sliced)
    sliced.close()
    assert next(chunks, None) is None


@pytest.mark.parametrize(("settings", "field"), [({"max_chunks": 0}, "max_chunks"), ({"max_seconds": 0}, "max_seconds"),
                                                 ({"max_seconds": float("nan")}, "max_seconds")])
def test_a_slice_without_work_is_refused(settings: dict[str, float], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        next(iter_in_slices(CHUNKS, **settings))


def test_a_poll_reads_at_most_once() -> None:
    file = Dribble(DATA, [100])
    poller = ChunkPoller(file, profile=SMALL, owned=True)
    found = []
    for polls in range(1, 10_000):
        poll = poller.poll_next_chunk()
        assert file.reads <= polls
        if poll.state is PollState.DONE:
            break
        assert (poll.state is PollState.READY) == (poll.chunk is not None)
        if poll.chunk is not None:
            found.append(poll.chunk)
    assert found == CHUNKS
    assert poller.poll_next_chunk().state is PollState.DONE


def test_a_socket_that_does_not_wait_is_pending_until_it_has_bytes() -> None:
    here, there = socket.socketpair()
    with here, there, selectors.DefaultSelector() as selector:
        here.setblocking(False)
        there.setblocking(True)
        selector.register(here, selectors.EVENT_READ)
        poller = ChunkPoller(here, profile=SMALL)
        assert poller.poll_next_chunk().state is PollState.PENDING
        found, sent, ended = [], 0, False
        while (poll := poller.poll_next_chunk()).state is not PollState.DONE:
            if poll.state is PollState.READY:
                found.append(bytes(poll.chunk))
            elif sent < len(DATA):
                there.sendall(DATA[sent:sent + 3_000])
                sent += 3_000
                assert selector.select(timeout=10)
            elif not ended:
                there.shutdown(socket.SHUT_WR)
                ended = True
        assert found == CHUNKS


def test_a_closed_poller_is_done_and_its_view_released() -> None:
    poller = ChunkPoller(io.BytesIO(DATA), profile=SMALL)
    chunk = poller.poll_next_chunk().chunk
    poller.close()
    assert poller.poll_next_chunk().state is PollState.DONE
    with pytest.raises(ValueError, match="released"):
        bytes(chunk)


def test_an_error_of_the_source_is_never_taken_for_its_end() -> None:
    class Failing(Dribble):
        def readinto(self, room: memoryview) -> int:
            if self.reads == 3:
                raise OSError(5, "Input/output error")
            return super().readinto(room)

    poller, states = ChunkPoller(Failing(DATA, [5_000]), profile=SMALL), []
    for _ in range(500):
        try:
            states.append(poller.poll_next_chunk().state)
        except OSError:
            states.append(None)
    assert states[-2:] == [None, None]
    assert PollState.DONE not in states
    poller.close()
    assert poller.poll_next_chunk().state is PollState.DONE
