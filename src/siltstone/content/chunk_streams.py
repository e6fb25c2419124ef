"""Chunks of files and streams, read in blocks: the cuts are those of `cut_offsets` over the whole, whatever a read gives.

The views that come out lie in the reader's buffer.  They are valid until the next step and released then, so that a late
use is a ValueError and never the wrong bytes; what was made from one (a slice, an array) keeps its bytes, and costs the
reader new memory.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siltstone.content import kernels
from siltstone.content.buffers import BufferStrategy, ChunkBuffer
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.content.sources import ByteSource, MappedFile, open_source, source_of
from siltstone.core.budget import MIB
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from siltstone.content.chunking import Chunk

_MAPPED_WINDOW_BYTES = 16 * MIB  # of a file mapped at once: what of it is resident counts as our memory


@dataclass(frozen=True, slots=True)
class ChunkBlock:
    """Chunks that lie side by side: the first begins at *offset* of the stream, *ends* are offsets of the stream as well.

    *data* is their bytes, one view of a buffer that the next block reuses.
    """

    offset: int
    ends: array[int]
    data: memoryview

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[memoryview]:
        """Yield a view of each chunk, which is released at the next step."""
        base = start = self.offset
        for end in self.ends:
            view = self.data[start - base:end - base]
            try:
                yield view
            finally:
                _release(view)
            start = end

    def owned(self) -> Iterator[bytes]:
        """Yield a copy of each chunk."""
        base = start = self.offset
        for end in self.ends:
            yield self.data[start - base:end - base].tobytes()
            start = end


def _release(view: memoryview) -> None:
    try:
        view.release()
    except BufferError:  # something was made from it and keeps it; the buffer will see that
        return


class Step(Enum):
    """What one read led to."""

    READY = "ready"  # a block
    MORE = "more"  # bytes, but no chunk is complete
    WAITING = "waiting"  # the source has nothing yet
    DONE = "done"


class ChunkReader:
    """Reads a source through one bounded buffer and gives its chunks, a block for each read. One thread at a time.

    Memory: the longest chunk and one read, as *buffer* says.  After an error it gives nothing more.
    """

    def __init__(self, source: ByteSource, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
                 buffer: BufferStrategy | None = None) -> None:
        self.profile = profile
        self.block: ChunkBlock | None = None
        self._source = source
        self._scanner = kernels.scanner(profile, kernel=kernel)
        self._buffer = ChunkBuffer(buffer or BufferStrategy.adaptive(), profile.maximum)
        self._scanned = self._size = 0  # bytes of the stream that the kernel saw, that came
        self._done = False

    @property
    def capacity(self) -> int:
        """Bytes of memory that the buffer holds now."""
        return self._buffer.capacity

    def __enter__(self) -> ChunkReader:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the last block go and close what the source has opened."""
        self._done = True
        self._release()
        self._source.close()

    def read_block(self) -> ChunkBlock | None:
        """Return the next block, None at the end; the one before is released.

        Raises ConfigError where a source that does not wait has nothing yet: that is what `ChunkPoller` is for.
        """
        while True:
            step = self.step()
            if step is Step.WAITING:
                raise ConfigError("the source would block: poll it with ChunkPoller", field="file")
            if step is not Step.MORE:
                return self.block

    def step(self) -> Step:
        """Release the last block, read once, and put the chunks that are complete into `block`."""
        self._release()
        if self._done:
            return Step.DONE
        self._done = True  # an error below leaves it so
        count = self._read()
        if count is None:
            self._done = False
            return Step.WAITING
        self._size += count
        self._done = not count
        # No cut can be decided below the minimum: tiny reads cost no call of the kernel.
        if count and self._buffer.size < self.profile.minimum:
            return Step.MORE
        ends = self._scan(last=not count)
        if not ends:
            return Step.MORE if count else Step.DONE
        self.block = ChunkBlock(self._buffer.offset, ends, self._buffer.view(self._buffer.offset, ends[-1]))
        self._buffer.take(ends[-1])
        return Step.READY

    def _read(self) -> int | None:
        room = self._buffer.room()
        count = self._source.read_into(room)
        if count is not None:
            self._buffer.added(count, len(room))
        _release(room)
        return count

    def _scan(self, *, last: bool) -> array[int]:
        fresh = self._buffer.view(self._scanned, self._size)
        ends = self._scanner.feed(fresh)
        fresh.release()
        self._scanned = self._size
        if last:
            ends.extend(self._scanner.finish())
        return ends

    def _release(self) -> None:
        if self.block is not None:
            _release(self.block.data)
            self.block = None


