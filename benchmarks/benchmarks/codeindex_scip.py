"""SCIP file → documents → graph. A change outside codeindex/scip_*.py, codeindex/keys.py and the SCIP kernel should not
move these.  The index is synthetic and seeded: 300 documents that call into each other.
"""

import random
import tempfile
from pathlib import Path

from siltstone.codeindex.keys import edge_key, entity_key
from siltstone.codeindex.scip_graph import ScipGraph
from siltstone.codeindex.scip_reader import read_scip
from siltstone.codeindex.scip_symbols import SymbolParser

from .native_scip import field, varint

DOCUMENTS = 300


def occurrence(symbol, line, column, end, roles, enclosing=()):
    place = b"".join(map(varint, (line, column, end)))
    around = field(7, b"".join(map(varint, enclosing))) if enclosing else b""
    return field(2, field(1, place) + field(2, symbol) + b"\x18" + varint(roles) + around)


def symbols_of(module):
    root = b"scip-python python pkg 1.0 `pkg.module%d`/" % module
    classes = [b"%sClass%d#" % (root, i) for i in range(4)]
    return root + b"__init__:", classes, [b"%smethod%d()." % (owner, i) for owner in classes for i in range(10)]


def document(rng, module):
    own, classes, methods = symbols_of(module)
    parts = [field(1, b"pkg/module%d.py" % module), occurrence(own, 0, 0, 0, 1)]
    for at, name in enumerate(classes):
        parts.append(occurrence(name, 10 + 200 * at, 6, 12, 1, (10 + 200 * at, 0, 200 + 200 * at, 0)))
    for at, name in enumerate(methods):
        line = 12 + 200 * (at // 10) + 18 * (at % 10)
        parts.append(occurrence(name, line, 8, 15, 1, (line, 4, line + 16, 0)))
        for step in range(8):
            target = rng.choice(symbols_of(rng.randrange(DOCUMENTS))[2])
            parts.append(occurrence(target, line + 1 + step, 8, 20, 8))
    parts.extend(field(3, field(1, name) + field(3, b"```python\nclass X\n```")) for name in classes)
    return field(2, b"".join(parts))


class Index:
    def setup(self):
        rng = random.Random(2016)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "index.scip"
        head = field(1, field(2, field(1, b"scip-python")))
        self.path.write_bytes(head + b"".join(document(rng, module) for module in range(DOCUMENTS)))

    def teardown(self):
        self.folder.cleanup()

    def time_read(self):
        for _document in read_scip(self.path):
            pass

    def peakmem_read(self):
        for _document in read_scip(self.path):
            pass

    def graph(self):
        graph = ScipGraph("repo")
        for one in read_scip(self.path):
            graph.add(one)
        return list(graph.finish())

    def time_graph(self):
        self.graph()

    def peakmem_graph(self):
        self.graph()

    def track_edges(self):
        return len(self.graph()[1])

    track_edges.unit = "edges"


class Symbols:
    def setup(self):
        self.texts = [text.decode() for module in range(DOCUMENTS) for text in symbols_of(module)[2]]

    def time_parse(self):
        parser = SymbolParser()
        for text in self.texts:
            parser.parse(text)

    def track_symbols(self):
        return len(self.texts)

    track_symbols.unit = "symbols"


class Keys:
    def time_entity_keys(self):
        for number in range(10_000):
            entity_key("repo", "pkg/module.py", "method", f"Class.method{number}")

    def time_edge_keys(self):
        for number in range(10_000):
            edge_key("methods/0123456789abcdef", f"methods/{number:016x}", "calls")
