"""Candidate kernel alone, trees from memory. A change outside its headers and those of trees should not move these."""

from __future__ import annotations

import hashlib
import random

import numpy as np

from siltstone._native.candidates import CandidateWalker
from siltstone._native.inflate import capsule


class Candidates:
    params = ([100, 1_000],)
    param_names = ("entries",)

    def setup(self, entries: int) -> None:
        rng = random.Random(40_400)
        records = [b"100644 file%06d.c\0" % i + rng.randbytes(20) for i in range(entries)]
        trees, roots = {}, []
        for _ in range(500):
            place = rng.randrange(entries)
            records[place] = records[place][:-20] + rng.randbytes(20)
            data = b"".join(records)
            roots.append(hashlib.sha1(data, usedforsecurity=False).digest())
            trees[roots[-1]] = data
        parents = np.arange(-1, 499, dtype=np.int64)
        self.rows = np.arange(500, dtype=np.int64)
        self.walker = CandidateWalker(
            [], b"".join(roots), parents, np.arange(501, dtype=np.int64), id_size=20, all_parents=False, limit_bytes=1 << 24,
            cache_bytes=1 << 27, rows=1 << 14, path_bytes=1 << 20, stream_bytes=1 << 24, find=trees.get, inflate=capsule(),
        )  # fmt: skip
        self.time_compare_neighbours(entries)

    def time_compare_neighbours(self, entries: int) -> None:
        self.walker.begin(self.rows)
        while not self.walker.next_block()[0]:
            pass
