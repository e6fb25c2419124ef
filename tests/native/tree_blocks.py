"""Blocks of trees as a walk hands them out: each base before what is made from it, deltas that cut records anywhere."""

from __future__ import annotations

import random
from array import array
from typing import NamedTuple

from tests.reference import delta
from tests.reference.varint import read_varint


class Block(NamedTuple):
    """What `TreeGraph.add_trees` takes."""

    data: bytes
    starts: array[int]
    ends: array[int]
    oids: bytes
    first: int
    deltas: tuple[bytes, array[int], array[int], array[int], array[int]]


def bounds(pieces: list[bytes]) -> tuple[array[int], array[int]]:
    """Where each piece lies once all are joined."""
    ends, total = array("q"), 0
    for piece in pieces:
        total += len(piece)
        ends.append(total)
    return array("q", [end - len(piece) for end, piece in zip(ends, pieces, strict=True)]), ends


def instructions(rng: random.Random, base: bytes, made: bytes) -> bytes:
    """Instructions, without sizes, that make one tree from another: copies of any length where bytes agree, else inserts."""
    steps: list[delta.Instruction] = []
    at = 0
    while at < len(made):
        start = base.find(made[at : at + rng.randint(1, 6)]) if rng.random() < 0.9 else -1
        if start < 0:
            size = rng.randint(1, 30)
            steps.append(made[at : at + size])
        else:
            size = 1
            while start + size < len(base) and at + size < len(made) and base[start + size] == made[at + size]:
                size += 1
            size = size if rng.random() < 0.7 else rng.randint(1, size)
            steps.append((start, size))
        at += size
    program = delta.encode(len(base), steps)
    return program[read_varint(program, read_varint(program, 0)[1])[1] :]


def make_blocks(rng: random.Random, trees: dict[bytes, bytes]) -> list[Block]:
    """Return *trees* in some blocks; most are made from one that came before them, some from one that was not handed out."""
    names = list(trees)
    bases = [rng.randrange(i) if i and rng.random() < 0.8 else -1 for i in range(len(names))]
    programs = [
        instructions(rng, trees[names[base]], trees[name]) if base >= 0 else b""
        for name, base in zip(names, bases, strict=True)
    ]
    children = [bases.count(i) for i in range(len(names))]
    blocks, first = [], 0
    while first < len(names):
        stop = first + rng.randint(1, len(names))
        pieces = [trees[name] for name in names[first:stop]]
        columns = (
            b"".join(programs[first:stop]), *bounds(programs[first:stop]), array("q", bases[first:stop]),
            array("i", children[first:stop]),
        )  # fmt: skip
        blocks.append(Block(b"".join(pieces), *bounds(pieces), b"".join(names[first:stop]), first, columns))
        first = stop
    return blocks
