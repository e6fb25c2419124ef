"""Trees compared through windows. A change outside src/_native/tree_*.p* and arena.pxd should not move these."""

import random
import tempfile

from siltstone._native.spill_arena import SpillArena
from siltstone._native.tree_entries import diff_entries
from siltstone._native.tree_stream import TreeDiffStream, TreeStream


class Pairs:
    """Two trees that differ in one record in the middle."""

    params = ([1_000, 100_000],)
    param_names = ("records",)

    def setup(self, records: int) -> None:
        source = random.Random(22)
        rows = [b"100644 file-%06d.c\0" % number + source.randbytes(20) for number in range(records)]
        self.old = b"".join(rows)
        rows[records // 2] = rows[records // 2][:-20] + source.randbytes(20)
        self.new = b"".join(rows)
        self.arena = SpillArena(tempfile.gettempdir().encode(), size_bytes=1 << 26, entries=0, id_size=20)
        self.places = [self.arena.append(data) for data in (self.old, self.new)]
        self.capsule = self.arena.capsule()

    def teardown(self, records: int) -> None:
        self.arena.close()

    def time_whole(self, records: int) -> None:
        diff_entries(self.old, self.new, 20)

    def time_streamed_from_memory(self, records: int) -> None:
        list(TreeDiffStream(TreeStream(self.old, 20), TreeStream(self.new, 20), 20))

    def time_streamed_from_the_arena(self, records: int) -> None:
        old, new = (
            TreeStream(self.capsule, 20, offset=place, size=len(data))
            for place, data in zip(self.places, (self.old, self.new), strict=True)
        )
        list(TreeDiffStream(old, new, 20))

    def time_records(self, records: int) -> None:
        for _ in TreeStream(self.old, 20):
            pass