class MappedReader:
    """Gives the chunks of a file that we own, mapped in windows, a block for each window."""

    def __init__(self, path: str | os.PathLike[str], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto") -> None:
        self._file = MappedFile(Path(path), window_bytes=max(_MAPPED_WINDOW_BYTES, 4 * profile.maximum))
        self._profile, self._kernel = profile, kernel
        self._offset = 0
        self._data: memoryview | None = None

    def __enter__(self) -> MappedReader:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Unmap and close the file."""
        self._release()
        self._file.close()

    def read_block(self) -> ChunkBlock | None:
        """Return the next block, None at the end; the one before is released."""
        self._release()
        if self._offset == self._file.size:
            return None
        window, offset = self._file.window(self._offset), self._offset
        ends = kernels.cut_offsets(window, self._profile, kernel=self._kernel)
        if offset + len(window) < self._file.size:
            ends.pop()  # the end of the window, which is no cut
        self._data = window[:ends[-1]]
        ends = array("Q", map(offset.__add__, ends))
        self._offset = ends[-1]
        return ChunkBlock(offset, ends, self._data)

    def _release(self) -> None:
        if self._data is not None:
            self._data.release()
            self._data = None


def read_chunks(file: Any, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto", buffer: BufferStrategy | None = None,
                owned: bool = False) -> Generator[Chunk, None, None]:
    """Yield the chunks of what *file* gives from where it stands to its end; *file* is not closed.

    *file* is a raw, buffered or in-memory file, a socket, or any object with ``read(size)``; reads may be short.  Chunks are
    views that the next step releases, or ``bytes`` where *owned*.  Memory: the longest chunk and one read of *buffer*
    (default: adaptive), whatever the size of the stream.  Raises ConfigError where a non-blocking *file* has nothing yet.
    """
    return _chunks_of(ChunkReader(source_of(file), profile=profile, kernel=kernel, buffer=buffer), owned=owned)


def iter_file_chunks(path: str | os.PathLike[str], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
                     buffer: BufferStrategy | None = None, owned: bool = False, mapped: bool = False,
                     ) -> Generator[Chunk, None, None]:
    """Yield the chunks of the file at *path*, as `read_chunks` does.

    The file is read by position up to the size it has at the start: bytes appended later are not seen, and one that shrinks
    raises CorruptDataError with its offset.  A file that tells no size (a pipe, a device) is read to its end.  *mapped*
    maps it instead, in windows, without a copy: the process dies where somebody truncates it, so only for files we own.
    """
    if mapped:
        return _chunks_of(MappedReader(path, profile=profile, kernel=kernel), owned=owned)
    return _chunks_of(open_reader(path, profile=profile, kernel=kernel, buffer=buffer), owned=owned)


def open_reader(path: str | os.PathLike[str], *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto",
                buffer: BufferStrategy | None = None) -> ChunkReader:
    """Return a reader over the file at *path*; closing it closes the file."""
    source = open_source(path)
    try:
        return ChunkReader(source, profile=profile, kernel=kernel, buffer=buffer)
    except BaseException:
        source.close()
        raise


def _chunks_of(reader: ChunkReader | MappedReader, *, owned: bool) -> Generator[Chunk, None, None]:
    with closing(reader):
        while (block := reader.read_block()) is not None:
            yield from block.owned() if owned else block
