"""Loose objects: any file gives an object that hashes to some id, or CorruptDataError."""

from __future__ import annotations

import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone.gitobjects.ids import SHA1, Kind, ObjectId
from siltstone.gitobjects.loose import LooseObjects

SEEDS = [
    zlib.compress(b"blob 5\0hello"), zlib.compress(b"tree 0\0"), zlib.compress(b"commit 300\0" + b"c" * 300, 9),
    zlib.compress(b"tag 12\0tag contents", 0),
]  # fmt: skip


def check(data: bytes) -> None:
    """Read one file as a loose object."""
    with tempfile.TemporaryDirectory() as folder:
        loose = LooseObjects(Path(folder), SHA1, limit_bytes=1 << 16)
        path = loose.path_of(ObjectId(bytes(20)))
        path.parent.mkdir()
        path.write_bytes(data)
        found = loose.read(ObjectId(bytes(20)))
    assert found is not None
    assert found[0] in Kind
    assert len(found[1]) <= 1 << 16


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
