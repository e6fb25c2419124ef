"""Golden manifest and pack: the bytes of the format, which must not change; and headers that only a forger could write."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content import manifest as manifests
from siltstone.content import packs
from siltstone.content.chunk_index import ABSENT, ChunkIndex
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


def sealed_pack(chunks, groups, body=b""):
    tables = b"".join(packs._PACKED_GROUP.pack(*group) for group in groups)
    tables += b"".join(packs._PACKED_CHUNK.pack(*chunk) for chunk in chunks)
    counts = packs._COUNTS.pack(len(chunks), len(groups), 8 + len(body))
    return packs.MAGIC + body + tables + counts + digest_of(tables + counts) + packs.MAGIC


def test_golden_store(tmp_path):
    with ChunkStore.open(tmp_path / "store", create=True, profile=SMALL) as store, store.writer(codec="none") as writer:
        writer.put("golden", io.BytesIO(bytes(range(256)) * 20))
    found = {f"{path.parent.name}/{path.name}": digest_of(path.read_bytes()).hex()[:32]
             for folder in ("packs", "manifests") for path in (store.root / folder).iterdir()}
    assert found == {  # DO NOT CHANGE: a store written by an earlier release has these bytes
        "packs/d7dc5cdc7e1f8813ec6ae63a920f545d.pack": "369d897abe21233eea5188061b19c302",
        "manifests/68ca9baf17c67ef7b4560a4455bacf8dbf296e2a.manifest": "87657ba475e23cf1891d91e3278b114f",
    }


def test_manifest_records_and_header_round_trip(tmp_path):
    path = tmp_path / "m"
    writer = manifests.ManifestWriter(tmp_path / "staged")
    writer.append([(digest_of(b"one"), 3), (digest_of(b"three"), 5)])
    stored = writer.finish("näme", SMALL)
    writer.publish(path)
    with WindowedFile(path) as file:
        assert manifests.read_header(file) == stored
        [records] = manifests.iter_records(file)
    assert [row.tobytes() for row in records["digest"]] == [digest_of(b"one"), digest_of(b"three")]
    assert records["size"].tolist() == [3, 5]
    root = digest_of(digest_of(b"one") + bytes([3, 0, 0, 0]) + digest_of(b"three") + bytes([5, 0, 0, 0]))
    assert (stored.size, stored.chunks, stored.root) == (8, 2, root.hex())


@pytest.mark.parametrize("change", [
    {"name": 1}, {"size": -1}, {"size": "3"}, {"size": 1 << 60}, {"hash": "md5"},
    {"profile": {}}, {"profile": None},
])
def test_a_forged_header_is_corrupt(tmp_path, change):
    good = {"name": "n", "size": 0, "hash": "blake3", "profile": SMALL.as_dict()}
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
    header = {"name": "n", "size": 5, "hash": "blake3", "profile": SMALL.as_dict()}
    for sizes in ((4,), (0, 5), (6,), (1 << 31,)):
        records = b"".join(manifests._RECORD.pack(bytes(32), size) for size in sizes)
        (tmp_path / "m").write_bytes(sealed_manifest(header, records, len(sizes)))
        with WindowedFile(tmp_path / "m") as file, pytest.raises(CorruptDataError):
            next(manifests.iter_records(file))


SHORT = st.binary(min_size=2, max_size=2)
GROUP = (8, 4, 4, 0)
CHUNK = (bytes(32), 0, 0, 4)


@pytest.mark.parametrize("group", [
    (7, 4, 4, 0), (8, 5, 5, 0), (1 << 63, 4, 4, 0), (8, 0, 4, 0), (8, 4, 0, 0), (8, 4, 3, 0), (8, 4, 5, 0), (8, 4, 1 << 25, 1),
    (8, 4, 4, 2), (2**64 - 1, 4, 4, 0),
])
def test_a_forged_group_is_corrupt(tmp_path, group):
    check_forged(tmp_path, [CHUNK], [group])


@pytest.mark.parametrize("chunk", [
    (bytes(32), 1, 0, 4), (bytes(32), 0, 0, 0), (bytes(32), 0, 1, 4), (bytes(32), 0, 2**32 - 1, 2**32 - 1),
    (bytes(32), 0, 0, 5), (bytes(32), 2**32 - 1, 0, 4),
])
def test_a_forged_chunk_is_corrupt(tmp_path, chunk):
    check_forged(tmp_path, [chunk], [GROUP])


def check_forged(tmp_path, chunks, groups):
    path, budget = tmp_path / "p", Budget()
    path.write_bytes(sealed_pack([CHUNK], [GROUP], b"body"))
    tables = packs.read_tables(path, budget=budget)
    assert (len(tables.chunks), len(tables.groups)) == (1, 1)
    budget.release("chunk_index", tables.footprint)
    path.write_bytes(sealed_pack(chunks, groups, b"body"))
    with pytest.raises(CorruptDataError):
        packs.read_tables(path, budget=budget)
    assert budget.reserved("chunk_index") == 0


def test_tables_out_of_order_are_corrupt(tmp_path):
    for chunks, groups in (([(bytes([first]) * 32, 0, 0, 4) for first in (2, 1)], [GROUP]),
                           ([CHUNK], [(10, 2, 2, 0), (8, 2, 2, 0)]), ([CHUNK], [(8, 3, 3, 0), (9, 3, 3, 0)])):
        (tmp_path / "p").write_bytes(sealed_pack(chunks, groups, b"body"))
        with pytest.raises(CorruptDataError):
            packs.read_tables(tmp_path / "p", budget=Budget())


def test_the_index_finds_every_copy_of_a_chunk(tmp_path):
    digests = [bytes([5]) * 8 + bytes([last]) * 24 for last in (1, 2, 3)]  # equal keys, different digests
    index, tables = ChunkIndex(), []
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(sealed_pack([(digest, 0, 0, 4) for digest in digests[:2]], [GROUP], b"body"))
        tables.append(packs.read_tables(tmp_path / name, budget=Budget()))
    index.add(tables)
    assert [place.pack for place in index.find_all(digests[1])] == [0, 1]
    assert digests[0] in index
    assert digests[2] not in index
    assert bytes(32) not in index
    wanted = np.frombuffer(b"".join([digests[1], digests[2], bytes(32), digests[0], b"\xff" * 32]), np.uint8).reshape(-1, 32)
    found = index.find_many(wanted)
    assert [index.place(at).row if at != ABSENT else None for at in found.tolist()] == [1, None, None, 0, None]
    assert [[place.pack for place in copies] for copies in index.iter_copies()] == [[0, 1], [0, 1]]
    assert packs.keys_of(tables[0].chunks["digest"]).dtype == np.uint64


@settings(max_examples=50)
@given(st.lists(st.lists(SHORT, max_size=8), max_size=4), st.lists(SHORT))
def test_find_many_equals_find_all(held, wanted):
    def digest(short):  # many equal keys
        return short[:1] * 8 + short[1:] * 24

    index = ChunkIndex()
    for pack in held:
        rows = sorted({digest(short) for short in pack})
        chunks = np.array([(np.frombuffer(row, np.uint8), 0, 0, 1) for row in rows], dtype=packs._CHUNK)
        index.add([packs.PackTables(np.empty(0, dtype=packs._GROUP), chunks)])
    asked = [digest(short) for short in wanted]
    found = index.find_many(np.frombuffer(b"".join(asked), np.uint8).reshape(-1, 32))
    for one, position in zip(asked, found.tolist(), strict=True):
        places = list(index.find_all(one))
        assert (places[0] if places else None) == (index.place(position) if position != ABSENT else None)
        assert len(places) == sum(one in {digest(short) for short in pack} for pack in held)
