"""Fuzz the files of a chunk store. Run: python fuzz/fuzz_chunk_store.py [--seed N] [--iterations N]

Digests stop nearly every accident at the door, so each damaged file is also tried as a forger would leave it, with digests
that fit.  What is read must keep what the format promises; anything else must be a CorruptDataError.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import mutation

from siltstone.content import manifest as manifests
from siltstone.content import packs
from siltstone.content.hashing import digest_of
from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.core.files import WindowedFile

_SMALL = Profile(minimum=64, target=256, maximum=1024)


@lru_cache(maxsize=1)
def seeds() -> tuple[bytes, ...]:
    """Return a pack and two manifests, made by the store."""
    with tempfile.TemporaryDirectory() as folder, ChunkStore.open(Path(folder) / "s", create=True, profile=_SMALL) as store:
        store.put("file", io.BytesIO(b"silt " * 300 + bytes(range(256)) * 4))
        store.put("empty", io.BytesIO(b""))
        return tuple(path.read_bytes() for kind in ("packs", "manifests") for path in sorted((store.root / kind).iterdir()))


def reseal(data: bytes) -> bytes:
    """Return *data* with the digests that its content has now, as far as a footer can be found."""
    if data[:8] == packs.MAGIC and len(data) > 8 + packs._FOOTER.size:
        place = len(data) - packs._FOOTER.size
        counts = data[place:place + packs._COUNTS.size]
        start = packs._COUNTS.unpack(counts)[2]
        return data[:place] + counts + digest_of(data[start:place] + counts) + packs.MAGIC
    if data[:8] == manifests.MAGIC and len(data) > 8 + manifests._FOOTER.size:
        place = len(data) - manifests._FOOTER.size
        count, header_size, _ = manifests._SEALED.unpack(data[place:place + manifests._SEALED.size])
        header = data[max(8, place - header_size):place]
        sealed = manifests._SEALED.pack(count, header_size, digest_of(data[8:place - len(header)]))
        return data[:place] + sealed + digest_of(header + sealed) + manifests.MAGIC
    return data


def read_pack(path: Path) -> None:
    """Read tables and groups; every chunk must lie inside its group."""
    tables = packs.read_tables(path, budget=Budget(chunk_index=1 << 20))
    with WindowedFile(path) as file:
        sizes = [len(packs.read_group(file, group)) for group in tables.groups]
    for chunk in tables.chunks:
        assert 1 <= chunk["size"] <= sizes[chunk["group"]] - int(chunk["start"])


def read_manifest(path: Path) -> None:
    """Read header and records; they must agree."""
    with WindowedFile(path) as file:
        stored = manifests.read_header(file)
        records = list(manifests.iter_records(file))
    assert sum(map(len, records)) == stored.chunks
    assert sum(int(window["size"].sum()) for window in records) == stored.size


def target(data: bytes) -> None:
    """Read *data* as it is and with digests that fit; CorruptDataError where neither can be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        readable = [_is_read(read, path, form) for form in (data, reseal(data)) for read in (read_pack, read_manifest)]
    if not any(readable):
        raise CorruptDataError("refused")


def _is_read(read: Callable[[Path], None], path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        read(path)
    except (CorruptDataError, BudgetExceeded):
        return False
    return True


if __name__ == "__main__":
    sys.exit(mutation.run(target, seeds()))
