"""What every entry of a pack is, against the obvious reader; hostile packs give unknowns, never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siltstone._native.inflate import backends, capsule
from siltstone._native.pack_table import read_pack_table
from siltstone.core.errors import ConfigError
from siltstone.gitobjects.pack_index import read_pack_index
from tests.native.pack_files import opened, write_pack
from tests.reference import pack_read as reference
from tests.reference.pack_read import OFS_DELTA, REF_DELTA, Entry, make_pack, name_of
from tests.reference.pack_table import Row, read_table
from tests.reference.random_packs import random_entries

HELLO = Entry(name_of(3, b"hello"), 3, b"hello")


def table_of(path: Path, *, sizes: bool = True, limit: int = 1 << 26, backend: str | None = None) -> dict[bytes, Row]:
    index = read_pack_index(path.with_suffix(".idx"), 20)
    with opened(path) as descriptor:
        columns = read_pack_table(
            index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data, id_size=20,
            end=path.stat().st_size - 20, descriptor=descriptor, limit_bytes=limit, sizes=sizes, inflate=capsule(backend),
        )  # fmt: skip
    rows = zip(*(np.frombuffer(column, kind).tolist() for column, kind in zip(columns, ("u1", "u1", "i4", "i8"), strict=True)),
               strict=True)
    return {index.name(int(index.order[rank])): row for rank, row in enumerate(rows)}


@pytest.mark.parametrize("backend", backends())
@pytest.mark.parametrize("seed", [1, 2])
def test_the_table_agrees_with_the_twin(tmp_path: Path, seed: int, backend: str) -> None:
    pack, index = make_pack(random_entries(seed, 150))
    path = write_pack(tmp_path, pack, index)
    found = table_of(path, backend=backend)
    assert found == read_table(pack, reference.parse_index(index))
    assert {(row[1], row[3]) for row in found.values()} == {
        (kind, len(content)) for kind, content in filter(None, reference.read_all(pack, reference.parse_index(index)).values())}


def test_without_sizes_only_headers_are_read(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(3, 50))
    path = write_pack(tmp_path, pack, index)
    plain, full = table_of(path, sizes=False), table_of(path)
    assert {name: row[:3] for name, row in plain.items()} == {name: row[:3] for name, row in full.items()}
    assert all((row[3] >= 0) == (row[0] <= 4) for row in plain.values())


def test_every_flipped_byte_agrees_with_the_twin(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(4, 6, largest=40))
    places = reference.parse_index(index)
    for at in range(12, len(pack) - 20):
        damaged = bytes([*pack[:at], pack[at] ^ 0xFF, *pack[at + 1 :]])
        assert table_of(write_pack(tmp_path, damaged, index)) == read_table(damaged, places), at


def test_cycles_and_bases_elsewhere_are_unknown(tmp_path: Path) -> None:
    first, second, third = (bytes([number]) * 20 for number in (1, 2, 3))
    delta = b"\5\1\1x"
    entries = [HELLO, Entry(first, REF_DELTA, delta, second), Entry(second, REF_DELTA, delta, first),
               Entry(third, OFS_DELTA, delta, 1), Entry(b"\4" * 20, REF_DELTA, delta, b"\xee" * 20)]
    found = table_of(write_pack(tmp_path, *make_pack(entries)))
    assert found[HELLO.name] == (3, 3, 0, 5)
    assert [found[name] for name in (first, second, third)] == [(7, 0, -1, 1), (7, 0, -1, 1), (6, 0, -1, 1)]
    assert found[b"\4" * 20] == (7, 0, -1, 1)


def test_a_delta_over_the_limit_is_not_inflated(tmp_path: Path) -> None:
    entries = [HELLO, Entry(b"\1" * 20, OFS_DELTA, b"\5\1\1x" + bytes(500), 1)]
    path = write_pack(tmp_path, *make_pack(entries))
    assert table_of(path, limit=100)[b"\1" * 20] == (6, 3, 1, -1)
    assert table_of(path)[b"\1" * 20] == (6, 3, 1, 1)


def test_absurd_sizes_take_no_memory(tmp_path: Path) -> None:
    entries = [HELLO, Entry(b"\1" * 20, OFS_DELTA, b"\5\1\1x", 1, size=(1 << 61) - 1)]
    assert table_of(write_pack(tmp_path, *make_pack(entries)), limit=1 << 62)[b"\1" * 20] == (6, 3, 1, -1)


def test_an_empty_pack_is_an_empty_table(tmp_path: Path) -> None:
    assert table_of(write_pack(tmp_path, *make_pack([]))) == {}


def test_columns_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    index = read_pack_index(write_pack(tmp_path, *make_pack([HELLO])).with_suffix(".idx"), 20)
    columns = (index.names, index.fanout.data, index.offsets.data, index.order.data, index.ranks.data)
    with pytest.raises(ConfigError):
        read_pack_table(b"", *columns[1:], id_size=20, end=99, descriptor=-1, limit_bytes=1, sizes=True, inflate=capsule())
    with pytest.raises(ConfigError):
        read_pack_table(*columns, id_size=20, end=99, descriptor=-1, limit_bytes=0, sizes=True, inflate=capsule())
    found = read_pack_table(*columns, id_size=20, end=99, descriptor=-1, limit_bytes=1, sizes=True, inflate=capsule())
    assert bytes(found[0]) == b"\0"
