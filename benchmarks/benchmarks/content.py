"""The content layer: storing and restoring as a user calls them. Kernels and codecs move these as well."""

import io
import random
import shutil
import tempfile
from pathlib import Path

from siltstone.content.store import ChunkStore

MIB = 1 << 20
WORDS = [b"layer", b"silt", b"stone", b"river", b"bed", b"sand", b"clay", b"fossil", b"\n", b" ", b"\t", b"0x%x"]


def mixed_content(size: int) -> bytes:
    """Return half words, half noise: about what a tree of programs and documents is to a compressor."""
    rng = random.Random(1966)
    words = b" ".join(rng.choices(WORDS, k=size // 8))[: size // 2]
    return words + rng.randbytes(size - len(words))


class Store:
    """16 MiB into a new store, into one that has it, and out of it."""

    def setup(self) -> None:
        self.data = mixed_content(16 * MIB)
        self.folder = Path(tempfile.mkdtemp(prefix="siltstone-bench-"))
        self.full = ChunkStore.open(self.folder / "full", create=True)
        self.full.put("file", io.BytesIO(self.data))
        self.turn = 0

    def teardown(self) -> None:
        self.full.close()
        shutil.rmtree(self.folder)

    def time_put_new(self) -> None:
        self.turn += 1
        with ChunkStore.open(self.folder / str(self.turn), create=True) as store:
            store.put("file", io.BytesIO(self.data))

    def time_put_known(self) -> None:
        self.turn += 1
        self.full.put(f"copy {self.turn}", io.BytesIO(self.data))

    def time_get(self) -> None:
        for _ in self.full.iter_chunks("file"):
            pass

    def time_verify(self) -> None:
        assert not self.full.verify().problems

    def time_gc_with_nothing_to_do(self) -> None:
        self.full.gc()

    def time_open(self) -> None:
        ChunkStore.open(self.folder / "full").close()

    def peakmem_put_new(self) -> None:
        self.time_put_new()

    def track_chunks_shared_after_an_insertion(self) -> float:
        half = len(self.data) // 2
        before = self.full.stats().chunks
        stored = self.full.put("changed", io.BytesIO(self.data[:half] + b"inserted" + self.data[half:]), replace=True)
        return 1 - (self.full.stats().chunks - before) / stored.chunks

    track_chunks_shared_after_an_insertion.unit = "share"
