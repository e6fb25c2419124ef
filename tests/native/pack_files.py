"""A pack on disk and the native kernels over it, for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from siltstone._native.inflate import capsule
from siltstone._native.pack_read import PackReader
from siltstone._native.pack_walk import PackForest, PackWalker
from siltstone._native.spill_arena import SpillArena
from siltstone.gitobjects.pack_index import PackIndex, read_pack_index

MIB = 1 << 20


def write_pack(folder: Path, pack: bytes, index: bytes, name: str = "pack-test") -> Path:
    """Write both files; return the pack."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pack"
    path.write_bytes(pack)
    path.with_suffix(".idx").write_bytes(index)
    return path


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def reader_of(
    path: Path, *, limit: int = 64 * MIB, cache: int = MIB, backend: str | None = None
) -> tuple[PackReader, PackIndex]:
    index = read_pack_index(path.with_suffix(".idx"), 20)
    columns = (index.fanout.data, index.offsets.data, index.order.data, index.ranks.data)
    end = path.stat().st_size - 20
    return PackReader(index.names, *columns, id_size=20, end=end, limit_bytes=limit, cache_bytes=cache,
                      inflate=capsule(backend)), index  # fmt: skip


def forest_of(path: Path, descriptor: int) -> tuple[PackForest, PackIndex]:
    index = read_pack_index(path.with_suffix(".idx"), 20)
    return forest_over(index, descriptor), index


def forest_over(index: PackIndex, descriptor: int, headers: PackForest | None = None) -> PackForest:
    columns = (index.fanout.data, index.offsets.data, index.order.data, index.ranks.data)
    end = index.path.with_suffix(".pack").stat().st_size - 20
    return PackForest(index.names, *columns, id_size=20, end=end, descriptor=descriptor, headers=headers)


def walker_of(
    forest: PackForest, *, limit: int = 64 * MIB, live: int = 64 * MIB, backend: str | None = None, deltas: bool = False,
    arena: SpillArena | None = None,
) -> PackWalker:  # fmt: skip
    spill = None if arena is None else arena.capsule()
    return PackWalker(forest, limit_bytes=limit, live_bytes=live, inflate=capsule(backend), arena=spill, deltas=deltas)


def walk_all(
    path: Path, *, block: int = MIB, wanted: bytes | None = None, limit: int = 64 * MIB, live: int = 64 * MIB,
    backend: str | None = None, segment: int = MIB, arena: SpillArena | None = None,
) -> tuple[dict[bytes, tuple[int, bytes]], set[bytes], PackWalker]:  # fmt: skip
    """Return what a walk hands out, the names of what it could not decode, and the walker."""
    found: dict[bytes, tuple[int, bytes]] = {}
    with opened(path) as descriptor:
        forest, index = forest_of(path, descriptor)
        walker = walker_of(forest, limit=limit, live=live, backend=backend, arena=arena)
        lost = {index.name(int(index.order[rank])) for rank, _, _ in forest.faults()}
        forest.select(b"\1" * len(index) if wanted is None else wanted, segment_bytes=segment)
        while (columns := walker.next_block(block)) is not None:
            buffer, starts, ends, kinds, oids = columns[:5]
            for i, (start, end) in enumerate(zip(np.frombuffer(starts, "i8"), np.frombuffer(ends, "i8"), strict=True)):
                name = oids[20 * i : 20 * i + 20]
                assert name not in found
                found[name] = (kinds[i], bytes(memoryview(buffer)[start:end]))
            lost |= {index.name(int(index.order[rank])) for rank, _, _ in walker.take_faults()}
        lost |= {index.name(int(index.order[rank])) for rank, _, _ in walker.take_faults()}
    return found, lost, walker
