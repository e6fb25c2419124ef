"""Many decoded objects end to end in one buffer: what the walk hands out, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.objects import GitObject


@dataclass(frozen=True, slots=True)
class DeltaColumns:
    """How the objects of a block come from objects that the same part gave before.

    ``data[starts[i]:ends[i]]`` holds the instructions of git's delta format (gitformat-pack, "Deltified representation",
    without the two sizes that precede them) that make object *i* from its base; they are proven to stay within both.
    ``bases[i]`` is the number within the part of the base, or -1 where the object stands alone here: it is stored whole,
    or its base was not handed out, or not to this part; there are then no instructions. ``children[i]`` says how many
    later objects of the part name object *i* as their base; where some of them are damaged there are fewer.
    """

    data: memoryview
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    bases: npt.NDArray[np.int64]
    children: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ObjectBlock:
    """Decoded objects; the block owns its buffer, so views of it live as long as they are held.

    Object *i* is ``data[starts[i]:ends[i]]``; ``oids`` holds the ids end to end, *id_size* bytes each. It is object number
    ``first + i`` of its part: the share of the walk that one thread made.
    """

    data: memoryview
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    oids: bytes
    id_size: int
    part: int = 0
    first: int = 0
    deltas: DeltaColumns | None = None

    def __len__(self) -> int:
        return len(self.kinds)

    def oid(self, index: int) -> ObjectId:
        """Return the id of object *index*."""
        return ObjectId(self.oids[index * self.id_size : (index + 1) * self.id_size])

    def kind(self, index: int) -> Kind:
        """Return the kind of object *index*."""
        return Kind(int(self.kinds[index]))

    def content(self, index: int) -> memoryview:
        """Return the content of object *index* as a view of the block."""
        return self.data[int(self.starts[index]) : int(self.ends[index])]

    @property
    def size(self) -> int:
        """Bytes of content in the block."""
        return int(self.ends[-1]) if len(self.ends) else 0


def delta_columns(data: bytes, ends: bytearray, bases: bytearray, children: bytearray, shift: int) -> DeltaColumns:
    """Return the columns that a native walk produced, its numbers of bases raised by *shift*."""
    end_column, base_column = np.frombuffer(ends, np.int64), np.frombuffer(bases, np.int64)
    if shift:
        base_column = np.where(base_column < 0, base_column, base_column + shift)
    starts = np.concatenate((np.zeros(1, np.int64), end_column[:-1]))[: len(end_column)]
    return DeltaColumns(memoryview(data), starts, end_column, base_column, np.frombuffer(children, np.int32))


def whole_columns(count: int) -> DeltaColumns:
    """Return the columns of *count* objects that all stand alone."""
    nothing = np.zeros(count, np.int64)
    return DeltaColumns(memoryview(b""), nothing, nothing, nothing - 1, np.zeros(count, np.int32))


def gather_blocks(objects: Iterable[GitObject], id_size: int, block_bytes: int) -> Iterator[ObjectBlock]:
    """Yield *objects* as blocks of about *block_bytes*; a larger object has a block of its own."""
    held: list[GitObject] = []
    size = 0
    for item in objects:
        if held and size + len(item.data) > block_bytes:
            yield _join(held, id_size)
            held, size = [], 0
        held.append(item)
        size += len(item.data)
    if held:
        yield _join(held, id_size)


def _join(objects: list[GitObject], id_size: int) -> ObjectBlock:
    sizes = np.array([len(item.data) for item in objects], np.int64)
    ends = np.cumsum(sizes)
    return ObjectBlock(
        memoryview(b"".join(item.data for item in objects)), ends - sizes, ends,
        np.array([item.kind for item in objects], np.uint8), b"".join(item.oid for item in objects), id_size,
    )  # fmt: skip
