"""A plain mutation loop: seeded, counted, with a list of the outcomes that are allowed."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence

from siltstone.core.errors import SiltstoneError


def mutate(source: random.Random, data: bytes) -> bytes:
    """Return *data* after one to four small accidents: flips, cuts, repeats, insertions, interesting numbers."""
    out = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(out) + 1)
        choice = source.randrange(6)
        if choice == 0 and at < len(out):
            out[at] ^= 1 << source.randrange(8)
        elif choice == 1 and at < len(out):
            out[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif choice == 2:
            del out[at : at + source.randrange(1, 9)]
        elif choice == 3:
            out[at:at] = source.randbytes(source.randrange(1, 9))
        elif choice == 4:
            start = source.randrange(len(out) + 1)
            out[at:at] = out[start : start + source.randrange(1, 17)]
        else:
            number = source.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63))
            out[at : at + 4] = (number & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(out)


def fuzz(target: Callable[[bytes], object], seeds: Sequence[bytes], *, seed: int, iterations: int) -> int:
    """Feed mutated seeds to *target*; return how many it refused. Any error that is not ours leaves through the loop."""
    source = random.Random(seed)
    refused = 0
    for number in range(iterations):
        data = mutate(source, source.choice(seeds))
        try:
            target(data)
        except SiltstoneError:
            refused += 1
        except Exception as error:
            error.add_note(f"seed {seed}, iteration {number}, input {data[:200].hex()}")
            raise
    return refused


def run(target: Callable[[bytes], object], seeds: Sequence[bytes]) -> int:
    """The command line of a fuzz script: ``--seed`` and ``--iterations``."""
    parser = argparse.ArgumentParser(description="Mutate seeds of one format; a crash or a foreign error ends the run.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=20_000)
    options = parser.parse_args()
    refused = fuzz(target, seeds, seed=options.seed, iterations=options.iterations)
    print(f"{options.iterations:,} inputs, {refused:,} refused")
    return 0
