"""The graph layer: load, open, ask. Changes in src/siltstone/graph and src/_native/csr.pyx may move these."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from siltstone.codeindex.entities import EdgeBatch, EdgeKind, EntityBatch, Strings, UnresolvedBatch
from siltstone.graph.queries import Graph
from siltstone.graph.store import GraphStore

ENTITIES, EDGES, UNRESOLVED = 100_000, 400_000, 100_000


def batches():
    """Return the batches of a graph of 100k entities in 2,000 files, with mostly short-ranged edges."""
    generator = np.random.default_rng(2016)  # same graph on every machine
    keys = generator.integers(0, 2**64, ENTITIES, np.uint64)
    near = np.arange(EDGES) % ENTITIES
    targets = np.where(generator.random(EDGES) < 0.8, (near + generator.integers(1, 200, EDGES)) % ENTITIES,
                       generator.integers(0, ENTITIES, EDGES))
    zeros = np.zeros(EDGES, np.uint8)
    entities = EntityBatch(
        keys, (2 + np.arange(ENTITIES) % 6).astype(np.uint8), zeros[:ENTITIES],
        np.tile(np.arange(ENTITIES, dtype=np.int32)[:, None] % 900, (1, 4)),
        Strings.of(f"src/package{number // 5000}/module{number // 50}.py" for number in range(ENTITIES)),
        Strings.of(f"Class{number // 10}.method{number}" for number in range(ENTITIES)),
        Strings.of("(self, value)" for _ in range(ENTITIES)),
    )
    edges = EdgeBatch(generator.integers(0, 2**64, EDGES, np.uint64), keys[near], keys[targets],
                      (1 + np.arange(EDGES) % 5).astype(np.uint8), zeros, zeros, np.arange(EDGES, dtype=np.int32) % 900)
    places = np.arange(UNRESOLVED, dtype=np.int32)
    unresolved = UnresolvedBatch(keys[:UNRESOLVED], zeros[:UNRESOLVED] + 2, places % 900, places % 80,
                                 Strings.of(f"missing{number % 3000}" for number in range(UNRESOLVED)))
    return entities, edges, unresolved


def load(folder, given):
    with GraphStore.open(folder) as store:
        for batch in given:
            store.write(batch)


class Load:
    timeout = 300
    rounds = 1
    repeat = 3
    number = 1

    def setup(self):
        self.folder = Path(tempfile.mkdtemp())
        self.batches = batches()
        load(self.folder, self.batches)  # the timed body replaces a graph, as every run but the first does

    def teardown(self):
        shutil.rmtree(self.folder)

    def time_replace(self):
        load(self.folder, self.batches)

    def peakmem_replace(self):
        load(self.folder, self.batches)

    def track_bytes_per_row(self):
        return (self.folder / "graph.db").stat().st_size / (ENTITIES + EDGES + UNRESOLVED)

    track_bytes_per_row.unit = "bytes"


class Ask:
    def setup_cache(self):
        folder = Path(tempfile.mkdtemp(dir="."))
        load(folder, batches())
        return str(folder.absolute())

    def setup(self, folder):
        self.graph = Graph.open(folder)
        self.entity = self.graph.find("method77")[0]

    def teardown(self, folder):
        self.graph.close()

    def time_open(self, folder):
        Graph.open(folder).close()

    def time_find(self, folder):
        self.graph.find("Class7.method77")

    def time_implements(self, folder):
        self.graph.implements(self.entity)

    def time_implements_transitive(self, folder):
        self.graph.implements(self.entity, transitive=True, limit=100)

    def time_blast_radius_two_steps(self, folder):
        self.graph.blast_radius(self.entity, depth=2)

    def time_blast_radius_hundred(self, folder):
        self.graph.blast_radius(self.entity, limit=100)

    def time_cycles_over_calls(self, folder):
        self.graph.cycles(EdgeKind.CALLS)

    def time_suggest(self, folder):
        self.graph.suggest("methodd77")

    def track_hits_two_steps(self, folder):
        return len(self.graph.blast_radius(self.entity, depth=2).hits)

    track_hits_two_steps.unit = "entities"
