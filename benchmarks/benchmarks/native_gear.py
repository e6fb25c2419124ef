"""Cut-point kernel alone. A change outside src/_native/gear.pyx should not move these."""

import random

from siltstone._native.gear import CutScanner, available, cut_offsets
from siltstone.content.profiles import Profile

MIB = 1 << 20
PIECE = 64 << 10


def content_of(kind: str, size: int) -> bytes:
    """Return the same bytes on every machine."""
    if kind == "zeros":
        return bytes(size)
    if kind == "text":
        return (b"the quick brown fox jumps over the lazy dog\n" * (size // 44 + 1))[:size]
    return random.Random(2016).randbytes(size)


class CutPoints:
    """The whole buffer in one call."""

    params = (["random", "zeros", "text"], [8, 64])
    param_names = ("content", "target_kib")

    def setup(self, content: str, target_kib: int) -> None:
        target = target_kib << 10
        self.data = content_of(content, 32 * MIB)
        self.rules = Profile(minimum=target // 4, target=target, maximum=8 * target).rules

    def time_cut_offsets(self, content: str, target_kib: int) -> None:
        cut_offsets(self.data, *self.rules)

    def peakmem_cut_offsets(self, content: str, target_kib: int) -> None:
        cut_offsets(self.data, *self.rules)

    def track_mean_chunk(self, content: str, target_kib: int) -> float:
        return len(self.data) / len(cut_offsets(self.data, *self.rules))

    track_mean_chunk.unit = "bytes"


class Kernels:
    """Random bytes by each kernel; where one cannot run, its row is empty."""

    params = (["scalar", "avx512-vbmi"], [16, 64, 512])
    param_names = ("kernel", "target_kib")

    def setup(self, kernel: str, target_kib: int) -> None:
        if kernel not in available():
            raise NotImplementedError
        target = target_kib << 10
        self.data = content_of("random", 32 * MIB)
        self.rules = Profile(minimum=target // 4, target=target, maximum=8 * target).rules

    def time_cut_offsets(self, kernel: str, target_kib: int) -> None:
        cut_offsets(self.data, *self.rules, kernel=kernel)


class Scanner:
    """The same input in pieces of 64 KiB."""

    def setup(self) -> None:
        data = memoryview(content_of("random", 32 * MIB))
        self.pieces = [data[start:start + PIECE] for start in range(0, len(data), PIECE)]
        self.rules = Profile().rules

    def time_feed(self) -> None:
        scanner = CutScanner(*self.rules)
        for piece in self.pieces:
            scanner.feed(piece)
