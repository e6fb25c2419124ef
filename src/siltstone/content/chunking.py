"""Chunks of a buffer and of a stream that is pushed: where they end is decided by the kernel, from a profile.

One result, however the input comes: `cut_offsets` and `iter_chunks` take everything at once, `Chunker` takes it in pieces
of any size.  Files and streams are read in `chunk_streams`, several threads cut in `chunk_threads`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from siltstone.content import kernels
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from _typeshed import ReadableBuffer

Chunk: TypeAlias = bytes | memoryview

_WARM_BYTES = 64 << 10


def cut_offsets(data: ReadableBuffer, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto", threads: int = 1,
                executor: Executor | None = None) -> array[int]:
    """Return the end of every chunk of *data*, ascending, as unsigned 64-bit integers; the last is the size of *data*.

    One call, without the GIL; nothing is copied.  *data* must not change while the call runs.  No data, no chunks.  More
    *threads*, of *executor* or our own, give the same cuts; they are worth it from some tens of megabytes on.
    """
    if threads == 1 and type(threads) is int:
        return kernels.cut_offsets(memoryview(data).cast("B"), profile, kernel=kernel)
    from siltstone.content.chunk_threads import cut_in_threads

    return cut_in_threads(data, profile=profile, kernel=kernel, threads=threads, executor=executor)


@overload
def iter_chunks(data: ReadableBuffer, *, profile: Profile = ..., kernel: str = ..., owned: Literal[False] = ...,
                ) -> Iterator[memoryview]: ...
@overload
def iter_chunks(data: ReadableBuffer, *, profile: Profile = ..., kernel: str = ..., owned: Literal[True],
                ) -> Iterator[bytes]: ...
def iter_chunks(data: ReadableBuffer, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto", owned: bool = False,
                ) -> Iterator[memoryview] | Iterator[bytes]:
    """Yield views of *data*, one for each chunk, valid as long as *data* is, or ``bytes`` where *owned*.

    Joined they equal *data*.
    """
    views = _views_of(data, profile, kernel)
    return map(bytes, views) if owned else views


def _views_of(data: ReadableBuffer, profile: Profile, kernel: str) -> Iterator[memoryview]:
    view = memoryview(data).cast("B")
    start = 0
    for end in kernels.cut_offsets(view, profile, kernel=kernel):
        yield view[start:end]
        start = end


def warmup(profile: Profile = DEFAULT_PROFILE, *, kernel: str = "auto") -> None:
    """Load the kernel, make the table of *profile* and run both once, so that the first real call costs what all cost."""
    kernels.cut_offsets(bytes(_WARM_BYTES), profile, kernel=kernel)
    kernels.scanner(profile, kernel=kernel).feed(b"")


class Chunker:
    """Cuts a stream that is fed in pieces of any size: the chunks are those of `iter_chunks` over the whole.

    Holds the bytes of the one open chunk: less than ``profile.maximum``.  One thread at a time.  With *owned* every chunk
    is ``bytes``; else a chunk that lies inside one piece is a view of that piece.
    """

    __slots__ = ("_base", "_finished", "_held", "_owned", "_scanner", "_size", "profile")

    def __init__(self, *, profile: Profile = DEFAULT_PROFILE, kernel: str = "auto", owned: bool = False) -> None:
        self.profile = profile
        self._scanner = kernels.scanner(profile, kernel=kernel)
        self._owned = owned
        self._held = bytearray()  # the open chunk, as far as it came
        self._base = 0  # offset in the stream where the open chunk starts
        self._size = 0  # bytes of the stream so far
        self._finished = False

    def feed(self, data: ReadableBuffer) -> list[Chunk]:
        """Return the chunks that *data* completes, in order.

        A chunk that lies inside *data* is a view of it, and valid as long as *data* is; one that began earlier is a copy.
        Raises ConfigError after `finish`.
        """
        if self._finished:
            raise ConfigError("nothing can be fed after finish", field="data")
        view = memoryview(data).cast("B")
        first = self._size
        cuts = self._scanner.feed(view)
        self._size += len(view)
        chunks: list[Chunk] = []
        start = self._base
        for cut in cuts:
            if start >= first:
                chunks.append(view[start - first:cut - first])
            else:
                chunks.append(self._close_held(view, cut - start))
            start = cut
        self._base = start
        self._held += view[max(start - first, 0):]
        return [bytes(chunk) for chunk in chunks] if self._owned else chunks

    def finish(self) -> list[Chunk]:
        """Return the last chunk, in a list that is empty where no byte is left; the chunker takes no more."""
        self._finished = True
        held, self._held = bytes(self._held), bytearray()
        return [held] if held else []

    def _close_held(self, view: memoryview, size: int) -> bytes:
        """Return the chunk of *size* bytes that begins with what is held and ends in *view*, or just before it."""
        if size < len(self._held):  # the cut lies before a byte that the piece before left undecided
            chunk = bytes(memoryview(self._held)[:size])
            del self._held[:size]
            return chunk
        chunk = b"".join((self._held, view[:size - len(self._held)]))
        self._held = bytearray()
        return chunk
