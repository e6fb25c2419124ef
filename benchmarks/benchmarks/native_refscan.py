"""Reference scan alone. A change outside src/_native/refscan.pyx and refscan.h should not move these."""

import base64
import random

from siltstone._native import refscan

MIB = 1 << 20
DIGITS = b"0123456789abcdfghijklmnpqrsvwxyz"
WORDS = b"static int return const char struct void if else for while NULL size_t buf len name git_ error path".split()
PARTS = 100
PLACEHOLDER = bytes(32)


def parts_of(rng: random.Random) -> list[bytes]:
    """Return the hash parts that are searched for."""
    return [bytes(rng.choices(DIGITS, k=32)) for _ in range(PARTS)]


def content(kind: str, size: int, rng: random.Random) -> bytes:
    """Return *size* bytes of one kind; ``store`` is noise with a reference every 1,000 bytes, as in a program's archive."""
    if kind == "random":
        return rng.randbytes(size)
    if kind == "text":
        page = b"".join(b"\t" + b" ".join(rng.choices(WORDS, k=8)) + b" = %d;\n" % rng.getrandbits(20) for _ in range(4_000))
        return (page * (size // len(page) + 1))[:size]
    if kind == "base64":
        return base64.b64encode(rng.randbytes(size * 3 // 4))
    if kind == "digits":  # the worst case: every window could match
        return bytes(rng.choices(DIGITS, k=MIB)) * (size // MIB)
    pieces, parts = rng.randbytes(size), parts_of(random.Random(7))
    return b"".join(pieces[at:at + 956] + b"/nix/store/" + rng.choice(parts) + b"-" for at in range(0, size, 1_000))


class Scan:
    params = (["random", "text", "base64", "digits", "store"], refscan.variants())
    param_names = ("content", "variant")

    def setup(self, kind: str, variant: str) -> None:
        self.data = content(kind, 16 * MIB, random.Random(32))
        self.matcher = refscan.ReferenceMatcher(b"".join(parts_of(random.Random(7))), variant)
        self.seen = bytearray(PARTS)

    def time_mark(self, kind: str, variant: str) -> None:
        self.matcher.mark(self.data, self.seen)

    def track_found(self, kind: str, variant: str) -> int:
        seen = bytearray(PARTS)
        self.matcher.mark(self.data, seen)
        return sum(seen)

    track_found.unit = "references"


class Rewrite:
    """Taking references out of 16 MiB and putting them back, at 1 in 1,000 bytes."""

    def setup(self) -> None:
        self.parts = b"".join(parts_of(random.Random(7)))
        self.data = content("store", 16 * MIB, random.Random(32))
        self.matcher = refscan.ReferenceMatcher(self.parts)
        self.taken = bytearray(self.data)
        self.offsets, self.numbers, _ = self.matcher.take(self.taken, PLACEHOLDER)
        self.packed = refscan.pack_hits(self.offsets, self.numbers)

    def time_take(self) -> None:
        self.matcher.take(bytearray(self.data), PLACEHOLDER)

    def time_put(self) -> None:
        refscan.put(bytearray(self.taken), self.offsets, self.numbers, 0, self.parts, PLACEHOLDER)

    def time_pack(self) -> None:
        refscan.pack_hits(self.offsets, self.numbers)

    def time_unpack(self) -> None:
        refscan.unpack_hits(self.packed, len(self.offsets), PARTS, len(self.data))

    def peakmem_take(self) -> None:
        self.time_take()

    def track_packed_size(self) -> float:
        return len(self.packed) / len(self.offsets)

    track_packed_size.unit = "bytes/reference"
