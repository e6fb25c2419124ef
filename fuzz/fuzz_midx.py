"""Multi-pack indexes whose checksum holds: any bytes give an index that finds what it lists, or CorruptDataError."""

from __future__ import annotations

import hashlib
import struct
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone.gitobjects.ids import SHA1, ObjectId
from siltstone.gitobjects.multi_pack_index import MultiPackIndex

NAMES = sorted(hashlib.sha1(bytes([number])).digest() for number in range(9))


def midx_file(names: list[bytes], packs: list[bytes], version: int = 1) -> bytes:
    """Return a multi-pack index without its checksum; object number n lies in pack n modulo their count."""
    counts = [sum(name[0] <= first for name in names) for first in range(256)]
    listed = b"".join(pack + b"\0" for pack in packs)
    chunks = {
        b"PNAM": listed + bytes(-len(listed) % 4), b"OIDF": struct.pack(">256I", *counts), b"OIDL": b"".join(names),
        b"OOFF": b"".join(struct.pack(">II", place % len(packs), 12 + 100 * place) for place in range(len(names))),
    }
    at, table = 12 + 12 * (len(chunks) + 1), b""
    for name, data in chunks.items():
        table += struct.pack(">4sQ", name, at)
        at += len(data)
    table += struct.pack(">4sQ", bytes(4), at)
    return b"MIDX" + bytes([version, 1, len(chunks), 0]) + struct.pack(">I", len(packs)) + table + b"".join(chunks.values())


SEEDS = [
    midx_file(NAMES, [b"pack-a.idx", b"pack-b.idx"]), midx_file(NAMES, [b"pack-z.idx", b"pack-b.idx"], 2),
    midx_file(NAMES[:1], [b"pack-a.idx"]), midx_file([], [b"pack-a.idx"]),
]  # fmt: skip


def check(data: bytes) -> None:
    """Open an index and look up every name of the seeds, and one that is in none."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data + hashlib.sha1(data, usedforsecurity=False).digest())
        file.flush()
        with closing(MultiPackIndex(Path(file.name), SHA1)) as index:
            for name in [*NAMES, bytes(20), b"\xff" * 20]:
                assert index.find(ObjectId(name)) in {None, *index.packs}


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
