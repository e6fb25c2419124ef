"""Inputs on which ways to chunk could differ, profiles small enough to see many chunks, and files that give little."""

from __future__ import annotations

import random

from siltstone.content.profiles import Profile

SMALL = Profile(minimum=64, target=256, maximum=1024)
ODD = Profile(minimum=65, target=257, maximum=1025)
PROFILES = [SMALL, ODD]
KINDS = ["random", "zeros", "text", "periodic", "zeros with islands"]


def content(kind: str, size: int, seed: int = 0) -> bytes:
    """Return *size* bytes of *kind*, the same ones each time."""
    rng = random.Random(f"{kind} {seed}")
    if kind == "random":
        return rng.randbytes(size)
    if kind == "zeros":
        return bytes(size)
    if kind == "text":
        words = [rng.randbytes(rng.randint(1, 9)).hex().encode() for _ in range(100)]
        return b" ".join(rng.choices(words, k=size // 4 + 1))[:size]
    if kind == "periodic":  # a cut, if any, at each turn: guesses and true cuts may run beside each other for ever
        period = rng.randbytes(rng.choice([37, 311, 700, 1500]))
        return (period * (size // len(period) + 1))[:size]
    data = bytearray(size)
    for _ in range(size // 20_000):
        at = rng.randrange(size)
        island = rng.randbytes(500)[:size - at]
        data[at:at + len(island)] = island
    return bytes(data)


class Dribble:
    """A raw file whose reads give what *sizes* say in turn, never more than is asked for."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes = data, sizes
        self.position = self.reads = 0

    def readinto(self, room: memoryview) -> int:
        piece = self.data[self.position:self.position + min(len(room), self.sizes[self.reads % len(self.sizes)])]
        room[:len(piece)] = piece
        self.position += len(piece)
        self.reads += 1
        return len(piece)


class ReadOnly:
    """An object with nothing but ``read``."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._file = Dribble(data, sizes)

    def read(self, size: int) -> bytes:
        room = memoryview(bytearray(size))
        return bytes(room[:self._file.readinto(room)])
