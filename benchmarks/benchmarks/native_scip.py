"""SCIP wire reader alone. A change outside src/_native/{scip.pyx,wire.pxd,scip_columns.pxd} should not move these."""

import random

from siltstone._native import scip


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def document(rng, occurrences, distinct):
    names = [b"scip-python python pkg 1.0 `pkg.module`/Class%d#method%d()." % (i % 97, i) for i in range(distinct)]
    parts = [field(1, b"pkg/module.py")]
    for line in range(occurrences):
        place = varint(line) + varint(rng.randrange(80)) + varint(80 + rng.randrange(40))
        parts.append(field(2, field(1, place) + field(2, rng.choice(names)) + b"\x18\x08"))
    parts.extend(field(3, field(1, name) + field(3, b"```python\n(function) def method(self)\n```")) for name in names)
    return b"".join(parts)


class Document:
    params = ([1_000, 100_000], [100, 20_000])
    param_names = ("occurrences", "distinct")

    def setup(self, occurrences, distinct):
        self.data = document(random.Random(2016), occurrences, distinct)

    def time_read(self, occurrences, distinct):
        scip.read_document(self.data)

    def peakmem_read(self, occurrences, distinct):
        scip.read_document(self.data)

    def track_column_bytes_per_input_byte(self, occurrences, distinct):
        columns = scip.read_document(self.data)
        return sum(len(column) for column in columns.values() if isinstance(column, bytes)) / len(self.data)

    track_column_bytes_per_input_byte.unit = "ratio"


class TopLevel:
    def setup(self):
        self.data = field(2, bytes(500)) * 2_000

    def time_split(self):
        scip.split_fields(self.data)

    def track_fields(self):
        return len(scip.split_fields(self.data)[0])

    track_fields.unit = "fields"
