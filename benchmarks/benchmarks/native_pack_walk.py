"""The decode-once walk alone. A change outside src/_native/pack_walk.pyx, walk_*.pxd, pack_forest.pxd, pack_entry.pxd,
delta_ops.pxd and inflate.pyx should not move these."""

import os
import shutil

from siltstone._native.inflate import capsule
from siltstone._native.pack_walk import PackForest, PackWalker
from siltstone.gitobjects.pack_index import read_pack_index

from .packs import make_repository


class Walk:
    """Six thousand objects in long chains, with all memory and with next to none."""

    params = ([1 << 28, 0],)
    param_names = ("live_bytes",)

    def setup(self, live_bytes: int) -> None:
        self.folder = make_repository(250)
        (path,) = (self.folder / "objects" / "pack").glob("*.pack")
        self.index = read_pack_index(path.with_suffix(".idx"), 20)
        self.descriptor = os.open(path, os.O_RDONLY)
        self.end = path.stat().st_size - 20

    def teardown(self, live_bytes: int) -> None:
        os.close(self.descriptor)
        shutil.rmtree(self.folder)

    def open_forest(self) -> PackForest:
        index = self.index
        return PackForest(
            index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, id_size=20,
            end=self.end, descriptor=self.descriptor,
        )

    def walk(self, live_bytes: int, *, deltas: bool = False) -> PackWalker:
        forest = self.open_forest()
        forest.select(b"\1" * len(self.index), children=deltas)
        walker = PackWalker(forest, limit_bytes=1 << 28, live_bytes=live_bytes, inflate=capsule(), deltas=deltas)
        while walker.next_block(1 << 16) is not None:
            pass
        return walker

    def time_headers(self, live_bytes: int) -> None:
        self.open_forest()

    def time_walk(self, live_bytes: int) -> None:
        self.walk(live_bytes)

    def time_walk_with_deltas(self, live_bytes: int) -> None:
        self.walk(live_bytes, deltas=True)

    def peakmem_walk(self, live_bytes: int) -> None:
        self.walk(live_bytes)

    def track_peak_of_bases(self, live_bytes: int) -> int:
        return self.walk(live_bytes).peak_bytes

    track_peak_of_bases.unit = "bytes"

    def track_revived(self, live_bytes: int) -> int:
        return self.walk(live_bytes).revived

    track_revived.unit = "bases"
