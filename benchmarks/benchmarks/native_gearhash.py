"""Cut-point kernel of xet alone. A change outside src/_native/gearhash.pyx and cut_after.pxd should not move these."""

from siltstone._native.gearhash import CutScanner, cut_offsets
from siltstone.content.profiles import Profile

from .native_gear import MIB, PIECE, content_of


def rules_of(target_kib: int) -> tuple:
    """Return what the kernel takes after the data."""
    return Profile.xet(target_kib << 10).rules


class CutPoints:
    """The whole buffer in one call."""

    params = (["random", "zeros", "text"], [8, 64])
    param_names = ("content", "target_kib")

    def setup(self, content: str, target_kib: int) -> None:
        self.data = content_of(content, 32 * MIB)
        self.rules = rules_of(target_kib)

    def time_cut_offsets(self, content: str, target_kib: int) -> None:
        cut_offsets(self.data, *self.rules)

    def peakmem_cut_offsets(self, content: str, target_kib: int) -> None:
        cut_offsets(self.data, *self.rules)

    def track_mean_chunk(self, content: str, target_kib: int) -> float:
        return len(self.data) / len(cut_offsets(self.data, *self.rules))

    track_mean_chunk.unit = "bytes"


class Scanner:
    """The same input in pieces of 64 KiB."""

    def setup(self) -> None:
        data = memoryview(content_of("random", 32 * MIB))
        self.pieces = [data[start:start + PIECE] for start in range(0, len(data), PIECE)]
        self.rules = rules_of(64)

    def time_feed(self) -> None:
        scanner = CutScanner(*self.rules)
        for piece in self.pieces:
            scanner.feed(piece)
