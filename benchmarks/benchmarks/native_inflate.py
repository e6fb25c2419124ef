"""Inflation alone, by backend. A change outside src/_native/inflate.pyx should not move these."""

import random
import zlib

from siltstone._native.inflate import backends, inflate_exact


class Inflate:
    """A small tree-like entry, and a megabyte of text."""

    params = (["libdeflate", "zlib", "python"], [600, 1 << 20])
    param_names = ("backend", "size")

    def setup(self, backend: str, size: int) -> None:
        if backend not in backends():
            raise NotImplementedError  # asv's way to skip
        source = random.Random(1950)
        words = [source.randbytes(source.randrange(2, 9)).hex().encode() for _ in range(400)]
        self.content = b" ".join(source.choice(words) for _ in range(size // 5))[:size]
        self.stream = zlib.compress(self.content)

    def time_inflate(self, backend: str, size: int) -> None:
        inflate_exact(self.stream, size, backend=backend)

    def peakmem_inflate(self, backend: str, size: int) -> None:
        inflate_exact(self.stream, size, backend=backend)

    def track_ratio(self, backend: str, size: int) -> float:
        return size / len(self.stream)

    track_ratio.unit = "x"
