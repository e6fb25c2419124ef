"""Packs of seeded random content and shape: roots, chains and bushes of deltas, both ways to name a base."""

from __future__ import annotations

import random

from tests.reference import delta as deltas
from tests.reference.pack_read import OFS_DELTA, REF_DELTA, Entry, name_of


def random_entries(seed: int, count: int, *, largest: int = 3000, roots: float = 0.2) -> list[Entry]:
    """*count* entries whose bases come before them; about one in five is whole."""
    source = random.Random(seed)
    entries: list[Entry] = []
    objects: list[tuple[int, bytes]] = []
    seen: set[bytes] = set()
    while len(entries) < count:
        whole = not entries or source.random() < roots
        base = 0 if whole else source.randrange(len(entries))
        if whole:
            kind, content = source.choice([1, 2, 3, 3, 3, 4]), source.randbytes(source.randrange(largest))
        else:
            kind, content = objects[base][0], b""
        program = b"" if whole else random_delta(source, objects[base][1])
        content = content if whole else deltas.apply(objects[base][1], program)
        name = name_of(kind, content)
        if name in seen:
            continue
        seen.add(name)
        objects.append((kind, content))
        if whole:
            entries.append(Entry(name, kind, content))
        elif source.random() < 0.5:
            entries.append(Entry(name, OFS_DELTA, program, len(entries) - base))
        else:
            entries.append(Entry(name, REF_DELTA, program, entries[base].name))
    return entries


def random_delta(source: random.Random, base: bytes) -> bytes:
    """A delta that keeps most of *base* and adds a little."""
    steps: list[deltas.Instruction] = [source.randbytes(source.randrange(1, 40))]
    for _ in range(source.randrange(4)):
        if base:
            start = source.randrange(len(base))
            steps.append((start, source.randint(1, len(base) - start)))
        steps.append(source.randbytes(source.randrange(1, 60)))
    return deltas.encode(len(base), steps)
