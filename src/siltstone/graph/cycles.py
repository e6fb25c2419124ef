"""Cycles over one kind of edge: strongly connected components, a shortest way round each, and self-loops.

Imports are followed between files: a file imports another where anything in it imports anything there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from siltstone.codeindex.entities import EdgeKind
from siltstone.graph.csr import Adjacency, GraphIndex, frozen

_ANY = 1  # the one kind bit of a graph that holds one kind


@dataclass(frozen=True, slots=True)
class Component:
    """The rows of a cycle, ascending, in the graph that it was found in."""

    rows: tuple[int, ...]
    within: Adjacency


def find_components(index: GraphIndex, kind: EdgeKind) -> tuple[list[Component], list[int]]:
    """Return the components of more than one row, and the rows with an edge to themselves; linear in the graph."""
    sources = np.repeat(np.arange(len(index), dtype=np.int32), np.diff(index.forward.offsets))
    chosen = index.forward.kinds == kind
    sources, targets = sources[chosen], index.forward.neighbours[chosen]
    if kind is EdgeKind.IMPORTS:
        sources, targets = index.owners[sources], index.owners[targets]
    same = sources == targets
    loops = [int(row) for row in np.unique(sources[same])]
    sources, targets = frozen(sources[~same]), frozen(targets[~same])
    adjacency, _ = Adjacency.of(len(index), sources, targets, np.zeros(len(sources), np.uint8))
    numbers, count = adjacency.components(_ANY)
    sizes = np.bincount(numbers, minlength=count)
    rows = np.flatnonzero(sizes[numbers] > 1)
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    groups: list[Any] = np.split(rows, np.flatnonzero(np.diff(numbers[rows])) + 1) if len(rows) else []
    return [Component(tuple(group.tolist()), adjacency) for group in groups], loops


def way_round(component: Component, first: int) -> list[int]:
    """Return the rows of a shortest cycle through *first*, starting there; of several, the one of the smaller rows."""
    members = set(component.rows)
    before: dict[int, int] = {}
    queue = deque([first])
    while queue:
        row = queue.popleft()
        for neighbour in component.within.neighbours_of(row, _ANY):
            if neighbour == first:
                return _trace(before, first, row)
            if neighbour in members and neighbour not in before:
                before[neighbour] = row
                queue.append(neighbour)
    raise AssertionError("a strongly connected component has a way round")


def _trace(before: dict[int, int], first: int, last: int) -> list[int]:
    way = [last]
    while way[-1] != first:
        way.append(before[way[-1]])
    return way[::-1]
