"""Commit-graph files, single and split (gitformat-commit-graph), as columns: trees, parents and times without the commits.

A graph is an accelerator and nothing more: it is used whole or not at all.  Its checksum, sizes, order, parents and
generations are held to the format here; whether it is stale only its user can tell.  Times have 34 bits in these files,
which cuts those before 1970 and after 2514; corrected dates (GDA2, GDO2) and path filters are not needed for a walk, and
only their sizes are looked at.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ids import HashAlgorithm
from siltstone.gitobjects.small_files import read_small_file

_HEADER = struct.Struct(">4sBBBB")  # magic, version, hash, chunks, base graphs
_CHUNK = struct.Struct(">4sQ")
_HASH_NUMBERS = {"sha1": 1, "sha256": 2}
_NO_PARENT = np.uint32(0x7000_0000)
_LAST_BIT = np.uint32(0x8000_0000)  # second parent: an index of the edge list; edge: the last one of its commit
_LARGEST_LEVEL = 0x3FFF_FFFF  # generations stop to count here
_MOST_LAYERS = 256  # a byte in the header counts the layers below
_MOST_CHAIN_BYTES = 1 << 16
_LAYER_BYTES_FACTOR = 3  # memory while a file is parsed, in sizes of the file


@dataclass(frozen=True, slots=True)
class GraphColumns:
    """Commits of one graph; *parents* are positions among them, those of commit *i* at ``parent_starts[i:i + 2]``."""

    oids: bytes
    trees: bytes
    times: npt.NDArray[np.int64]
    parents: npt.NDArray[np.int64]
    parent_starts: npt.NDArray[np.int64]
    levels: npt.NDArray[np.int64]  # topological generation; all 0 in files of git before 2.19

    def __len__(self) -> int:
        return len(self.times)


def find_graph_files(objects_dirs: Sequence[Path], algorithm: HashAlgorithm) -> list[Path]:
    """Return the layers of the commit-graph that git would use, lowest first; none where there is no graph.

    Raises CorruptDataError where the list of a split graph does not parse or names a layer that no folder holds.
    """
    for folder in objects_dirs:
        single = folder / "info" / "commit-graph"
        if single.is_file():
            return [single]
        chain = folder / "info" / "commit-graphs" / "commit-graph-chain"
        text = read_small_file(chain, _MOST_CHAIN_BYTES)
        if text is not None:
            return [_find_layer(line, number, chain, objects_dirs, algorithm)
                    for number, line in enumerate(text.splitlines(), 1)]
    return []


def _find_layer(line: bytes, number: int, chain: Path, objects_dirs: Sequence[Path], algorithm: HashAlgorithm) -> Path:
    if len(line) == 2 * algorithm.size and not line.strip(b"0123456789abcdef"):
        for folder in objects_dirs:
            path = folder / "info" / "commit-graphs" / f"graph-{line.decode('ascii')}.graph"
            if path.is_file():
                return path
    raise CorruptDataError(f"line {number} names no layer of the commit-graph", source=os.fspath(chain))


def read_commit_graph(paths: Sequence[Path], algorithm: HashAlgorithm, *, limit_bytes: int) -> GraphColumns:
    """Return the columns of the layers at *paths*, lowest first.

    Raises CorruptDataError where a file does not follow the format, BudgetExceeded where reading takes more than *limit_bytes*.
    """
    if len(paths) > _MOST_LAYERS:
        raise CorruptDataError(f"commit-graph has {len(paths)} layers", source=os.fspath(paths[0]))
    needed = sum(path.stat().st_size for path in paths) * _LAYER_BYTES_FACTOR
    if needed > limit_bytes:
        raise BudgetExceeded("history", limit_bytes=limit_bytes, needed_bytes=needed)
    layers: list[GraphColumns] = []
    checksums: list[bytes] = []
    for path in paths:
        with WindowedFile(path) as file:
            data = file.read_at(0, file.size)
        try:
            layers.append(parse_graph_layer(data, algorithm, sum(map(len, layers)), checksums))
        except CorruptDataError as error:
            raise error.within(os.fspath(path)) from None
        checksums.append(data[-algorithm.size:])
    joined = layers[0] if len(layers) == 1 else _join(layers)
    _check_levels(joined, paths[-1])
    return joined


def parse_graph_layer(data: bytes, algorithm: HashAlgorithm, below: int, bases: Sequence[bytes]) -> GraphColumns:
    """Return the columns of one file above *below* commits in layers with the checksums *bases*.

    Parents count from the lowest layer. Raises CorruptDataError where the file does not follow the format.
    """
    chunks = _read_chunks(data, algorithm)
    if len(bases) != data[7] or b"".join(bases) != bytes(chunks.get(b"BASE", b"")):
        raise CorruptDataError("commit-graph stands on other layers than it names", offset=7)
    for name in (b"OIDF", b"OIDL", b"CDAT"):
        if name not in chunks:
            raise CorruptDataError(f"commit-graph has no chunk {name.decode()}", offset=_HEADER.size)
    if len(chunks[b"OIDF"]) != 1024:
        raise CorruptDataError("fan-out of the commit-graph has a wrong size", offset=_HEADER.size)
    fanout = np.frombuffer(chunks[b"OIDF"], ">u4").astype(np.int64)
    count, size = int(fanout[255]), algorithm.size
    if len(chunks[b"OIDL"]) != count * size or len(chunks[b"CDAT"]) != count * (size + 16):
        raise CorruptDataError(f"commit-graph of {count} commits has chunks of a wrong size", offset=_HEADER.size)
    if len(chunks.get(b"GDA2", bytes(4 * count))) != 4 * count or len(chunks.get(b"GDO2", b"")) % 8:
        raise CorruptDataError("generations of the commit-graph have a wrong size", offset=_HEADER.size)
    _check_order(chunks[b"OIDL"], fanout, count, size)
    return _parse_commits(chunks, count, size, below)


def _read_chunks(data: bytes, algorithm: HashAlgorithm) -> dict[bytes, memoryview]:
    """Return the chunks by name; header, table and checksum hold."""
    if len(data) < _HEADER.size + _CHUNK.size + algorithm.size:
        raise CorruptDataError("commit-graph is cut short", offset=len(data))
    magic, version, hash_number, count, _ = _HEADER.unpack_from(data)
    if magic != b"CGPH" or version != 1 or hash_number != _HASH_NUMBERS[algorithm.name]:
        raise CorruptDataError("not a commit-graph of version 1 in the format of this repository", offset=0)
    end = len(data) - algorithm.size
    if hashlib.new(algorithm.name, memoryview(data)[:end], usedforsecurity=False).digest() != data[end:]:
        raise CorruptDataError("checksum of the commit-graph is wrong", offset=end)
    table_end = _HEADER.size + (count + 1) * _CHUNK.size
    if table_end > end:
        raise CorruptDataError("chunk table of the commit-graph is cut short", offset=_HEADER.size)
    rows = [_CHUNK.unpack_from(data, _HEADER.size + i * _CHUNK.size) for i in range(count + 1)]
    chunks: dict[bytes, memoryview] = {}
    for i, ((name, start), (_, stop)) in enumerate(pairwise(rows)):
        if not table_end <= start <= stop <= end or name in chunks:
            raise CorruptDataError(f"chunk {name!r} of the commit-graph is misplaced", offset=_HEADER.size + i * _CHUNK.size)
        chunks[name] = memoryview(data)[start:stop]
    return chunks


def _check_order(names: memoryview, fanout: npt.NDArray[np.int64], count: int, size: int) -> None:
    """Hold the ids to ascending order, none twice, and to the fan-out."""
    table = np.frombuffer(names, np.uint8).reshape(count, size)
    expected = np.cumsum(np.bincount(table[:, 0], minlength=256)) if count else np.zeros(256, np.int64)
    equal = np.ones(max(count - 1, 0), bool)
    wrong = np.zeros(max(count - 1, 0), bool)
    for at in range(0, size, 4):
        words = np.ascontiguousarray(table[:, at : at + 4]).view(">u4").ravel().astype(np.uint32)
        wrong |= equal & (words[1:] < words[:-1])
        equal &= words[1:] == words[:-1]
    if np.any(expected != fanout) or wrong.any() or equal.any():
        raise CorruptDataError("ids of the commit-graph are not in order", offset=_HEADER.size)


def _parse_commits(chunks: dict[bytes, memoryview], count: int, size: int, below: int) -> GraphColumns:
    rows = np.frombuffer(
        chunks[b"CDAT"], [("tree", f"V{size}"), ("first", ">u4"), ("second", ">u4"), ("level", ">u4"), ("time", ">u4")])
    first, second = rows["first"].astype(np.uint32), rows["second"].astype(np.uint32)
    edges = chunks.get(b"EDGE", memoryview(b""))
    if len(edges) % 4:
        raise CorruptDataError("edges of the commit-graph have a wrong size", offset=_HEADER.size)
    starts, parents = _parse_parents(first, second, np.frombuffer(edges, ">u4").astype(np.uint32))
    if parents.size and int(parents.max()) >= below + count:
        raise CorruptDataError("commit-graph names a parent that it does not hold", offset=_HEADER.size)
    level = rows["level"].astype(np.int64)
    times = (level & 3) << 32 | rows["time"].astype(np.int64)
    trees = np.ascontiguousarray(rows["tree"]).tobytes()
    return GraphColumns(bytes(chunks[b"OIDL"]), trees, times, parents, starts, level >> 2)


def _parse_parents(
    first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32], edges: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the parents of each commit start, and the parents."""
    many = (second & _LAST_BIT) != 0
    ends = np.flatnonzero(edges & _LAST_BIT)
    at = (second[many] & ~_LAST_BIT).astype(np.int64)
    place = np.searchsorted(ends, at)
    if np.any(place >= len(ends)) or np.any((first == _NO_PARENT) & (second != _NO_PARENT)):
        raise CorruptDataError("edges of a commit in the commit-graph do not end", offset=_HEADER.size)
    counts = (first != _NO_PARENT).astype(np.int64)
    counts += ~many & (second != _NO_PARENT)
    listed = ends[place] - at + 1
    counts[many] += listed
    if int(listed.sum()) > len(edges):  # lists that overlap would make few bytes into many parents
        raise CorruptDataError("commits of the commit-graph share their edges", offset=_HEADER.size)
    starts = np.zeros(len(first) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    parents = np.empty(int(starts[-1]), np.int64)
    has_first = first != _NO_PARENT
    parents[starts[:-1][has_first]] = first[has_first]
    has_second = ~many & (second != _NO_PARENT)
    parents[starts[:-1][has_second] + 1] = second[has_second]
    within = np.arange(int(listed.sum()), dtype=np.int64) - np.repeat(np.cumsum(listed) - listed, listed)
    parents[np.repeat(starts[:-1][many] + 1, listed) + within] = edges[np.repeat(at, listed) + within] & ~_LAST_BIT
    return starts, parents


def _join(layers: list[GraphColumns]) -> GraphColumns:
    """Return the columns of all layers end to end."""
    offsets = np.cumsum([0, *(len(layer.parents) for layer in layers)])
    starts = [layer.parent_starts[:-1] + offset for layer, offset in zip(layers, offsets, strict=False)]
    return GraphColumns(
        b"".join(layer.oids for layer in layers), b"".join(layer.trees for layer in layers),
        np.concatenate([layer.times for layer in layers]), np.concatenate([layer.parents for layer in layers]),
        np.concatenate([*starts, offsets[-1:]]), np.concatenate([layer.levels for layer in layers]),
    )  # fmt: skip


def _check_levels(graph: GraphColumns, path: Path) -> None:
    """Hold every commit to a higher generation than its parents: such a graph has no cycle."""
    if not graph.levels.any():
        return
    children = np.repeat(graph.levels, np.diff(graph.parent_starts))
    if np.any((children <= graph.levels[graph.parents]) & (children < _LARGEST_LEVEL)):
        raise CorruptDataError("a commit of the commit-graph is not above its parents", source=os.fspath(path))
