"""Reverse indexes: any bytes give the order that sorting gives, nothing, or CorruptDataError."""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from fuzz.mutation import run

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.reverse_index import read_reverse_index

CHECKSUM = b"\x5a" * 20
OFFSETS = np.array([900, 12, 40, 1 << 33, 77, 500, 13], np.uint64)
ORDER = np.argsort(OFFSETS)
SEEDS = [b"RIDX" + struct.pack(">II7I", 1, 1, *ORDER.tolist()) + CHECKSUM + bytes(20)]


def check(data: bytes) -> None:
    """Read a reverse index of seven objects."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        found = read_reverse_index(Path(file.name), OFFSETS, 20, CHECKSUM)
    if found is None:
        raise CorruptDataError("no file", offset=0)
    assert found[0].tolist() == ORDER.tolist()
    assert found[1].tolist() == sorted(OFFSETS.tolist())


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
