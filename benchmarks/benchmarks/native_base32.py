"""Nix base 32 alone. A change outside src/_native/base32.pyx should not move these."""

import random

from siltstone._native.base32 import decode, encode


class Base32:
    """A digest, as store paths hold it, and one long value."""

    params = (32, 1 << 20)
    param_names = ("size",)

    def setup(self, size: int) -> None:
        self.data = random.Random(32).randbytes(size)
        self.text = encode(self.data)

    def time_encode(self, size: int) -> None:
        encode(self.data)

    def time_decode(self, size: int) -> None:
        decode(self.text)

    def peakmem_decode(self, size: int) -> None:
        decode(self.text)

    def track_text_length(self, size: int) -> int:
        return len(self.text)

    track_text_length.unit = "digits"
