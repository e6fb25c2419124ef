"""Many decoded objects end to end in one buffer: what the walk hands out, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.objects import GitObject


@dataclass(frozen=True, slots=True)
class ObjectBlock:
    """Decoded objects; the block owns its buffer, so views of it live as long as they are held.

    Object *i* is ``data[starts[i]:ends[i]]``; ``oids`` holds the ids end to end, *id_size* bytes each.
    """

    data: memoryview
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    oids: bytes
    id_size: int

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


def block_of_columns(
    buffer: bytearray, starts: bytearray, ends: bytearray, kinds: bytearray, oids: bytes, id_size: int
) -> ObjectBlock:
    """Return the block that a native walk produced."""
    ends_column = np.frombuffer(ends, np.int64)
    used = int(ends_column[-1]) if len(ends_column) else 0
    return ObjectBlock(
        memoryview(buffer)[:used], np.frombuffer(starts, np.int64), ends_column, np.frombuffer(kinds, np.uint8), oids,
        id_size,
    )  # fmt: skip


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
