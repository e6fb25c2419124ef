"""What a thread keeps between two calls: contexts of compression libraries and buffers, with bounds on both.

Whoever takes something has it alone until it is given back, so a signal handler or a generator that works in between gets
another one; what is never given back is simply collected.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Context = TypeVar("Context")

CONTEXTS_AT_MOST = 4  # a thread and pool: a few levels at once; the oldest goes
CONTEXT_BYTES_AT_MOST = 16 << 20  # level 3 takes 1.3 to 3.6 MB, level 19 takes 80: that is made anew for each frame
BUFFERS_AT_MOST = 4
BUFFER_BYTES_AT_MOST = 8 << 20
BUFFER_BYTES_AT_LEAST = 64 << 10


class ContextPool(Generic[Key, Context]):
    """Contexts by what they are set to. *size_of* tells the bytes of one; larger ones than *most_bytes* are not kept."""

    def __init__(self, make: Callable[[Key], Context], size_of: Callable[[Context], int], *,
                 most: int = CONTEXTS_AT_MOST, most_bytes: int = CONTEXT_BYTES_AT_MOST) -> None:
        self._make, self._size_of = make, size_of
        self._most, self._most_bytes = most, most_bytes
        self._local = threading.local()

    def take(self, key: Key) -> Context:
        """Return a context set to *key*, which nobody else has."""
        kept: dict[Key, Context] | None = getattr(self._local, "kept", None)
        context = kept.pop(key, None) if kept else None
        return self._make(key) if context is None else context

    def give(self, key: Key, context: Context) -> None:
        """Take *context* back for the next call of this thread, the oldest making room."""
        if self._size_of(context) > self._most_bytes:
            return
        kept: dict[Key, Context] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = {}
        kept.pop(key, None)
        kept[key] = context
        if len(kept) > self._most:
            del kept[next(iter(kept))]

    def count(self) -> int:
        """Return how many contexts this thread keeps."""
        return len(getattr(self._local, "kept", ()))


class BufferPool:
    """Writable buffers of a thread. None is smaller than *least_bytes*; larger ones than *most_bytes* are not kept."""

    def __init__(self, *, most: int = BUFFERS_AT_MOST, most_bytes: int = BUFFER_BYTES_AT_MOST,
                 least_bytes: int = BUFFER_BYTES_AT_LEAST) -> None:
        self._most, self._most_bytes, self._least_bytes = most, most_bytes, least_bytes
        self._local = threading.local()

    def take(self, size: int) -> bytearray:
        """Return a buffer of at least *size* bytes, whatever is in it, which nobody else has."""
        kept: list[bytearray] = getattr(self._local, "kept", None) or []
        for at in range(len(kept) - 1, -1, -1):
            if len(kept[at]) >= size:
                return kept.pop(at)
        return bytearray(max(size, self._least_bytes))

    def give(self, buffer: bytearray) -> None:
        """Take *buffer* back; the oldest makes room."""
        if not self._least_bytes <= len(buffer) <= self._most_bytes:
            return
        kept: list[bytearray] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = []
        kept.append(buffer)
        if len(kept) > self._most:
            del kept[0]

    def count(self) -> int:
        """Return how many buffers this thread keeps."""
        return len(getattr(self._local, "kept", ()))


BUFFERS = BufferPool()
