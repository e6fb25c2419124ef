"""Packs: a damaged body gives what the twin gives, through the walk and through random reads, and never a crash."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone._native.inflate import capsule
from siltstone._native.pack_read import PackReader
from siltstone._native.pack_walk import PackForest, PackWalker
from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.pack_index import PackIndex, read_pack_index
from tests.reference import pack_read as reference
from tests.reference.random_packs import random_entries

PACK, INDEX = reference.make_pack(random_entries(11, 12, largest=60))
PLACES = reference.parse_index(INDEX)
SEEDS = [PACK[12:-20]]


def index_of(folder: Path) -> PackIndex:
    (folder / "seed.idx").write_bytes(INDEX)
    return read_pack_index(folder / "seed.idx", 20)


def check(body: bytes) -> None:
    """Hold both kernels to the twin on one damaged pack."""
    data = PACK[:12] + body + PACK[-20:]
    expected = {name for name, value in reference.read_all(data, PLACES).items() if value}
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        index = index_of(Path(place))
        found = walk(index, file.fileno(), len(data) - 20)
        assert found == expected, (found ^ expected)
        for position in range(len(index)):
            read(index, position, file.fileno(), len(data) - 20, expected)
    if len(expected) < len(PLACES):
        raise CorruptDataError("some entries are refused", offset=12)


def walk(index: PackIndex, descriptor: int, end: int) -> set[bytes]:
    forest = PackForest(
        index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, id_size=20, end=end,
        descriptor=descriptor,
    )
    walker = PackWalker(forest, limit_bytes=1 << 20, live_bytes=200, inflate=capsule(), deltas=True)
    forest.select(b"\1" * len(index), segment_bytes=1, children=True)
    found = set()
    while (columns := walker.next_block(100)) is not None:
        oids = columns[4]
        found |= {oids[at : at + 20] for at in range(0, len(oids), 20)}
    return found


def read(index: PackIndex, position: int, descriptor: int, end: int, expected: set[bytes]) -> None:
    reader = PackReader(
        index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, id_size=20, end=end,
        limit_bytes=1 << 20, cache_bytes=1000, inflate=capsule(),
    )
    name = index.name(position)
    try:
        assert isinstance(reader.read(name, descriptor), tuple) == (name in expected)
    except CorruptDataError:
        assert name not in expected


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
