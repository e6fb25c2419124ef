"""Tree graph kernel alone. A change outside src/_native/tree_graph.pyx and its headers should not move these."""

from __future__ import annotations

import random
from array import array

from siltstone._native.tree_graph import TreeGraph

FOLDERS, FILES, STEPS = 30, 40, 2_000


def bounds(pieces: list[bytes]) -> tuple[array[int], array[int]]:
    """Where each piece lies once all are joined."""
    ends, total = array("q"), 0
    for piece in pieces:
        total += len(piece)
        ends.append(total)
    return array("q", [end - len(piece) for end, piece in zip(ends, pieces, strict=True)]), ends


def replace_id(size: int, at: int, oid: bytes) -> bytes:
    """Instructions that replace one id of a tree of *size* bytes."""
    rest = at + 20
    tail = b"\xb3" + rest.to_bytes(2, "little") + (size - rest).to_bytes(2, "little") if rest < size else b""
    return b"\xb0" + at.to_bytes(2, "little") + b"\x14" + oid + tail


class History:
    """A root of 30 folders of 40 files, changed 2,000 times in one file: 4,030 trees, 142,000 records."""

    def setup(self) -> None:
        rng = random.Random(40_001)
        folders = [[rng.randbytes(20) for _ in range(FILES)] for _ in range(FOLDERS)]
        names, pieces, programs, self.roots = [], [], [], []
        current = [rng.randbytes(20) for _ in folders]
        for step in range(STEPS + FOLDERS):
            place, file = step % FOLDERS, rng.randrange(FILES)
            folders[place][file] = rng.randbytes(20)
            current[place] = rng.randbytes(20)
            pieces.append(b"".join(b"100644 file%02d\0" % i + oid for i, oid in enumerate(folders[place])))
            programs.append(replace_id(len(pieces[-1]), 34 * file + 14, folders[place][file]))
            pieces.append(b"".join(b"40000 folder%02d\0" % i + oid for i, oid in enumerate(current)))
            programs.append(replace_id(len(pieces[-1]), 35 * place + 15, current[place]))
            names += [current[place], rng.randbytes(20)]
            self.roots.append(names[-1])
        bases = array("q", [i - (2 if i & 1 else 2 * FOLDERS) for i in range(len(names))])
        bases = array("q", [max(base, -1) for base in bases])
        children = array("i", [bases.count(i) for i in range(len(names))])
        self.block = (b"".join(pieces), *bounds(pieces), b"".join(names))
        self.deltas = (b"".join(programs), *bounds(programs), bases, children)
        self.targets = b"".join(sorted({folders[3][0], folders[29][39], bytes(20)}))
        self.graph = TreeGraph(self.targets, 20)
        self.graph.add_trees(*self.block, deltas=self.deltas)

    def time_add_trees(self) -> None:
        TreeGraph(self.targets, 20).add_trees(*self.block)

    def time_add_trees_made_by_deltas(self) -> None:
        TreeGraph(self.targets, 20).add_trees(*self.block, deltas=self.deltas)

    def time_first_holders(self) -> None:
        self.graph.first_holders(b"".join(self.roots))

    def time_leading_positions(self) -> None:
        self.graph.leading_positions(b"".join(self.roots))

    def track_bytes_per_tree(self) -> float:
        return self.graph.memory_bytes / len(self.graph)

    track_bytes_per_tree.unit = "bytes"
