"""What travels through a content pipeline: blocks of whole chunks, their payloads, and the sink that takes them.

A block is a window of a few MiB, never a single chunk: what Python costs for each piece of work vanishes in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Payload(NamedTuple):
    """What is kept of *chunks* consecutive new chunks; *data* may be a view of the chunk itself where nothing is won."""

    codec: int
    data: bytes | memoryview
    chunks: int = 1


Pack = Callable[[Sequence[memoryview]], Sequence[Payload]]
"""Compresses the new chunks of one block, in order; several threads call it at once. The views are valid during the call."""

DigestChunks = Callable[[Sequence[memoryview]], Sequence[bytes]]
"""Returns the digest of each chunk, in order; several threads call it at once."""


class Block:
    """Consecutive whole chunks of one stream. *data* and views of it stay valid for as long as they are held.

    *ends* counts from the start of *data*; *fresh* are the positions of the chunks that the sink did not know, each named
    once; *payloads* stand for these, in order.
    """

    __slots__ = ("data", "digests", "ends", "fresh", "index", "offset", "payloads", "stream")

    def __init__(self, stream: object, index: int, offset: int, data: memoryview, ends: Sequence[int]) -> None:
        self.stream = stream
        self.index = index
        self.offset = offset
        self.data = data
        self.ends = ends
        self.digests: Sequence[bytes] = ()
        self.fresh: Sequence[int] = ()
        self.payloads: Sequence[Payload] = ()

    def chunks(self) -> list[memoryview]:
        """Return a view of each chunk."""
        data, start, views = self.data, 0, []
        for end in self.ends:
            views.append(data[start:end])
            start = end
        return views

    def sizes(self) -> list[int]:
        """Return the size of each chunk in bytes."""
        start, sizes = 0, []
        for end in self.ends:
            sizes.append(end - start)
            start = end
        return sizes


class Sink(Protocol):
    """Takes the blocks of a pipeline, in the order of the input, in the thread that runs it."""

    def is_known(self, digest: bytes) -> bool:
        """Return whether the chunk is kept already, and need not be compressed; true for all that `put` was given.

        Asked in the order of the input, at most once for each chunk of it.
        """

    def put(self, block: Block) -> None:
        """Take one block. An error ends the run; the blocks before have all been put, and none after it will be."""


class DiscardingSink:
    """Keeps nothing but the digests it was given: for measuring, and for finding out what a source would need."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()

    def is_known(self, digest: bytes) -> bool:
        """Return whether a chunk of this digest was put before."""
        return digest in self.digests

    def put(self, block: Block) -> None:
        """Remember the new digests of *block*."""
        self.digests.update(block.digests[at] for at in block.fresh)
