"""The check of trees against known ids alone. A change outside src/_native/absent_ids.pyx should not move these."""

from __future__ import annotations

import random
from array import array

from siltstone._native.absent_ids import KnownIds


class CheckTrees:
    """300 versions of a tree of 500 files, each with one entry changed."""

    def setup(self):
        rng = random.Random(41)
        oids = [rng.randbytes(20) for _ in range(500)]
        trees = []
        for version in range(300):
            oids[version % 500] = rng.randbytes(20)
            trees.append(b"".join(b"100644 file%04d.c\0" % place + oid for place, oid in enumerate(oids)))
        self.data = b"".join(trees)
        self.starts = array("q", (len(trees[0]) * number for number in range(300)))
        self.ends = array("q", (len(trees[0]) * number for number in range(1, 301)))
        self.known = KnownIds(20)
        self.known.add_many(b"".join(tree[at + 17 : at + 37] for tree in trees for at in range(0, len(tree), 37)))

    def time_check_trees(self):
        self.known.check_trees(self.data, self.starts, self.ends)

    def peakmem_check_trees(self):
        self.known.check_trees(self.data, self.starts, self.ends)

    def track_absent(self):
        return len(self.known.check_trees(self.data, self.starts, self.ends)) // 20

    track_absent.unit = "ids"
