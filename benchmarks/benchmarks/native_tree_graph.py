"""Tree graph kernel alone. A change outside src/_native/tree_graph.pyx and its headers should not move these."""

from __future__ import annotations

import random
from array import array

from siltstone._native.tree_graph import TreeGraph


class History:
    """A root of 30 folders of 40 files, changed 2,000 times in one file: 4,030 trees, 142,000 records."""

    def setup(self) -> None:
        rng = random.Random(40_001)
        folders = [[rng.randbytes(20) for _ in range(40)] for _ in range(30)]
        names, pieces, self.roots = [], [], []
        current = [rng.randbytes(20) for _ in folders]
        for step in range(2_000 + len(folders)):
            place = step % len(folders)
            folders[place][rng.randrange(40)] = rng.randbytes(20)
            current[place] = rng.randbytes(20)
            names.append(current[place])
            pieces.append(b"".join(b"100644 file%02d\0" % i + oid for i, oid in enumerate(folders[place])))
            names.append(rng.randbytes(20))
            pieces.append(b"".join(b"40000 folder%02d\0" % i + oid for i, oid in enumerate(current)))
            self.roots.append(names[-1])
        ends, total = array("q"), 0
        for piece in pieces:
            total += len(piece)
            ends.append(total)
        starts = array("q", [end - len(piece) for end, piece in zip(ends, pieces, strict=True)])
        self.block = (b"".join(pieces), starts, ends, b"".join(names))
        self.targets = b"".join(sorted({folders[3][0], folders[29][39], bytes(20)}))
        self.graph = TreeGraph(self.targets, 20)
        self.graph.add_trees(*self.block)

    def time_add_trees(self) -> None:
        TreeGraph(self.targets, 20).add_trees(*self.block)

    def time_first_holders(self) -> None:
        self.graph.first_holders(b"".join(self.roots))

    def time_holding_trees(self) -> None:
        self.graph.holding_trees(self.roots[-1], self.targets)

    def track_bytes_per_tree(self) -> float:
        return self.graph.memory_bytes / len(self.graph)

    track_bytes_per_tree.unit = "bytes"
