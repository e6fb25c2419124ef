"""Random reads of one pack alone. A change outside src/_native/pack_read.pyx, base_cache.pxd, pack_entry.pxd,
delta_ops.pxd and inflate.pyx should not move these."""

import os
import random
import shutil

from siltstone._native.inflate import capsule
from siltstone._native.pack_read import PackReader
from siltstone.gitobjects.pack_index import read_pack_index

from .packs import make_repository


class Reads:
    """Three thousand reads in random order, with kept bases and without."""

    params = ([0, 1 << 26],)
    param_names = ("cache_bytes",)

    def setup(self, cache_bytes: int) -> None:
        self.folder = make_repository(250)
        (path,) = (self.folder / "objects" / "pack").glob("*.pack")
        index = read_pack_index(path.with_suffix(".idx"), 20)
        self.descriptor = os.open(path, os.O_RDONLY)
        self.reader = PackReader(
            index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, id_size=20,
            end=path.stat().st_size - 20, limit_bytes=1 << 28, cache_bytes=cache_bytes, inflate=capsule(),
        )
        names = [index.name(position) for position in range(len(index))]
        self.names = random.Random(3).choices(names, k=3000)

    def teardown(self, cache_bytes: int) -> None:
        os.close(self.descriptor)
        shutil.rmtree(self.folder)

    def time_read(self, cache_bytes: int) -> None:
        for name in self.names:
            self.reader.read(name, self.descriptor)

    def peakmem_read(self, cache_bytes: int) -> None:
        self.time_read(cache_bytes)

    def track_bytes(self, cache_bytes: int) -> int:
        return sum(len(self.reader.read(name, self.descriptor)[1]) for name in self.names[:500])

    track_bytes.unit = "bytes"
