"""Sets of object ids alone. A change outside src/_native/spill_index.pyx should not move these."""

import random

from siltstone._native.spill_index import SpillIndex, find_repeats


class Ids:
    """A million ids of 20 bytes."""

    params = ([100_000, 1_000_000],)
    param_names = ("count",)

    def setup(self, count: int) -> None:
        self.ids = random.Random(20).randbytes(20 * count)
        self.table = SpillIndex(count, 20)
        self.table.put_many(self.ids)

    def time_put_many(self, count: int) -> None:
        SpillIndex(count, 20).put_many(self.ids)

    def time_contains_many(self, count: int) -> None:
        self.table.contains_many(self.ids)

    def time_find_repeats(self, count: int) -> None:
        find_repeats([self.ids, self.ids], 20)

    def peakmem_put_many(self, count: int) -> None:
        SpillIndex(count, 20).put_many(self.ids)

    def track_bytes_per_id(self, count: int) -> float:
        return self.table.held_bytes / count

    track_bytes_per_id.unit = "bytes"
