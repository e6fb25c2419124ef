"""Delta application alone. A change outside src/_native/delta_ops.pxd and delta.pyx should not move these."""

import random

from siltstone._native.delta import apply, result_size


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class Delta:
    """Many short pieces, as in source code; few long ones, as in large files."""

    params = ([20, 500, 60_000],)
    param_names = ("piece",)

    def setup(self, piece: int) -> None:
        source = random.Random(piece)
        self.base = source.randbytes(1 << 18)
        body, size = bytearray(), 0
        while size < 1 << 18:
            start = source.randrange(len(self.base) - piece)
            body += b"\xb7" + start.to_bytes(3, "little") + piece.to_bytes(2, "little") + b"\x04edit"
            size += piece + 4
        self.delta = varint(len(self.base)) + varint(size) + bytes(body)

    def time_apply(self, piece: int) -> None:
        apply(self.base, self.delta)

    def time_prove(self, piece: int) -> None:
        result_size(self.base, self.delta)

    def peakmem_apply(self, piece: int) -> None:
        apply(self.base, self.delta)

    def track_expansion(self, piece: int) -> float:
        return len(apply(self.base, self.delta)) / len(self.delta)

    track_expansion.unit = "x"
