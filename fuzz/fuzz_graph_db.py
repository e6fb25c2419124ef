"""Fuzz the reader of ``graph.db``. Run: python fuzz/fuzz_graph_db.py [SECONDS [SEED]]

Damages a valid database, and the image of its graph under right checksums: everything that is read, asked and walked after
gives values or the documented errors.  Ends with 1 and the seed of the damage at anything else.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from siltstone.codeindex.entities import EdgeKind
from siltstone.core.errors import BudgetExceeded, CorruptDataError, NotFoundError, StoreError
from siltstone.graph.csr import decode_columns
from siltstone.graph.queries import Graph
from siltstone.graph.reader import StoreReader
from tests.graph.graph_world import fill, random_graph

EXPECTED = (CorruptDataError, StoreError, NotFoundError, BudgetExceeded, OSError)


def damage(rng: random.Random, data: bytes) -> bytes:
    """Return *data* with some bytes changed, or cut."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 60))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.1 else changed)


def read_everything(path: Path) -> None:
    """Read all tables and ask all questions."""
    reader = StoreReader.open_existing(path)
    try:
        for rows in (reader.entities(), reader.edges(), reader.unresolved(), reader.files(), reader.findings()):
            list(rows)
        reader.scan_state()
        reader.summary()
    finally:
        reader.close()
    with Graph.open(path) as graph:
        for row in graph.find("part3")[:3]:
            graph.implements(row, transitive=True)
            graph.blast_radius(row)
        graph.cycles(EdgeKind.CALLS)
        graph.cycles()


def walk_image(image: dict[str, bytes]) -> None:
    """Follow every edge of an image that is accepted."""
    index = decode_columns(image, "image")
    for adjacency in (index.forward, index.reverse):
        adjacency.components(0xFF)
        for row in range(len(index)):
            adjacency.neighbours_of(row, 0xFF)


def main() -> int:
    """Return 0 where all damage gave values or documented errors."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    end, runs = time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "graph.db"
        fill(path.parent, *random_graph(1, entities=200, edges=500))
        valid = path.read_bytes()
        reader = StoreReader.open_existing(path)
        image = reader.image()
        reader.close()
        while time.monotonic() < end:
            rng = random.Random(seed + runs)
            column = rng.choice(sorted(image))
            path.write_bytes(damage(rng, valid))
            for work in (lambda: read_everything(path),
                         lambda c=column, r=rng: walk_image({**image, c: damage(r, image[c])})):
                try:
                    work()
                except EXPECTED:
                    continue
                except Exception as error:  # noqa: BLE001 - whatever else comes out is the find
                    print(f"seed {seed + runs}: {type(error).__name__}: {error}")
                    return 1
            runs += 1
    print(f"{runs:,} damaged databases, nothing unexpected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
