"""Memory between a source and the kernel that cuts: how much is read at once, where it goes, when it is moved.

Reads end at multiples of 4 KiB of the stream wherever the source gives what was asked for.  Between reads the buffer keeps
the open chunk and what was not cut yet, never more than the longest chunk, so its size is bounded by that and by one read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ALIGNMENT = 4 * KIB  # the block of common file systems and the page of common processors
DEFAULT_READ_BYTES = 1 * MIB  # larger reads leave the second-level cache before they are cut
_FIRST_READ_BYTES = 64 * KIB  # a small input shall not cost a large buffer
_READ_LIMIT = 1 << 30
_AVERAGED_READS = 8  # how many reads it takes an adaptive buffer to believe that a source has changed


def align_up(size: int, alignment: int = ALIGNMENT) -> int:
    """Return the smallest multiple of *alignment* that is not below *size*."""
    return -(-size // alignment) * alignment


class BufferKind(Enum):
    """How a buffer decides how much it asks for."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"
    PREALLOCATED = "preallocated"


@dataclass(frozen=True, slots=True)
class BufferStrategy:
    """How a reader buffers; made by `fixed`, `adaptive` or `preallocated`. Sizes in bytes, multiples of 4 KiB."""

    kind: BufferKind
    first_bytes: int
    limit_bytes: int
    memory: memoryview | None = None

    def __post_init__(self) -> None:
        for name in ("first_bytes", "limit_bytes"):
            size = getattr(self, name)
            if type(size) is not int or size % ALIGNMENT or not ALIGNMENT <= size <= _READ_LIMIT:
                raise ConfigError(f"expected a multiple of 4,096 up to 2**30, got {size!r}", field=name)
        if self.first_bytes > self.limit_bytes:
            raise ConfigError(f"may not pass limit_bytes {self.limit_bytes}, got {self.first_bytes}", field="first_bytes")

    @classmethod
    def fixed(cls, read_bytes: int = DEFAULT_READ_BYTES) -> BufferStrategy:
        """Ask for *read_bytes* each time; the memory is taken at once: the longest chunk and one read."""
        return cls(BufferKind.FIXED, read_bytes, read_bytes)

    @classmethod
    def adaptive(cls, first_bytes: int = _FIRST_READ_BYTES, limit_bytes: int = DEFAULT_READ_BYTES) -> BufferStrategy:
        """Ask for *first_bytes* first, for twice as much after a read that was filled, up to *limit_bytes*.

        A source that gives less is asked for twice the rolling average of what it gives.  The memory doubles when it must
        grow, up to the longest chunk and *limit_bytes*.
        """
        return cls(BufferKind.ADAPTIVE, first_bytes, limit_bytes)

    @classmethod
    def preallocated(cls, buffer: WriteableBuffer) -> BufferStrategy:
        """Read into *buffer*, which must hold the longest chunk and 4 KiB; nothing else is allocated.

        It belongs to the reader until that is done.  What was made from an older view of it changes with the next read.
        """
        memory = memoryview(buffer).cast("B")
        if memory.readonly:
            raise ConfigError("the memory must be writable", field="buffer")
        if len(memory) < 2 * ALIGNMENT:
            raise ConfigError(f"at least {2 * ALIGNMENT} bytes, got {len(memory)}", field="buffer")
        size = min(len(memory) // ALIGNMENT * ALIGNMENT, _READ_LIMIT)
        return cls(BufferKind.PREALLOCATED, size, size, memory)


class ChunkBuffer:
    """The bytes of a stream from the start of the open chunk on: filled at one end, given away at the other."""

    __slots__ = ("_average", "_base", "_capacity_limit", "_end", "_memory", "_start", "_strategy", "_view", "_wanted")

    def __init__(self, strategy: BufferStrategy, maximum: int) -> None:
        self._strategy = strategy
        self._capacity_limit = align_up(maximum) + strategy.limit_bytes + ALIGNMENT
        self._memory: bytearray | None = None
        if strategy.memory is not None:
            if len(strategy.memory) < maximum + ALIGNMENT:
                problem = f"a longest chunk of {maximum} bytes needs {maximum + ALIGNMENT}, got {len(strategy.memory)}"
                raise ConfigError(problem, field="buffer")
            self._view = strategy.memory[:]
        else:
            first = self._capacity_limit if strategy.kind is BufferKind.FIXED else 0
            self._memory = bytearray(first)
            self._view = memoryview(self._memory)
        self._base = self._start = self._end = 0  # offset of the memory in the stream; the bytes kept are [start, end)
        self._wanted = strategy.first_bytes
        self._average = float(strategy.first_bytes)

    @property
    def capacity(self) -> int:
        """Bytes of memory now held."""
        return len(self._view)

    @property
    def size(self) -> int:
        """Bytes now kept."""
        return self._end - self._start

    @property
    def offset(self) -> int:
        """Offset in the stream of the first byte kept."""
        return self._base + self._start

    def room(self) -> memoryview:
        """Return where the next read goes: at least one byte. Views given before may move; release them first."""
        position = self._base + self._end
        end = (position + self._wanted) // ALIGNMENT * ALIGNMENT
        size = end - position if end > position else ALIGNMENT - position % ALIGNMENT
        free = len(self._view) - self._end
        if size > free:
            if free >= max(size // 2, ALIGNMENT):  # a shorter read is cheaper than growing or moving
                size = (position + free) // ALIGNMENT * ALIGNMENT - position
            else:
                self._make_room(size)
                size = min(size, len(self._view) - self._end)
        return self._view[self._end:self._end + size]

    def added(self, count: int, asked: int) -> None:
        """Note that a read of *asked* bytes gave *count* into the room."""
        self._end += count
        if self._strategy.kind is BufferKind.ADAPTIVE:
            self._average += (count - self._average) / _AVERAGED_READS
            wanted = max(2 * asked, self._wanted) if count == asked else round(2 * self._average)
            self._wanted = min(max(align_up(wanted), ALIGNMENT), self._strategy.limit_bytes)

    def view(self, start: int, end: int) -> memoryview:
        """Return the bytes between two offsets in the stream, both of them kept."""
        return self._view[start - self._base:end - self._base]

    def take(self, end: int) -> None:
        """Give up the bytes before *end*, an offset in the stream."""
        self._start = end - self._base

    def _make_room(self, size: int) -> None:
        """Move what is kept to the front, of new memory where the present is too small or somebody still looks at it."""
        kept = self.size
        if self._memory is None:
            self._view[:kept] = self._view[self._start:self._end]
        else:
            needed = kept + size
            if needed > len(self._memory) or not self._is_mine():
                capacity = max(len(self._memory), self._strategy.first_bytes)
                while capacity < needed:
                    capacity *= 2
                fresh = bytearray(min(capacity, self._capacity_limit))
                fresh[:kept] = self._view[self._start:self._end]
                self._memory, self._view = fresh, memoryview(fresh)
            else:
                self._view[:kept] = self._view[self._start:self._end]
        self._base += self._start
        self._start, self._end = 0, kept

    def _is_mine(self) -> bool:
        """Return whether nobody else has a view of the memory: only then does a bytearray let itself be resized."""
        assert self._memory is not None
        self._view.release()
        try:
            self._memory.append(self._memory.pop())  # in this order: growing first would take an eighth more memory
        except BufferError:
            return False
        finally:
            self._view = memoryview(self._memory)
        return True
