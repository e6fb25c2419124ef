"""The spill arena alone. A change outside src/_native/spill_arena.pyx and arena.pxd should not move these."""

import random
import tempfile

from siltstone._native.spill_arena import SpillArena

COUNT = 2_000


class Objects:
    """Two thousand objects of one size, in a folder for temporary files."""

    params = ([512, 16_384],)
    param_names = ("size",)

    def setup(self, size: int) -> None:
        source = random.Random(21)
        self.ids = [source.randbytes(20) for _ in range(COUNT)]
        self.data = source.randbytes(size)
        self.arena = self.filled()

    def filled(self) -> SpillArena:
        arena = SpillArena(tempfile.gettempdir().encode(), size_bytes=1 << 30, entries=COUNT, id_size=20)
        for oid in self.ids:
            arena.put(oid, self.data)
        return arena

    def teardown(self, size: int) -> None:
        self.arena.close()

    def time_put(self, size: int) -> None:
        self.filled().close()

    def time_get(self, size: int) -> None:
        for oid in self.ids:
            self.arena.get(oid)

    def time_get_mapped(self, size: int) -> None:
        for oid in self.ids:
            self.arena.get(oid, mapped=True)

    def time_find_absent(self, size: int) -> None:
        for oid in self.ids:
            self.arena.find(oid[::-1])

    def peakmem_get_mapped(self, size: int) -> None:
        self.time_get_mapped(size)
