"""Fuzz the tree record kernels. Run: python fuzz/fuzz_tree.py [SECONDS [SEED]]

Mutates valid trees at random; parsing, comparing, whole and streamed, and the graph must give what the plain Python
twins give.  Ends with 1 and the offending bytes in hexadecimal at the first difference.
"""

from __future__ import annotations

import random
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from siltstone._native import tree_entries, tree_graph, tree_stream
from siltstone.core.errors import CorruptDataError
from tests.reference import tree_entries as reference
from tests.reference import tree_graph as graph_reference
from tests.reference import tree_stream as stream_reference

_MODES = (b"100644", b"100755", b"120000", b"160000", b"40000", b"040000", b"100664", b"37777777777", b"0")
_NAMES = (b"a", b"a.c", b"a0", b"b", b"\xff", b"long" * 20)


def seed_tree(rng: random.Random, id_size: int) -> bytes:
    """Return a tree in git's order, no name twice."""
    rows = {}
    for _ in range(rng.randrange(8)):
        entry = (int(rng.choice(_MODES), 8), rng.choice(_NAMES), bytes([rng.randrange(3)]) * id_size)
        rows[reference.sort_key(entry)] = entry
    return b"".join(b"%o %s\0%s" % rows[key] for key in sorted(rows))


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Return *data* with a few bytes changed, removed, repeated or cut off."""
    work = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(work) + 1)
        choice = rng.randrange(4)
        if choice == 0 and at < len(work):
            work[at] = rng.choice((0, 32, 47, 48, 56, 0xFF, rng.randrange(256)))
        elif choice == 1:
            del work[at : at + rng.randrange(25)]
        elif choice == 2:
            work[at:at] = work[at : at + rng.randrange(40)]
        elif rng.random() < 0.3:
            del work[at:]
    return bytes(work)


def outcome(action: Callable[[], object]) -> object:
    """Return a result, or the place of the error."""
    try:
        return action()
    except CorruptDataError as error:
        return error.offset


def is_orderly(data: bytes, id_size: int) -> bool:
    """Whether *data* is a tree in git's order without a name twice: then the twin of the comparison holds."""
    try:
        keys = [reference.sort_key(entry) for entry in reference.parse_entries(data, id_size)]
    except CorruptDataError:
        return False
    return keys == sorted(set(keys))


def check_graph(data: bytes, id_size: int) -> bool:
    """Whether one tree gives the same holdings in kernel and twin."""
    targets, root = [bytes([number]) * id_size for number in range(3)], b"\x77" * id_size
    graph = tree_graph.TreeGraph(b"".join(targets), id_size)
    damaged = graph.add_trees(data, array("q", [0]), array("q", [len(data)]), root)
    twin = graph_reference.TreeGraph(targets, id_size)
    try:
        twin.add(root, data)
    except CorruptDataError:
        return damaged == [0]
    return damaged == [] and graph.first_holders(root)[0] == twin.first_holders([root])


def streamed(rng: random.Random, data: bytes, id_size: int) -> tree_stream.TreeStream:
    """Return *data* as a stream that is refilled in pieces of any size."""
    def read(position: int, most: int) -> bytes:
        return data[position : position + rng.randrange(1, most + 1)]
    return tree_stream.TreeStream(read, id_size, size=len(data))


def check_streams(rng: random.Random, old: bytes, new: bytes, id_size: int) -> bool:
    """Whether a comparison in pieces gives what the twin gives, whole trees included, a fault in its place."""
    expected = outcome(lambda: list(stream_reference.iter_changes(old, new, id_size)))
    pieces = tree_stream.TreeDiffStream(streamed(rng, old, id_size), streamed(rng, new, id_size), id_size)
    return expected == outcome(lambda: list(pieces)) == outcome(lambda: tree_entries.diff_entries(old, new, id_size))


def find_difference(rng: random.Random) -> str | None:
    """Try one mutated pair; return what went wrong, or None."""
    id_size = rng.choice((20, 32))
    old, new = (mutate(rng, seed_tree(rng, id_size)) for _ in range(2))
    where = f"{id_size} {old.hex()} {new.hex()}"
    if outcome(lambda: tree_entries.parse_entries(new, id_size)) != outcome(lambda: reference.parse_entries(new, id_size)):
        return f"parse {where}"
    compared = outcome(lambda: tree_entries.diff_entries(old, new, id_size))
    if is_orderly(old, id_size) and is_orderly(new, id_size) and compared != reference.diff_entries(old, new, id_size):
        return f"diff {where}"
    if not check_streams(rng, old, new, id_size):
        return f"streams {where}"
    return None if check_graph(new, id_size) else f"graph {where}"


def run(seconds: float, seed: int) -> str | None:
    """Fuzz for *seconds*; return the first difference, or None."""
    rng, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        difference = find_difference(rng)
        if difference is not None:
            return difference
    return None


if __name__ == "__main__":
    problem = run(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(problem or "no difference")
    sys.exit(1 if problem else 0)
