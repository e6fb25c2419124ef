"""Columns of a graph, of a pack index and of segments that were damaged in memory: refused at the door or walked inside."""

from __future__ import annotations

import os
import random
import tempfile

import numpy as np

from siltstone._native.csr import Csr, build_csr
from siltstone._native.inflate import backends, capsule, inflate_exact
from siltstone._native.literals import LiteralMatcher
from siltstone._native.pack_read import PackReader
from siltstone._native.pack_walk import PackForest, PackWalker
from siltstone.core.errors import SiltstoneError
from tests.reference import pack_read as reference
from tests.reference.random_packs import random_entries

NUMBERS = (0, 1, 2, 3, 127, 255, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 40, (1 << 63) - 1)


def damaged(source: random.Random, column: np.ndarray) -> np.ndarray:
    """Return a copy with up to three values set to odd ones, and sometimes of another length."""
    out = column.copy()
    for _ in range(source.randrange(4)):
        if len(out):
            number = source.choice(NUMBERS) * source.choice((1, -1)) & (1 << 8 * out.itemsize) - 1
            out[source.randrange(len(out))] = np.frombuffer(number.to_bytes(out.itemsize, "little"), out.dtype)[0]
    if source.random() < 0.1:
        out = out[: source.randrange(len(out) + 1)]
    out.flags.writeable = False
    return out


def test_damaged_rows_are_refused_or_walked_inside() -> None:
    source = random.Random(106)
    walked = 0
    for _ in range(3000):
        rows = source.randrange(1, 9)
        edges = source.randrange(20)
        sources, targets = (np.array([source.randrange(rows) for _ in range(edges)], np.int32) for _ in range(2))
        kinds = np.array([source.randrange(32) for _ in range(edges)], np.uint8)
        try:
            offsets, _ = build_csr(rows, damaged(source, sources), targets, kinds)
            graph = Csr(*(damaged(source, column) for column in (np.frombuffer(offsets, np.int64), targets, kinds)))
            graph.reach(damaged(source, np.array([0], np.int32)), source.getrandbits(32), 9, source.randrange(9))
            graph.components(source.getrandbits(32))
            walked += 1
        except SiltstoneError:
            continue
    assert walked


def test_damaged_columns_of_a_pack_index_are_refused_or_read_inside() -> None:
    source = random.Random(107)
    pack, index = reference.make_pack(random_entries(12, 8, largest=60))
    places = sorted(reference.parse_index(index).items())
    names = b"".join(name for name, _ in places)
    at = np.array([place for _, place in places], np.uint64)
    order = np.argsort(at).astype(np.uint32)
    ranks = np.argsort(order).astype(np.uint32)
    fanout = np.cumsum(np.bincount(np.frombuffer(names, np.uint8)[::20], minlength=256)).astype(np.uint32)
    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), pack)
        for _ in range(1500):
            columns = [damaged(source, column) for column in (fanout, at[order], order, ranks)]
            place = {"id_size": 20, "end": len(pack) - source.choice((0, 20, 60))}
            shared = {"limit_bytes": source.choice((1, 50, 1 << 40)), "inflate": capsule(source.choice(backends()))}
            try:
                reader = PackReader(names, *columns, cache_bytes=1000, **place, **shared)
                forest = PackForest(names, *columns, descriptor=file.fileno(), **place)
            except SiltstoneError:
                continue
            for name, _ in places:
                try:
                    reader.read(name, file.fileno())
                except SiltstoneError:
                    continue
            forest.select(b"\1" * len(places), segment_bytes=source.choice((1, 1 << 20)), children=True)
            walker = PackWalker(forest, live_bytes=100, deltas=True, **shared)
            while walker.next_block(64) is not None:
                walker.take_faults()


def test_damaged_segments_are_refused_or_searched_inside() -> None:
    source = random.Random(108)
    matcher = LiteralMatcher([b"token", b"key", b"a"])
    for _ in range(3000):
        data = bytes(source.choice(b"tokenkyaKEY ") for _ in range(source.randrange(120)))
        starts = np.sort(np.array([source.randrange(len(data) + 1) for _ in range(source.randrange(5))], np.int64))
        try:
            hits, done = matcher.search(data, damaged(source, starts), damaged(source, starts + 3), 0, source.randrange(20))
            assert len(hits) % 16 == 0
            assert done <= len(starts)
        except SiltstoneError:
            continue


def test_damaged_streams_fill_exactly_or_are_refused() -> None:
    source = random.Random(109)
    for _ in range(3000):
        data = bytearray(reference.zlib.compress(source.randbytes(3) * source.randrange(1, 90)))
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        size = source.randrange(300)
        for name in backends():
            try:
                content, used = inflate_exact(bytes(data), size, backend=name)
            except SiltstoneError:
                continue
            assert (len(content), 0 <= used <= len(data)) == (size, True)
