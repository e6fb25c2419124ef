"""The table of one pack alone. A change outside src/_native/pack_table.pyx, pack_entry.pxd and inflate.pyx should not move
these."""

import os
import shutil

from siltstone._native.inflate import capsule
from siltstone._native.pack_table import read_pack_table
from siltstone.gitobjects.pack_index import read_pack_index

from .packs import make_repository


class Tables:
    """Headers alone, and with the sizes that deltas state."""

    params = ([False, True],)
    param_names = ("sizes",)

    def setup(self, sizes: bool) -> None:
        self.folder = make_repository(250)
        (path,) = (self.folder / "objects" / "pack").glob("*.pack")
        index = read_pack_index(path.with_suffix(".idx"), 20)
        self.columns = (index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data)
        self.end = path.stat().st_size - 20
        self.descriptor = os.open(path, os.O_RDONLY)

    def teardown(self, sizes: bool) -> None:
        os.close(self.descriptor)
        shutil.rmtree(self.folder)

    def time_read(self, sizes: bool) -> None:
        self.read(sizes)

    def peakmem_read(self, sizes: bool) -> None:
        self.read(sizes)

    def track_entries(self, sizes: bool) -> int:
        return len(self.read(sizes)[0])

    def read(self, sizes: bool) -> tuple[bytearray, bytearray, bytearray, bytearray]:
        return read_pack_table(*self.columns, id_size=20, end=self.end, descriptor=self.descriptor, limit_bytes=1 << 28,
                               sizes=sizes, inflate=capsule())

    track_entries.unit = "entries"
