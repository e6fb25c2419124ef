"""The decode-once walk against the obvious reader: any shape, any block, any limit, any damage."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from siltstone._native.inflate import backends
from siltstone._native.spill_arena import SpillArena
from siltstone.core.errors import ConfigError
from tests.native.pack_files import forest_of, forest_over, opened, walk_all, walker_of, write_pack
from tests.reference import delta as deltas
from tests.reference import pack_read as reference
from tests.reference.pack_read import OFS_DELTA, REF_DELTA, Entry, make_pack, name_of
from tests.reference.random_packs import random_entries

MIB = 1 << 20
HELLO = Entry(name_of(3, b"hello"), 3, b"hello")


def split(found: dict[bytes, tuple[int, bytes] | None]) -> tuple[dict[bytes, tuple[int, bytes]], set[bytes]]:
    """What can be decoded, and the names of the rest."""
    return {name: value for name, value in found.items() if value}, {name for name, value in found.items() if not value}


@pytest.mark.parametrize("block", [1, 1_000, 1 << 20])
@pytest.mark.parametrize("live", [0, 5_000, 1 << 24])
def test_a_walk_agrees_with_the_twin(tmp_path: Path, block: int, live: int) -> None:
    pack, index = make_pack(random_entries(5, 150))
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    found, lost, walker = walk_all(write_pack(tmp_path, pack, index), block=block, live=live)
    assert (found, lost) == (expected, set())
    if live == 0 and block == 1:
        assert walker.revived > 0
    if live == 1 << 24:
        assert walker.revived == 0


@pytest.mark.parametrize("segment", [1, 5_000, MIB])
@pytest.mark.parametrize("size", [1 << 24, 4_000], ids=["spilled", "refused"])
def test_bases_come_back_from_the_arena(tmp_path: Path, segment: int, size: int) -> None:
    pack, index = make_pack(random_entries(5, 150))
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    arena = SpillArena(str(tmp_path).encode(), size_bytes=size, entries=1 << 10, id_size=20)
    path = write_pack(tmp_path, pack, index)
    found, lost, walker = walk_all(path, block=1_000, live=0, segment=segment, arena=arena)
    assert (found, lost) == (expected, set())
    assert walker.spilled > 0
    assert walker.spill_reads > 0
    assert (walker.revived == 0) == (size == 1 << 24)


@pytest.mark.parametrize("segment", [1, 700, 5_000])
def test_a_walk_may_begin_anywhere_in_a_tree(tmp_path: Path, segment: int) -> None:
    pack, index = make_pack(random_entries(12, 120, roots=0.01))
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    found, lost, _ = walk_all(write_pack(tmp_path, pack, index), segment=segment, block=10_000)
    assert (found, lost) == (expected, set())


def test_walkers_share_the_segments_of_a_forest(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(13, 100))
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    path = write_pack(tmp_path, pack, index)
    names: list[bytes] = []
    with opened(path) as descriptor:
        forest, _ = forest_of(path, descriptor)
        forest.select(b"\1" * 100, segment_bytes=1)
        walkers = [walker_of(forest) for _ in range(3)]
        segments: list[int] = []
        while any(made := [walker.next_block(64 * MIB, in_order=True) for walker in walkers]):
            for columns in filter(None, made):
                names += [columns[4][at : at + 20] for at in range(0, len(columns[4]), 20)]
                segments.append(~columns[6])
    assert sorted(names) == sorted(expected)
    assert segments == list(range(len(segments)))
    assert len(segments) > 10


def test_headers_serve_several_walks_at_once(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(14, 100))
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    path = write_pack(tmp_path, pack, index)
    (tmp_path / "other").mkdir()
    other = write_pack(tmp_path / "other", *make_pack(random_entries(15, 90)))
    with opened(path) as descriptor, opened(other) as other_descriptor:
        first, table = forest_of(path, descriptor)
        second = forest_over(table, descriptor, first)
        for forest in (first, second):
            forest.select(b"\1" * 100)
        assert (second.kinds(), second.faults()) == (first.kinds(), first.faults())
        walkers = [walker_of(first), walker_of(second)]
        del first, forest
        for walker in walkers:
            columns = walker.next_block(64 * MIB)
            assert sorted(columns[4][at : at + 20] for at in range(0, len(columns[4]), 20)) == sorted(expected)
        with pytest.raises(ConfigError, match="other tables"):
            forest_over(forest_of(other, other_descriptor)[1], other_descriptor, second)


def test_a_deep_chain_of_dropped_bases_costs_little_more_than_its_length(tmp_path: Path) -> None:
    """Each link has a leaf, so the walk comes back to all of them, the deepest first."""
    body = bytes(range(256)) * 4
    entries = [Entry(name_of(3, body), 3, body)]
    size = len(body)
    for depth in range(1, 1_000):
        for leaf in (b"link", b"leaf"):
            step = deltas.encode(size, [leaf + b"%d" % depth, (0, len(body) - 9)])
            content = leaf + b"%d" % depth
            distance = (1 if leaf == b"link" else 2) + (depth > 1)
            entries.append(Entry(name_of(3, content), OFS_DELTA, step, distance))
        size = len(b"link%d" % depth) + len(body) - 9
    found, lost, walker = walk_all(write_pack(tmp_path, *make_pack(entries)), live=40_000, block=4_096)
    assert not lost
    assert len(found) == len(entries)
    assert walker.peak_bytes <= 40_000
    assert walker.remade < 20_000  # 500,000 were each made again from the root


@pytest.mark.parametrize("backend", backends())
def test_every_backend_walks_the_same(tmp_path: Path, backend: str) -> None:
    pack, index = make_pack(random_entries(6, 80))
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    assert walk_all(write_pack(tmp_path, pack, index), backend=backend)[0] == expected


def test_only_what_is_selected_is_handed_out(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(7, 90))
    path = write_pack(tmp_path, pack, index)
    expected, _ = split(reference.read_all(pack, reference.parse_index(index)))
    wanted = bytes(rank % 3 == 0 for rank in range(90))
    found, _, _ = walk_all(path, wanted=wanted)
    with opened(path) as descriptor:
        _, columns = forest_of(path, descriptor)
    names = {columns.name(int(columns.order[rank])) for rank in range(0, 90, 3)}
    assert found == {name: expected[name] for name in names}


def test_kinds_are_those_of_the_roots(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(8, 60))
    path = write_pack(tmp_path, pack, index)
    expected = reference.read_all(pack, reference.parse_index(index))
    with opened(path) as descriptor:
        forest, columns = forest_of(path, descriptor)
        kinds = forest.kinds()
    for rank, kind in enumerate(kinds):
        value = expected[columns.name(int(columns.order[rank]))]
        assert value is not None
        assert kind == value[0]


def test_every_flipped_byte_agrees_with_the_twin(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(9, 7, largest=40))
    places = reference.parse_index(index)
    for at in range(12, len(pack) - 20):
        damaged = bytes([*pack[:at], pack[at] ^ 0x55, *pack[at + 1 :]])
        found, lost, _ = walk_all(write_pack(tmp_path, damaged, index))
        assert (found, lost) == split(reference.read_all(damaged, places)), at


def test_a_pack_cut_anywhere_gives_what_is_left(tmp_path: Path) -> None:
    pack, index = make_pack(random_entries(10, 8, largest=60))
    whole, _ = split(reference.read_all(pack, reference.parse_index(index)))
    for size in range(0, len(pack), 7):
        path = write_pack(tmp_path, pack, index)
        with opened(path) as descriptor:
            forest, _ = forest_of(path, descriptor)
            path.write_bytes(pack[:size])  # truncated after it was opened, as no mapping would survive
            forest.select(b"\1" * 8)
            walker = walker_of(forest)
            while (columns := walker.next_block(4096)) is not None:
                oids = columns[4]
                assert all(oids[i : i + 20] in whole for i in range(0, len(oids), 20))


HOSTILE = {
    "a cycle of two": [
        Entry(b"a" * 20, REF_DELTA, deltas.encode(1, [b"x"]), b"b" * 20),
        Entry(b"b" * 20, REF_DELTA, deltas.encode(1, [b"x"]), b"a" * 20),
    ],
    "its own base": [Entry(b"a" * 20, REF_DELTA, deltas.encode(1, [b"x"]), b"a" * 20)],
    "a distance of zero": [Entry(b"a" * 20, OFS_DELTA, deltas.encode(1, [b"x"]), 0)],
    "a distance before the pack": [Entry(b"a" * 20, OFS_DELTA, deltas.encode(1, [b"x"]), -(1 << 40))],
    "an absurd size": [Entry(b"a" * 20, 3, b"x", size=1 << 40)],
    "the largest size": [Entry(b"a" * 20, 3, b"x", size=(1 << 64) - 1)],
    "an absurd delta size": [HELLO, Entry(b"a" * 20, OFS_DELTA, b"x", 1, size=1 << 50)],
    "a delta of an absurd result": [HELLO, Entry(b"a" * 20, OFS_DELTA, b"\x05" + b"\xff" * 8 + b"\x7f\x90\x05", 1)],
    "a reserved type": [Entry(b"a" * 20, 5, b"x")],
    "type zero": [Entry(b"a" * 20, 0, b"x")],
    "a cut stream": [Entry(b"a" * 20, 3, b"x" * 50, stream=zlib.compress(b"x" * 50)[:-5])],
    "no stream": [Entry(b"a" * 20, 3, b"x", stream=b"")],
    "a base of another pack": [Entry(b"a" * 20, REF_DELTA, deltas.encode(1, [b"x"]), b"\xfe" * 20)],
    "a delta of a damaged base": [
        Entry(b"a" * 20, 3, b"x" * 50, stream=b"rubbish"), Entry(b"b" * 20, OFS_DELTA, deltas.encode(50, [(0, 9)]), 1),
        Entry(b"c" * 20, OFS_DELTA, deltas.encode(9, [(0, 9)]), 1),
    ],
}  # fmt: skip


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_entry_is_reported_and_the_rest_is_read(tmp_path: Path, entries: list[Entry]) -> None:
    innocent = Entry(name_of(3, b"innocent"), 3, b"innocent")
    found, lost, _ = walk_all(write_pack(tmp_path, *make_pack([innocent, *entries])))
    assert found.pop(innocent.name) == (3, b"innocent")
    assert lost == {entry.name for entry in entries if entry is not HELLO}
    assert set(found) <= {HELLO.name}


@pytest.mark.parametrize("offset", [0, 11, 13, 1 << 20, 1 << 40, (1 << 64) - 1])
def test_an_offset_of_nowhere_is_reported(tmp_path: Path, offset: int) -> None:
    other = Entry(b"o" * 20, 3, b"other")
    found, lost, _ = walk_all(write_pack(tmp_path, *make_pack([HELLO, other], {b"o" * 20: offset})))
    assert b"o" * 20 in lost
    assert found in ({}, {HELLO.name: (3, b"hello")})  # an offset inside an entry cuts that entry short


def test_many_names_for_one_offset_do_not_slow_the_walk(tmp_path: Path) -> None:
    names = {number.to_bytes(20, "big"): 12 for number in range(50_000)}
    pack, _ = make_pack([HELLO])
    path = write_pack(tmp_path, pack, reference.make_index(names, pack[-20:]))
    found, lost, _ = walk_all(path)
    assert (len(found), len(lost)) == (1, 49_999)


def test_an_object_above_the_limit_is_told_apart(tmp_path: Path) -> None:
    grown = Entry(b"g" * 20, OFS_DELTA, deltas.encode(5, [(0, 5)] * 3_000), 1)
    child = Entry(b"k" * 20, OFS_DELTA, deltas.encode(15_000, [(0, 5)]), 1)
    path = write_pack(tmp_path, *make_pack([HELLO, grown, child]))
    with opened(path) as descriptor:
        forest, _ = forest_of(path, descriptor)
        walker = walker_of(forest, limit=9_999)
        forest.select(b"\1\1\1")
        assert walker.next_block(100) is not None
        assert walker.next_block(100) is None
        assert [(rank, too_large) for rank, _, too_large in walker.take_faults()] == [(1, True), (2, False)]


def test_a_deep_chain_and_a_wide_bush_stay_within_a_small_limit(tmp_path: Path) -> None:
    body = bytes(range(256)) * 8
    entries, contents = [Entry(name_of(3, body), 3, body)], {name_of(3, body): (3, body)}
    for depth in range(1, 200):
        for leaf in (b"leaf", b"link"):
            content = leaf + b"%d" % depth + body
            size = len(body) + (0 if depth == 1 else len(b"link%d" % (depth - 1)))
            step = deltas.encode(size, [leaf + b"%d" % depth, (size - len(body), len(body))])
            entries.append(Entry(name_of(3, content), OFS_DELTA, step, 1 if leaf == b"leaf" else 2))
            contents[name_of(3, content)] = (3, content)
    path = write_pack(tmp_path, *make_pack(entries))
    found, lost, walker = walk_all(path, live=10_000, block=4_096)
    assert not lost
    assert found == contents
    assert walker.peak_bytes <= 10_000


def test_a_walker_can_be_used_again_and_refuses_wrong_arguments(tmp_path: Path) -> None:
    path = write_pack(tmp_path, *make_pack([HELLO]))
    with opened(path) as descriptor:
        forest, _ = forest_of(path, descriptor)
        walker = walker_of(forest)
        assert walker.next_block(10) is None
        for _ in range(2):
            forest.select(b"\1")
            assert walker.next_block(10) is not None
            assert walker.next_block(10) is None
        with pytest.raises(ConfigError):
            forest.select(b"")
        with pytest.raises(ConfigError):
            walker.next_block(0)
