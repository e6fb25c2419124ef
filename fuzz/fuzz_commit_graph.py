"""Commit-graph files with a checksum that holds: any bytes give commits that can be ordered, or CorruptDataError."""

from __future__ import annotations

import hashlib
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone._native.commit_columns import CommitColumns
from siltstone._native.commit_order import order_rows
from siltstone.gitobjects.commit_graph import read_commit_graph
from siltstone.gitobjects.ids import SHA1

NONE, LAST = 0x70000000, 0x80000000
NAMES = sorted(hashlib.sha1(bytes([number])).digest() for number in range(7))


def graph_file(names: list[bytes], rows: list[tuple[int, int]], levels: list[int], edges: list[int]) -> bytes:
    """Return a graph file without its checksum; *rows* are the two parent fields of each commit."""
    counts = [sum(name[0] <= first for name in names) for first in range(256)]
    commits = b"".join(
        bytes([place]) * 20 + struct.pack(">4I", *parents, level << 2, 10**9 + place)
        for place, (parents, level) in enumerate(zip(rows, levels, strict=True)))
    chunks = {
        b"OIDF": struct.pack(">256I", *counts), b"OIDL": b"".join(names), b"CDAT": commits,
        b"GDA2": bytes(4 * len(names)), b"EDGE": struct.pack(f">{len(edges)}I", *edges),
    }
    at = 8 + 12 * (len(chunks) + 1)
    table = b""
    for name, data in chunks.items():
        table += struct.pack(">4sQ", name, at)
        at += len(data)
    table += struct.pack(">4sQ", bytes(4), at)
    return b"CGPH" + bytes([1, 1, len(chunks), 0]) + table + b"".join(chunks.values())


SEEDS = [
    graph_file(NAMES, [(NONE, NONE), (0, NONE), (0, 1), (2, LAST), (3, NONE), (3, 4), (5, LAST | 2)],
               [1, 2, 3, 4, 5, 6, 7], [0, LAST | 1, 1, LAST | 4]),
    graph_file(NAMES[:1], [(NONE, NONE)], [1], []),
    graph_file([], [], [], []),
]


def check(data: bytes) -> None:
    """Read a graph as one layer, take its commits over, and order them."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data + hashlib.sha1(data, usedforsecurity=False).digest())
        file.flush()
        graph = read_commit_graph([Path(file.name)], SHA1, limit_bytes=1 << 20)
    columns = CommitColumns(20)
    columns.add_rows(graph.oids, graph.trees, graph.times, graph.parents, graph.parent_starts)
    oids, trees, times, parents, starts, missing = columns.finish()
    assert (oids, trees, missing) == (graph.oids, graph.trees, b"")
    for order in range(3):
        rows = order_rows(
            order, memoryview(times).cast("q"), memoryview(parents).cast("q"), memoryview(starts).cast("q"), b"\1" * len(graph))
        assert len(rows) == 8 * len(graph) or not graph.levels.all()


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
