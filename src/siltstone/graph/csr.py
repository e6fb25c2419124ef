"""The graph in memory: sorted keys, and compressed sparse rows in both directions.

A row is the place of an entity's key among the sorted (unsigned) keys.  The arrays are stored as an image beside the
tables (`encode_columns`), so that opening a graph reads a few large values instead of every edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from siltstone._native.csr import Csr, build_csr
from siltstone.codeindex.entities import EdgeKind
from siltstone.core.errors import CorruptDataError

Rows = npt.NDArray[np.int32]
Keys = npt.NDArray[np.uint64]

_LAYOUT = {  # name -> stored type, little-endian. DO NOT CHANGE: stored
    "keys": "<u8", "kinds": "u1", "owners": "<i4",
    "forward_offsets": "<i8", "forward_neighbours": "<i4", "forward_kinds": "u1",
    "reverse_offsets": "<i8", "reverse_neighbours": "<i4", "reverse_kinds": "u1", "reverse_lines": "<i4",
}
BYTES_PER_ENTITY = 8 + 1 + 4 + 2 * 8
BYTES_PER_EDGE = 2 * (4 + 1) + 4


def mask_of(*kinds: EdgeKind) -> int:
    """Return the kernel's bit mask of edge kinds."""
    return sum(1 << kind for kind in set(kinds))


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk reached: parallel arrays, by distance and then by row; *positions* are edges of the walked direction."""

    rows: Rows
    distances: Rows
    positions: npt.NDArray[np.int64]
    parents: Rows
    cut: int
    deeper: bool


class Adjacency:
    """One direction of the graph."""

    __slots__ = ("_csr", "kinds", "neighbours", "offsets")

    def __init__(self, offsets: npt.NDArray[np.int64], neighbours: Rows, kinds: npt.NDArray[np.uint8]) -> None:
        self.offsets, self.neighbours, self.kinds = offsets, neighbours, kinds
        self._csr = Csr(offsets.data, neighbours.data, kinds.data)

    @classmethod
    def of(cls, row_count: int, sources: Rows, targets: Rows, kinds: npt.NDArray[np.uint8]) -> tuple[Adjacency, Rows]:
        """Return the rows of an edge list, and the order its edges were put in (for further columns of the edges)."""
        offsets, order = build_csr(row_count, _plain(sources), _plain(targets), _plain(kinds))
        places = np.frombuffer(order, np.int32)
        return cls(np.frombuffer(offsets, np.int64), frozen(targets[places]), frozen(kinds[places])), places

    def reach(self, seeds: Rows, mask: int, depth: int, limit: int) -> Walk:
        """Return what edges of *mask* reach from *seeds*, within *depth* edges and *limit* rows; the seeds are not in it."""
        rows, distances, positions, parents, cut, deeper = self._csr.reach(_plain(seeds), mask, depth, limit)
        return Walk(np.frombuffer(rows, np.int32), np.frombuffer(distances, np.int32),
                    np.frombuffer(positions, np.int64), np.frombuffer(parents, np.int32), cut, deeper)

    def components(self, mask: int) -> tuple[Rows, int]:
        """Return the strongly connected component of each row over edges of *mask*, and how many there are."""
        components, count = self._csr.components(mask)
        return np.frombuffer(components, np.int32), count

    def neighbours_of(self, row: int, mask: int) -> list[int]:
        """Return the rows that edges of *mask* lead to from *row*, ascending, each once."""
        start, end = self.offsets[row], self.offsets[row + 1]
        chosen = (mask >> self.kinds[start:end].astype(np.int64)) & 1
        return [int(row) for row in np.unique(self.neighbours[start:end][chosen.astype(bool)])]


@dataclass(frozen=True, slots=True)
class GraphIndex:
    """The whole graph as arrays; *owners* is the row of the file (else module) an entity lies in, or its own row."""

    keys: Keys
    kinds: npt.NDArray[np.uint8]
    owners: Rows
    forward: Adjacency
    reverse: Adjacency
    reverse_lines: Rows

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def edge_count(self) -> int:
        """Edges between entities that exist."""
        return len(self.forward.neighbours)

    @property
    def nbytes(self) -> int:
        """Bytes the arrays take."""
        return len(self) * BYTES_PER_ENTITY + self.edge_count * BYTES_PER_EDGE

    def row_of(self, key: int) -> int | None:
        """Return the row of *key*, None where the graph has no such entity."""
        row = int(np.searchsorted(self.keys, np.uint64(key)))
        return row if row < len(self.keys) and int(self.keys[row]) == key else None


def build_index(
    keys: Keys, kinds: npt.NDArray[np.uint8], owners: Rows,
    source_keys: Keys, target_keys: Keys, edge_kinds: npt.NDArray[np.uint8], lines: Rows,
) -> GraphIndex:
    """Return the index of entities with sorted *keys*; an edge that names an unknown entity is left out."""
    sources, targets = rows_of(keys, source_keys), rows_of(keys, target_keys)
    known = (sources >= 0) & (targets >= 0)
    if not known.all():
        sources, targets, edge_kinds, lines = sources[known], targets[known], edge_kinds[known], lines[known]
    forward, _ = Adjacency.of(len(keys), sources, targets, edge_kinds)
    reverse, order = Adjacency.of(len(keys), targets, sources, edge_kinds)
    return GraphIndex(keys, kinds, owners, forward, reverse, lines[order])


def rows_of(keys: Keys, wanted: Keys) -> Rows:
    """Return the row of each wanted key, -1 where it is not among the sorted *keys*."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int32)
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[rows] == wanted, rows, -1).astype(np.int32)


