"""Compressed sparse rows alone. A change outside src/_native/csr.pyx should not move these."""

import numpy as np

from siltstone._native.csr import Csr, build_csr

EDGES_PER_ROW = 4
ALL = 0xFF


class Rows:
    params = (["random", "ring", "star"], [100_000])
    param_names = ("shape", "rows")

    def setup(self, shape, rows):
        generator = np.random.default_rng(2016)  # same graph on every machine
        count = rows * EDGES_PER_ROW
        ring = np.arange(count, dtype=np.int32) % rows
        self.rows = rows
        self.sources = generator.integers(0, rows, count, np.int32) if shape == "random" else ring
        self.targets = {
            "random": lambda: generator.integers(0, rows, count, np.int32),
            "ring": lambda: (ring + 1) % rows,
            "star": lambda: np.zeros(count, np.int32),
        }[shape]()
        self.kinds = generator.integers(0, 7, count).astype(np.uint8)
        offsets, order = build_csr(rows, self.sources, self.targets, self.kinds)
        places = np.frombuffer(order, np.int32)
        columns = [np.frombuffer(offsets, np.int64), self.targets[places], self.kinds[places]]
        for column in columns:
            column.flags.writeable = False
        self.columns = columns
        self.csr = Csr(*columns)
        self.seed = np.array([rows // 2], np.int32)

    def time_build(self, shape, rows):
        build_csr(self.rows, self.sources, self.targets, self.kinds)

    def time_check(self, shape, rows):
        Csr(*self.columns)

    def time_reach_everything(self, shape, rows):
        self.csr.reach(self.seed, ALL, rows, rows)

    def time_reach_two_steps(self, shape, rows):
        self.csr.reach(self.seed, ALL, 2, 1000)

    def time_components(self, shape, rows):
        self.csr.components(ALL)

    def peakmem_build(self, shape, rows):
        build_csr(self.rows, self.sources, self.targets, self.kinds)

    def track_reached(self, shape, rows):
        return len(self.csr.reach(self.seed, ALL, rows, rows)[0]) // 4

    track_reached.unit = "rows"
