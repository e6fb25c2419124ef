"""Chunks of a buffer or of a stream: where they end is decided by the kernel, from a profile.

Two forms, one result: `cut_offsets` and `iter_chunks` take everything at once, `Chunker` takes it in pieces of any size.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from siltstone.content import kernels
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def cut_offsets(data: ReadableBuffer, *, profile: Profile = DEFAULT_PROFILE) -> array[int]:
    """Return the end of every chunk of *data*, ascending, as unsigned 64-bit integers; the last is the size of *data*.

    One call, without the GIL; nothing is copied. *data* must not change while the call runs. No data, no chunks.
    """
    return kernels.cut_offsets(data, profile)


def iter_chunks(data: ReadableBuffer, *, profile: Profile = DEFAULT_PROFILE) -> Iterator[memoryview]:
    """Yield views of *data*, one for each chunk; joined they equal *data*."""
    view = memoryview(data).cast("B")
    start = 0
    for end in kernels.cut_offsets(view, profile):
        yield view[start:end]
        start = end


class Chunker:
    """Cuts a stream that is fed in pieces of any size: the chunks are those of `iter_chunks` over the whole.

    Holds the bytes of the one open chunk: less than ``profile.maximum``. One thread at a time.
    """

    __slots__ = ("_base", "_finished", "_held", "_scanner", "_size", "profile")

    def __init__(self, *, profile: Profile = DEFAULT_PROFILE) -> None:
        self.profile = profile
        self._scanner = kernels.scanner(profile)
        self._held: list[bytes] = []  # the open chunk, in pieces
        self._base = 0  # offset in the stream where the open chunk starts
        self._size = 0  # bytes of the stream so far
        self._finished = False

    def feed(self, data: ReadableBuffer) -> list[bytes | memoryview]:
        """Return the chunks that *data* completes, in order.

        A chunk that lies inside *data* is a view of it, and valid as long as *data* is; one that began earlier is a copy.
        Raises ConfigError after `finish`.
        """
        if self._finished:
            raise ConfigError("nothing can be fed after finish", field="data")
        view = memoryview(data).cast("B")
        first, chunks = self._size, []
        cuts = self._scanner.feed(view)
        self._size += len(view)
        for cut in cuts:
            chunks.append(self._close_chunk(view, first, cut))
            self._base = cut
        if self._size > max(self._base, first):
            self._held.append(bytes(view[max(self._base - first, 0):]))
        return chunks

    def finish(self) -> list[bytes | memoryview]:
        """Return the last chunk, in a list that is empty where no byte is left; the chunker takes no more."""
        self._finished = True
        held, self._held = b"".join(self._held), []
        return [held] if held else []

    def _close_chunk(self, view: memoryview, first: int, cut: int) -> bytes | memoryview:
        if cut < first:  # the cut lies before the byte that the piece before left undecided
            held = b"".join(self._held)
            self._held = [held[cut - self._base:]]
            return held[:cut - self._base]
        if self._held:
            self._held.append(bytes(view[:cut - first]))
            held, self._held = b"".join(self._held), []
            return held
        return view[self._base - first:cut - first]
