"""Pack indexes of both versions: any bytes give an index that can be searched, or CorruptDataError."""

from __future__ import annotations

import hashlib
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone._native.inflate import capsule
from siltstone._native.pack_read import PackReader
from siltstone.gitobjects.pack_index import read_pack_index
from tests.reference.pack_read import make_index

NAMES = [hashlib.sha1(bytes([number])).digest() for number in range(9)]
PLACES = {name: 12 + 100 * number for number, name in enumerate(NAMES)}


def version_1() -> bytes:
    counts = [sum(name[0] <= first for name in NAMES) for first in range(256)]
    rows = b"".join(struct.pack(">I", PLACES[name]) + name for name in sorted(NAMES))
    return struct.pack(">256I", *counts) + rows + bytes(40)


SEEDS = [make_index(PLACES, bytes(20)), make_index(PLACES | {NAMES[0]: 1 << 40}, bytes(20)), version_1()]


def check(data: bytes) -> None:
    """Read an index and look up every name it holds."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        index = read_pack_index(Path(file.name), 20)
    assert list(index.offsets) == sorted(index.offsets)
    reader = PackReader(
        index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, id_size=20, end=1 << 20,
        limit_bytes=1, cache_bytes=0, inflate=capsule(),
    )
    for position in range(len(index)):
        assert -1 <= reader.find(index.name(position)) < len(index)


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
