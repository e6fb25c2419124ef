"""Random reads of made packs against the obvious reader; hostile packs give errors, never a crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from siltstone._native.inflate import backends
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.native.pack_files import opened, reader_of, write_pack
from tests.reference import delta as deltas
from tests.reference import pack_read as reference
from tests.reference.pack_read import OFS_DELTA, REF_DELTA, Entry, make_pack, name_of
from tests.reference.random_packs import random_entries

HELLO = Entry(name_of(3, b"hello"), 3, b"hello")


def read_all(path: Path, **options: object) -> dict[bytes, tuple[int, bytes] | None]:
    """Every object through the kernel, in random order and twice, so that kept bases are used."""
    reader, index = reader_of(path, **options)  # type: ignore[arg-type]
    names = [index.name(position) for position in range(len(index))] * 2
    random.Random(1).shuffle(names)
    found: dict[bytes, tuple[int, bytes] | None] = {}
    with opened(path) as descriptor:
        for name in names:
            try:
                value = reader.read(name, descriptor)
                outcome = value if isinstance(value, tuple) else None
            except CorruptDataError:
                outcome = None
            assert found.setdefault(name, outcome) == outcome
    return found


@pytest.mark.parametrize("cache", [0, 4_000, 1 << 24])
@pytest.mark.parametrize("seed", [1, 2])
def test_reads_agree_with_the_twin(tmp_path: Path, seed: int, cache: int) -> None:
    pack, index = make_pack(random_entries(seed, 120))
    path = write_pack(tmp_path, pack, index)
    assert read_all(path, cache=cache) == reference.read_all(pack, reference.parse_index(index))


@pytest.mark.parametrize("backend", backends())
def test_every_backend_reads_the_same(tmp_path: Path, backend: str) -> None:
    pack, index = make_pack(random_entries(3, 60))
    found = read_all(write_pack(tmp_path, pack, index), backend=backend)
    assert found == reference.read_all(pack, reference.parse_index(index))


def test_every_flipped_byte_agrees_with_the_twin(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(4, 6, largest=40))
    places = reference.parse_index(index)
    for at in range(12, len(pack) - 20):
        damaged = bytes([*pack[:at], pack[at] ^ 0xFF, *pack[at + 1 :]])
        path = write_pack(tmp_path, damaged, index)
        assert read_all(path) == reference.read_all(damaged, places), at


def test_an_absent_name_is_none(tmp_path: Path) -> None:
    path = write_pack(tmp_path, *make_pack([HELLO]))
    reader, _ = reader_of(path)
    with opened(path) as descriptor:
        assert reader.read(bytes(20), descriptor) is None
        assert reader.header(bytes(20), descriptor) is None
        assert reader.header(HELLO.name, descriptor) == (3, 5)
        assert (reader.find(HELLO.name), reader.find(bytes(20)), len(reader)) == (0, -1, 1)
        with pytest.raises(ConfigError):
            reader.read(b"short", descriptor)


def test_an_empty_pack_has_nothing(tmp_path: Path) -> None:
    reader, _ = reader_of(write_pack(tmp_path, *make_pack([])))
    assert reader.find(bytes(20)) == -1


def test_a_base_outside_the_pack_is_asked_for(tmp_path: Path) -> None:
    base, program = b"base elsewhere", deltas.encode(14, [(0, 5), b"here"])
    middle = Entry(b"m" * 20, REF_DELTA, program, b"\xee" * 20)
    top = Entry(b"t" * 20, OFS_DELTA, deltas.encode(9, [(5, 4), b"!"]), 1)
    path = write_pack(tmp_path, *make_pack([middle, top]))
    reader, _ = reader_of(path)
    with opened(path) as descriptor:
        assert reader.read(b"t" * 20, descriptor) == b"\xee" * 20
        assert reader.read(b"t" * 20, descriptor, (3, base)) == (3, b"here!")
        assert reader.read(b"m" * 20, descriptor) in ((3, b"base here"), b"\xee" * 20)


def test_a_cycle_of_named_bases_is_an_error(tmp_path: Path) -> None:
    program = deltas.encode(4, [(0, 4)])
    entries = [Entry(b"a" * 20, REF_DELTA, program, b"b" * 20), Entry(b"b" * 20, REF_DELTA, program, b"a" * 20)]
    path = write_pack(tmp_path, *make_pack([*entries, Entry(b"s" * 20, REF_DELTA, program, b"s" * 20)]))
    assert read_all(path) == dict.fromkeys((b"a" * 20, b"b" * 20, b"s" * 20))


def test_a_chain_of_thousands_is_read(tmp_path: Path) -> None:
    entries = [Entry(name_of(3, b"x"), 3, b"x")]
    entries += [Entry(name_of(3, b"x" * n), OFS_DELTA, deltas.encode(n - 1, [(0, n - 1), b"x"]), 1) for n in range(2, 3000)]
    path = write_pack(tmp_path, *make_pack(entries))
    reader, _ = reader_of(path)
    with opened(path) as descriptor:
        assert reader.read(entries[-1].name, descriptor) == (3, b"x" * 2999)


def test_an_object_above_the_limit_is_refused(tmp_path: Path) -> None:
    big = bytes(100_000)
    grown = Entry(b"g" * 20, OFS_DELTA, deltas.encode(5, [(0, 5)] * 30_000), 1)
    path = write_pack(tmp_path, *make_pack([Entry(name_of(3, big), 3, big), HELLO, grown]))
    reader, _ = reader_of(path, limit=99_999)
    with opened(path) as descriptor:
        for name, needed in ((name_of(3, big), 100_000), (b"g" * 20, 150_000)):
            with pytest.raises(BudgetExceeded) as caught:
                reader.read(name, descriptor)
            assert caught.value.needed_bytes == needed
        assert reader.read(HELLO.name, descriptor) == (3, b"hello")


def test_columns_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    _, index = reader_of(write_pack(tmp_path, *make_pack([HELLO])))
    from siltstone._native.inflate import capsule
    from siltstone._native.pack_read import PackReader

    columns = (index.fanout.data, index.offsets.data, index.order.data, index.ranks.data)
    with pytest.raises(ConfigError):
        PackReader(b"", *columns, id_size=20, end=100, limit_bytes=1, cache_bytes=1, inflate=capsule())
    with pytest.raises(ConfigError):
        PackReader(index.names, *columns, id_size=20, end=100, limit_bytes=0, cache_bytes=1, inflate=capsule())