def encode_columns(index: GraphIndex) -> dict[str, Any]:
    """Return the stored form: name → bytes-like."""
    columns = {
        "keys": index.keys, "kinds": index.kinds, "owners": index.owners,
        "forward_offsets": index.forward.offsets, "forward_neighbours": index.forward.neighbours,
        "forward_kinds": index.forward.kinds, "reverse_offsets": index.reverse.offsets,
        "reverse_neighbours": index.reverse.neighbours, "reverse_kinds": index.reverse.kinds,
        "reverse_lines": index.reverse_lines,
    }
    return {name: np.ascontiguousarray(columns[name], layout).tobytes() for name, layout in _LAYOUT.items()}


def decode_columns(stored: Mapping[str, bytes], source: str) -> GraphIndex:
    """Return the index of a stored image. Raises CorruptDataError where its columns do not fit together."""
    column: dict[str, Any] = {}
    for name, layout in _LAYOUT.items():
        data = stored.get(name)
        if data is None or len(data) % np.dtype(layout).itemsize:
            raise CorruptDataError(f"column {name} of the graph image is missing or cut short", source=source)
        column[name] = frozen(np.frombuffer(data, layout).astype(np.dtype(layout).newbyteorder("="), copy=False))
    keys, owners, count = column["keys"], column["owners"], len(column["keys"])
    fits = len(column["kinds"]) == len(owners) == count and len(column["reverse_lines"]) == len(column["reverse_kinds"])
    if not fits or (keys[1:] <= keys[:-1]).any() or ((owners < 0) | (owners >= count)).any():
        raise CorruptDataError("the columns of the graph image do not fit together", source=source)
    try:
        forward, reverse = (
            Adjacency(column[f"{way}_offsets"], column[f"{way}_neighbours"], column[f"{way}_kinds"])
            for way in ("forward", "reverse")
        )
    except CorruptDataError as error:
        raise error.within(source) from error
    if not len(forward.offsets) == len(reverse.offsets) == count + 1:
        raise CorruptDataError("the rows of the graph image do not fit its keys", source=source)
    return GraphIndex(keys, column["kinds"], owners, forward, reverse, column["reverse_lines"])


def frozen(column: Any) -> Any:
    """Return *column* marked read-only, as the kernel demands of what it keeps."""
    column = np.ascontiguousarray(column)
    column.flags.writeable = False
    return column


def _plain(column: Any) -> Any:
    return np.ascontiguousarray(column)
