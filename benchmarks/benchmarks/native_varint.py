"""Variable-length integers alone. A change outside src/_native/cursor.pxd and varint.pyx should not move these."""

import random

from siltstone._native.varint import read_entry_header, read_varints


class Varints:
    """Small numbers, as field tags and lengths are, and large ones."""

    params = ([7, 63],)
    param_names = ("bits",)

    def setup(self, bits: int) -> None:
        source = random.Random(bits)
        out = bytearray()
        for _ in range(200_000):
            value = source.getrandbits(bits)
            while value >= 0x80:
                out.append(value & 0x7F | 0x80)
                value >>= 7
            out.append(value)
        self.data = bytes(out)

    def time_read_varints(self, bits: int) -> None:
        read_varints(self.data)

    def time_read_entry_header(self, bits: int) -> None:
        read_entry_header(b"\xb5\x8a\x05")

    def peakmem_read_varints(self, bits: int) -> None:
        read_varints(self.data)

    def track_bytes_per_value(self, bits: int) -> float:
        return len(self.data) / 200_000

    track_bytes_per_value.unit = "bytes"
