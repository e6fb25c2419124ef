"""The obvious twin of `_native.csr`: edge lists, a queue, and mutual reachability."""

from __future__ import annotations


def build_csr(row_count, sources, targets, kinds):
    """Return ``(offsets, order)`` as lists."""
    order = sorted(range(len(sources)), key=lambda edge: (sources[edge], targets[edge], kinds[edge], edge))
    offsets = [sum(source < row for source in sources) for row in range(row_count + 1)]
    return offsets, order


class Csr:
    """A graph in compressed sparse rows."""

    def __init__(self, offsets, neighbours, kinds):
        self.offsets, self.neighbours, self.kinds = offsets, neighbours, kinds

    def steps(self, row, mask):
        """Yield ``(position, neighbour)`` of the edges of *mask* from *row*."""
        for position in range(self.offsets[row], self.offsets[row + 1]):
            if mask >> self.kinds[position] & 1:
                yield position, self.neighbours[position]

    def reach(self, seeds, mask, depth, limit):
        """Return ``(rows, distances, entries, parents, cut, deeper)`` as lists and plain values."""
        seen, level, found, distance = set(seeds), sorted(set(seeds)), [], 0
        while level:
            distance += 1
            following = {}
            for row in level:
                for position, neighbour in self.steps(row, mask):
                    if neighbour not in seen:
                        seen.add(neighbour)
                        following[neighbour] = (distance, position, row)
            level = sorted(following)
            if distance > depth:
                return *_columns(found), 0, bool(level)
            found += [(row, *following[row]) for row in level]
            if len(found) > limit:
                return *_columns(found[:limit]), len(found) - limit, False
        return *_columns(found), 0, False

    def components(self, mask):
        """Return the component of each row as the smallest row in it, and how many there are."""
        rows = range(len(self.offsets) - 1)
        reached = [{row, *self.reach([row], mask, len(rows), len(rows))[0]} for row in rows]
        smallest = [min(other for other in reached[row] if row in reached[other]) for row in rows]
        return smallest, len(set(smallest))


def _columns(found):
    return [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
