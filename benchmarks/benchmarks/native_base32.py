"""Nix base 32 alone. A change outside src/_native/base32.pyx should not move these."""

import random

from siltstone._native.base32 import decode, decode_batch, encode, encode_batch, encode_texts, variants


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


class Base32Batch:
    """100,000 digests at once, by each variant this machine can run."""

    params = (variants(), (20, 32, 64))
    param_names = ("kernel", "size")

    def setup(self, kernel: str, size: int) -> None:
        self.data = random.Random(32).randbytes(size * 100_000)
        self.text = encode_batch(self.data, size)

    def time_encode(self, kernel: str, size: int) -> None:
        encode_batch(self.data, size, kernel)

    def time_encode_texts(self, kernel: str, size: int) -> None:
        encode_texts(self.data, size, kernel)

    def time_decode(self, kernel: str, size: int) -> None:
        decode_batch(self.text, size, kernel)

    def peakmem_encode(self, kernel: str, size: int) -> None:
        encode_batch(self.data, size, kernel)
