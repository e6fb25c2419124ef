"""Golden manifest and pack: the bytes of the format, which must not change; and headers that only a forger could write."""

import io
import json

import numpy as np
import pytest

from siltstone.content import manifest as manifests
from siltstone.content import packs
from siltstone.content.hashing import digest_of
from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile

SMALL = Profile(minimum=64, target=256, maximum=1024)


def sealed_manifest(header, records=b"", count=0):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    sealed = manifests._SEALED.pack(count, len(text), digest_of(records))
    return manifests.MAGIC + records + text + sealed + digest_of(text + sealed) + manifests.MAGIC


def sealed_pack(entries, body=b""):
    table = b"".join(packs._PACKED_ENTRY.pack(*entry) for entry in entries)
    counts = len(entries).to_bytes(8, "little") + (8 + len(body)).to_bytes(8, "little")
    return packs.MAGIC + body + table + counts + digest_of(table + counts) + packs.MAGIC


def test_golden_store(tmp_path):
    with ChunkStore.open(tmp_path / "store", create=True, profile=SMALL) as store, store.writer(codec="none") as writer:
        writer.put("golden", io.BytesIO(bytes(range(256)) * 20))
    found = {f"{path.parent.name}/{path.name}": digest_of(path.read_bytes()).hex()[:32]
             for folder in ("packs", "manifests") for path in (store.root / folder).iterdir()}
    assert found == {  # DO NOT CHANGE: a store written by an earlier release has these bytes
        "packs/8c1c4257fd6844ed610ad0918a662268.pack": "0e73db45346cc14f7754742c7059333c",
        "manifests/68ca9baf17c67ef7b4560a4455bacf8dbf296e2a.manifest": "046de9e62578f70f06654d727511321c",
    }


def test_manifest_records_and_header_round_trip(tmp_path):
    path = tmp_path / "m"
    writer = manifests.ManifestWriter(tmp_path / "staged")
    for chunk in (b"one", b"three"):
        writer.append(digest_of(chunk), chunk)
    stored = writer.finish("näme", SMALL)
    writer.publish(path)
    with WindowedFile(path) as file:
        assert manifests.read_header(file) == stored
        assert list(manifests.iter_records(file)) == [(digest_of(b"one"), 3), (digest_of(b"three"), 5)]
    assert (stored.size, stored.chunks, stored.digest) == (8, 2, digest_of(b"onethree").hex())


@pytest.mark.parametrize("change", [
    {"name": 1}, {"size": -1}, {"size": "3"}, {"size": 1 << 60}, {"digest": "00"}, {"digest": None}, {"hash": "md5"},
    {"profile": {}}, {"profile": None},
])
def test_a_forged_header_is_corrupt(tmp_path, change):
    good = {"name": "n", "size": 0, "digest": "0" * 64, "hash": "blake3", "profile": SMALL.as_dict()}
    path = tmp_path / "m"
    path.write_bytes(sealed_manifest(good))
    with WindowedFile(path) as file:
        assert manifests.read_header(file).name == "n"
    path.write_bytes(sealed_manifest({**good, **change}))
    with WindowedFile(path) as file, pytest.raises(CorruptDataError):
        manifests.read_header(file)


@pytest.mark.parametrize("header", [b"", b"[]", b"{", b"[" * 60_000, b"\xff", b"1" * 65_537])
def test_a_header_that_is_no_object_is_corrupt(tmp_path, header):
    (tmp_path / "m").write_bytes(sealed_manifest(header))
    with WindowedFile(tmp_path / "m") as file, pytest.raises(CorruptDataError):
        manifests.read_header(file)


def test_records_that_do_not_add_up_are_corrupt(tmp_path):
    header = {"name": "n", "size": 5, "digest": "0" * 64, "hash": "blake3", "profile": SMALL.as_dict()}
    for sizes in ((4,), (0, 5), (6,), (1 << 31,)):
        records = b"".join(manifests._RECORD.pack(bytes(32), size) for size in sizes)
        (tmp_path / "m").write_bytes(sealed_manifest(header, records, len(sizes)))
        with WindowedFile(tmp_path / "m") as file, pytest.raises(CorruptDataError):
            next(manifests.iter_records(file))


@pytest.mark.parametrize("entry", [
    (bytes(32), 7, 4, 4, 0), (bytes(32), 8, 5, 5, 0), (bytes(32), 1 << 63, 4, 4, 0), (bytes(32), 8, 0, 4, 0),
    (bytes(32), 8, 4, 0, 0), (bytes(32), 8, 4, 3, 0), (bytes(32), 8, 4, 1 << 25, 1), (bytes(32), 8, 4, 4, 2),
    (bytes(32), 2**64 - 1, 4, 4, 0),
])
def test_a_forged_pack_entry_is_corrupt(tmp_path, entry):
    path, budget = tmp_path / "p", Budget()
    path.write_bytes(sealed_pack([(bytes(32), 8, 4, 4, 0)], b"body"))
    assert len(packs.read_index(path, budget=budget)) == 1
    budget.release("chunk_index", packs.BYTES_PER_CHUNK)
    path.write_bytes(sealed_pack([entry], b"body"))
    with pytest.raises(CorruptDataError):
        packs.read_index(path, budget=budget)
    assert budget.reserved("chunk_index") == 0


def test_an_index_out_of_order_is_corrupt(tmp_path):
    entries = [(bytes([first]) * 32, 8, 4, 4, 0) for first in (2, 1)]
    (tmp_path / "p").write_bytes(sealed_pack(entries, b"body"))
    with pytest.raises(CorruptDataError):
        packs.read_index(tmp_path / "p", budget=Budget())


def test_the_index_finds_every_copy_of_a_chunk(tmp_path):
    digests = [bytes([5]) * 8 + bytes([last]) * 24 for last in (1, 2, 3)]  # equal keys, different digests
    index, tables = packs.ChunkIndex(), []
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(sealed_pack([(digest, 8, 4, 4, 0) for digest in digests[:2]], b"body"))
        tables.append(packs.read_index(tmp_path / name, budget=Budget()))
    index.add(tables)
    assert [place.pack for place in index.find_all(digests[1])] == [0, 1]
    assert digests[0] in index
    assert digests[2] not in index
    assert bytes(32) not in index
    assert packs.keys_of(tables[0]).dtype == np.uint64
