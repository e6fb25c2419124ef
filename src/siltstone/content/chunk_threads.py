"""One big input cut by several threads, with the cuts of one.

Each thread cuts a segment as if a chunk began at its start.  A cut depends only on the bytes after the cut before it; so
once a true cut coincides with one that was guessed, all later guesses of that segment are true, too.  The segments are put
together in order: from the last true cut the chunks are walked into the next segment until they meet its guesses, or, where
they never do, until its end.  Data on which content decides meet after a few chunks; segments start at multiples of the
longest chunk, so runs without any decision (zeros) meet as well.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from siltstone.content import kernels
from siltstone.content.buffers import DEFAULT_READ_BYTES
from siltstone.content.chunk_streams import open_reader
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.content.sources import tells_size
from siltstone.core.budget import MIB
from siltstone.core.files import WindowedFile
from siltstone.core.ordered_map import check_threads, map_in_order

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SEGMENT_BYTES = 64 * MIB  # longest segment (256 MiB, 2 threads: 5 % more processor time than one, 7 % with 32 MiB), or
_SEGMENT_TARGETS = 128  # so many target sizes: a seam is walked over a few of them, which is work done twice
_CHUNKS_AT_LEAST = 16  # longest chunks in a segment: shorter ones are walked again instead of met
_SEGMENTS_A_THREAD = 2  # so that a thread that was delayed does not delay all
_WALK_TARGETS = 4  # target sizes walked at once


@dataclass(frozen=True, slots=True)
class _Segment:
    """A part of the input; *ends* are the cuts as if a chunk began at *start*, without *stop* unless the input ends there."""

    start: int
    stop: int
    ends: array[int]

    def position_of(self, cut: int) -> int | None:
        """Return the index of the first of *ends* after *cut* where *cut* is one of the guesses, else None."""
        if cut == self.start:
            return 0
        index = bisect_left(self.ends, cut)
        return index + 1 if index < len(self.ends) and self.ends[index] == cut else None


class _Input(Protocol):
    """Bytes that several threads may read at once."""

    size: int

    def guess(self, start: int, stop: int) -> array[int]:
        """Return the cuts between two offsets as if a chunk began at *start*; the last is *stop*."""

    def pieces(self, start: int, piece_bytes: int) -> Iterator[memoryview]:
        """Yield the bytes from *start* to the end of the input; a piece is valid until the next one."""


class _BufferInput:
    """A buffer: nothing is copied."""

    def __init__(self, data: ReadableBuffer, profile: Profile, kernel: str) -> None:
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)
        self._profile, self._kernel = profile, kernel

    def guess(self, start: int, stop: int) -> array[int]:
        ends = kernels.cut_offsets(self._view[start:stop], self._profile, kernel=self._kernel)
        return array("Q", map(start.__add__, ends)) if start else ends

    def pieces(self, start: int, piece_bytes: int) -> Iterator[memoryview]:
        for offset in range(start, self.size, piece_bytes):
            yield self._view[offset:offset + piece_bytes]


class _FileInput:
    """A foreign file, read by position: each thread has one window of it in memory."""

    def __init__(self, file: WindowedFile, profile: Profile, kernel: str) -> None:
        self._file = file
        self.size = file.size
        self._profile, self._kernel = profile, kernel

    def guess(self, start: int, stop: int) -> array[int]:
        ends: array[int] = array("Q")
        for some in self.scan(start, stop):
            ends.extend(some)
        return array("Q", map(start.__add__, ends)) if start else ends

    def scan(self, start: int, stop: int) -> Iterator[array[int]]:
        """Yield the cuts of `guess`, counted from *start*, as they are found."""
        scanner = kernels.scanner(self._profile, kernel=self._kernel)
        for piece in self._read(start, stop, DEFAULT_READ_BYTES):
            yield scanner.feed(piece)
        yield scanner.finish()

    def pieces(self, start: int, piece_bytes: int) -> Iterator[memoryview]:
        return self._read(start, self.size, piece_bytes)

    def _read(self, start: int, stop: int, piece_bytes: int) -> Iterator[memoryview]:
        memory = memoryview(bytearray(min(piece_bytes, stop - start)))
        for offset in range(start, stop, piece_bytes):
            room = memory[:min(piece_bytes, stop - offset)]
            self._file.read_into(offset, room)
            yield room


def cut_in_threads(data: ReadableBuffer, *, profile: Profile, kernel: str, threads: int,
                   executor: Executor | None) -> array[int]:
    """Return what `cut_offsets` returns, found by *threads*; they run in *executor*, where one is given."""
    ends: array[int] = array("Q")
    for some in _iter_cuts(_BufferInput(data, profile, kernel), profile, kernel, threads, executor):
        ends.extend(some)
    return ends


def file_cut_offsets(path: str | os.PathLike[str], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
                     threads: int = 1, executor: Executor | None = None) -> array[int]:
    """Return the end of every chunk of the file at *path*, as `cut_offsets` over its bytes.

    Memory: 8 bytes for each chunk, and a window of 1 MiB for each thread.  Raises CorruptDataError, with the offset, where
    the file shrinks while it is read; bytes appended meanwhile are not seen.  A file that tells no size (a pipe, a device,
    /proc) is read to its end, by one thread.
    """
    ends: array[int] = array("Q")
    for some in iter_file_cuts(path, profile=profile, kernel=kernel, threads=threads, executor=executor):
        ends.extend(some)
    return ends


def iter_file_cuts(path: str | os.PathLike[str], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
                   threads: int = 1, executor: Executor | None = None) -> Generator[array[int], None, None]:
    """Yield the cuts of `file_cut_offsets` in order, some at a time: memory is bounded whatever the size of the file."""
    check_threads(threads)
    if not tells_size(path):
        with open_reader(path, profile=profile, kernel=kernel) as reader:
            while block := reader.read_block():
                yield block.ends
        return
    with WindowedFile(Path(path)) as file:
        file.advise_sequential()
        data = _FileInput(file, profile, kernel)
        if threads == 1:
            yield from data.scan(0, file.size)
        else:
            yield from _iter_cuts(data, profile, kernel, threads, executor)


def _iter_cuts(
    data: _Input, profile: Profile, kernel: str, threads: int, executor: Executor | None
) -> Generator[array[int], None, None]:
    check_threads(threads)
    step = _segment_bytes(data.size, profile, threads)
    if data.size <= step:
        yield data.guess(0, data.size)
        return

    def cut_segment(start: int) -> _Segment:
        stop = min(start + step, data.size)
        ends = data.guess(start, stop)
        if stop < data.size:
            ends.pop()  # the end of the segment; whether it is a cut shows when the chunk before is walked
        return _Segment(start, stop, ends)

    cut = 0  # the last true one
    # Closed here, before the file: an error must not leave threads that read it.
    with closing(map_in_order(cut_segment, range(0, data.size, step), threads=threads, executor=executor)) as segments:
        for segment in segments:
            first = segment.position_of(cut)
            if first is None and cut < segment.stop:
                walked, first = _walk(data, profile, kernel, cut, segment)
                yield walked
                cut = walked[-1]
            if first is not None and first < len(segment.ends):
                met = segment.ends[first:]
                cut = met[-1]
                yield met


def _segment_bytes(size: int, profile: Profile, threads: int) -> int:
    """Return a multiple of the longest chunk: then in data without decisions every segment starts at a true cut."""
    most = max(_SEGMENT_BYTES, _SEGMENT_TARGETS * profile.target)
    wanted = max(min(size // (_SEGMENTS_A_THREAD * threads), most), _CHUNKS_AT_LEAST * profile.maximum)
    return -(-wanted // profile.maximum) * profile.maximum


def _walk(data: _Input, profile: Profile, kernel: str, cut: int, segment: _Segment) -> tuple[array[int], int | None]:
    """Return the true cuts after *cut*, up to one that the segment has or one that is not before its end; and where they met.

    Where the input ends in the segment its last guess, the end, is met at the latest: so some cut is always found.
    """
    scanner = kernels.scanner(profile, kernel=kernel)
    walked: array[int] = array("Q")
    for piece in data.pieces(cut, _WALK_TARGETS * profile.target):
        for end in scanner.feed(piece):
            walked.append(cut + end)
            first = segment.position_of(cut + end)
            if first is not None or cut + end >= segment.stop:
                return walked, first
    walked.extend(map(cut.__add__, scanner.finish()))
    return walked, None
