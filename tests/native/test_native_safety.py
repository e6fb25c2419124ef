"""Kernels under callers that share objects between threads, change buffers while a call runs, or pass what cannot be."""

from __future__ import annotations

import random
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from siltstone._native import base32, delta, gear, inflate, literals, spill_index
from siltstone._native.absent_ids import KnownIds
from siltstone._native.csr import Csr, build_csr
from siltstone._native.pack_read import PackReader
from siltstone._native.pack_walk import PackForest
from siltstone._native.tree_entries import IdSet
from siltstone._native.tree_graph import TreeGraph
from siltstone.content import kernels
from siltstone.content.profiles import ALGORITHMS, Profile
from siltstone.core.errors import ConfigError, CorruptDataError, SiltstoneError
from tests.native.pack_files import forest_of, opened, reader_of, walk_all, walker_of, write_pack
from tests.reference import delta as deltas
from tests.reference.pack_read import Entry, make_index, make_pack, name_of, parse_index
from tests.reference.random_packs import random_entries

HUGE = (1 << 63) - 1
SECONDS = 0.25  # each race; the sanitized build sees what goes wrong in it


def race(*actions: Callable[[], object], seconds: float = SECONDS) -> None:
    """Repeat each action in a thread of its own; errors of ours are fine, any other one fails the test."""
    end = time.monotonic() + seconds
    foreign: list[Exception] = []

    def repeat(action: Callable[[], object]) -> None:
        while time.monotonic() < end and not foreign:
            try:
                action()
            except SiltstoneError:
                continue
            except Exception as error:  # noqa: BLE001
                foreign.append(error)

    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not foreign


def columns(count: int = 2, **changed: object) -> dict[str, object]:
    """The arguments of a pack kernel over an index of *count* made-up entries."""
    fanout = np.full(256, count, np.uint32)
    return {
        "names": b"".join(bytes([0]) * 19 + bytes([i]) for i in range(count)), "fanout": fanout,
        "offsets": np.arange(12, 12 + count, dtype=np.uint64), "order": np.arange(count, dtype=np.uint32),
        "ranks": np.arange(count, dtype=np.uint32), "id_size": 20, "end": 100, "limit_bytes": 1000,
        "inflate": inflate.capsule(), **changed,
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"ranks": np.array([0, 2], np.uint32)},
        {"order": np.array([0xFFFFFFFF, 0], np.uint32)},
        {"offsets": np.array([50, 20], np.uint64)},
        {"id_size": 1 << 62, "names": b"", "count": 4},
        {"id_size": 21, "names": bytes(42)},
    ],
    ids=["rank", "order", "offsets", "id_size", "odd_id_size"],
)
def test_pack_kernels_refuse_columns_that_point_outside(changed: dict[str, object]) -> None:
    arguments = columns(changed.pop("count", 2), **changed)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        PackReader(**arguments, cache_bytes=0)  # type: ignore[arg-type]
    place = {name: value for name, value in arguments.items() if name not in ("limit_bytes", "inflate")}
    with pytest.raises(ConfigError):
        PackForest(**place, descriptor=0)  # type: ignore[arg-type]


def test_names_that_share_an_entry_cost_one_read(tmp_path: Path) -> None:
    """An index of a few megabytes could else ask for one large object a hundred thousand times."""
    entries = [Entry(name_of(3, content), 3, content) for content in (b"first", b"second" * 99)]
    pack, index = make_pack(entries)
    names = sorted(random.Random(6).randbytes(20) for _ in range(50))
    index = make_index({**parse_index(index), **dict.fromkeys(names, 12)}, index[-40:-20])
    path = write_pack(tmp_path, pack, index)
    owner = min([entries[0].name, *names])
    found, lost, _ = walk_all(path)
    assert set(found) == {owner, entries[1].name}
    assert lost == {entries[0].name, *names} - {owner}
    reader, _ = reader_of(path)
    with opened(path) as descriptor:
        assert reader.read(owner, descriptor) == (3, b"first")
        for name in lost:
            with pytest.raises(CorruptDataError):
                reader.read(name, descriptor)


def test_a_limit_may_be_the_largest_number(tmp_path: Path) -> None:
    entry = Entry(name_of(3, b"hello"), 3, b"hello")
    path = write_pack(tmp_path, *make_pack([entry]))
    with opened(path) as descriptor:
        assert reader_of(path, limit=HUGE, cache=HUGE)[0].read(entry.name, descriptor) == (3, b"hello")
        forest, _ = forest_of(path, descriptor)
        walker = walker_of(forest, limit=HUGE, live=HUGE)
        forest.select(b"\1")
        block = walker.next_block(100)
    assert block is not None
    assert bytes(block[0]) == b"hello"


@pytest.mark.parametrize("offset", [-(1 << 63), -1, 4, HUGE])
def test_an_offset_far_outside_is_refused(offset: int) -> None:
    with pytest.raises(CorruptDataError):
        inflate.inflate_exact(b"data", 1, offset)


def test_faults_are_not_handed_out_while_a_walk_runs(tmp_path: Path) -> None:
    path = write_pack(tmp_path, *make_pack(random_entries(5, 400)))
    refused = 0
    with opened(path) as descriptor:
        forest, index = forest_of(path, descriptor)
        walker = walker_of(forest, backend="python")
        for _ in range(40):
            forest.select(b"\1" * len(index))
            thread = threading.Thread(target=walker.next_block, args=(1 << 24,))
            thread.start()
            while thread.is_alive():
                try:
                    walker.take_faults()
                except ConfigError:
                    refused += 1
            thread.join()
            if refused:
                break
    assert refused


def test_a_scanner_is_not_finished_while_it_is_fed() -> None:
    table = array("Q", (random.Random(1).getrandbits(64) for _ in range(256)))
    scanner = gear.CutScanner(table, 2048, 8192, 65536, 0x0003590703530000, 0x0000D90003530000)
    data = bytes(64 << 20)
    refused = 0
    for _ in range(20):
        thread = threading.Thread(target=scanner.feed, args=(data,))
        thread.start()
        while thread.is_alive():
            try:
                scanner.finish()
            except ConfigError:
                refused += 1
        thread.join()
        if refused:
            break
    assert refused


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_bytes_that_change_while_they_are_cut_give_chunks_within_the_limits(algorithm: str) -> None:
    """The buffer is held, so it cannot shrink; what is written into it meanwhile moves cuts and nothing else."""
    profile = Profile(algorithm=algorithm, minimum=64, target=1024, maximum=4096)
    noise = random.Random(8).randbytes(1 << 20)
    data = bytearray(noise)

    def cut(kernel: str) -> None:
        scanner = kernels.scanner(profile, kernel=kernel)
        for ends in (kernels.cut_offsets(data, profile, kernel=kernel), [*scanner.feed(data), *scanner.finish()]):
            sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
            assert len(noise) - 1 <= sum(sizes) <= len(noise)
            assert all(63 <= size <= 4096 for size in sizes[:-1])

    def change() -> None:
        with suppress(BufferError):  # a cut under way holds the data
            data[:] = bytes(len(noise))
            data[:] = noise
            data.append(data.pop())

    race(*(lambda name=name: cut(name) for name in kernels.available(algorithm)), change)  # type: ignore[misc]


def test_digits_that_change_while_they_are_read_give_bytes_or_an_error() -> None:
    plain = bytes(32 << 12)
    data, text = bytearray(plain), bytearray(base32.encode_batch(plain, 32))
    digits = bytes(text)

    def convert(kernel: str) -> None:
        assert len(base32.encode_batch(data, 32, kernel)) == len(digits)
        assert len(base32.encode_texts(data, 32, kernel)) == 1 << 12
        assert len(base32.decode_batch(text, 32, kernel)) == len(plain)

    def change() -> None:
        with suppress(BufferError):  # a conversion under way holds the text
            text[:] = b"e" * len(digits)
            text[:] = digits
            data[:] = b"\xff" * len(plain)
            text.append(text.pop())

    race(*(lambda name=name: convert(name) for name in base32.variants()), change)  # type: ignore[misc]


def test_a_delta_that_changes_while_it_is_applied_stays_inside_the_result() -> None:
    base = bytes(1 << 20)
    short = deltas.encode(len(base), [(0, 1)] * 20_000)
    changing = bytearray(short)
    body = len(short) - 20_000 * 2  # a copy of one byte from 0: the opcode and its size
    wide = bytearray(short)
    for at in range(body, len(wide), 2):
        wide[at : at + 2] = b"\xc0\x7f"  # a copy of 0x7F0000 bytes

    def flip() -> None:
        changing[:] = wide
        changing[:] = short

    race(lambda: delta.apply(base, changing), flip)


def test_segments_that_change_while_they_are_searched_stay_inside_the_data() -> None:
    data = b"anchor " * 1000
    matcher = literals.LiteralMatcher([b"anchor"])
    known = KnownIds(20)
    count = 20_000
    starts, ends = np.zeros(count, np.int64), np.full(count, 30, np.int64)
    tree = b"100644 a\0" + bytes(20)
    graph = TreeGraph(b"", 20)
    oids = bytes(20 * count)

    def flip() -> None:
        ends[:] = 1 << 40
        ends[:] = 30

    race(
        lambda: matcher.search(data, starts, ends), lambda: known.check_trees(tree * 100, starts, ends),
        lambda: graph.add_trees(tree * 100, starts, ends, oids), flip, seconds=3 * SECONDS,
    )


def test_an_edge_list_that_changes_while_rows_are_built_stays_inside_them() -> None:
    count = 50_000
    rows = np.zeros(count, np.int32)
    kinds = np.zeros(count, np.uint8)

    def flip() -> None:
        rows[:] = 1 << 30
        kinds[:] = 255
        rows[:] = 0
        kinds[:] = 0

    race(lambda: build_csr(10, rows, rows, kinds), flip)


def test_a_graph_whose_columns_change_under_a_read_only_view_stays_inside_them() -> None:
    offsets, rows, kinds = np.array([0, 1, 2], np.int64), np.array([1, 0], np.int32), np.zeros(2, np.uint8)
    views = [column.view() for column in (offsets, rows, kinds)]
    for view in views:
        view.flags.writeable = False
    csr = Csr(*(view.data for view in views))
    rows[:], offsets[1], kinds[:] = 1 << 30, 1 << 40, 200
    csr.reach(np.array([0], np.int32), 1, 9, 9)
    csr.components(1)
    offsets[1], rows[:] = -(1 << 40), -5
    csr.reach(np.array([0], np.int32), 1, 9, 9)
    csr.components(1)


def test_tables_of_ids_cannot_shrink_while_they_are_compared() -> None:
    tables = [bytearray(random.Random(i).randbytes(20 * 20_000)) for i in range(8)]
    expected = [bytes(marks) for marks in spill_index.find_repeats(tables, 20)]

    def shrink() -> None:
        with suppress(BufferError):  # a comparison under way holds the tables
            kept = bytes(tables[0])
            tables[0].clear()
            tables[0].extend(kept)

    def compare() -> None:
        found = spill_index.find_repeats(tables, 20)
        if len(found[0]) == 20_000:
            assert [bytes(marks) for marks in found] == expected

    race(compare, shrink)


def test_tables_of_ids_serve_several_threads() -> None:
    """Growing a table moves its memory: readers and writers take turns."""
    source = random.Random(3)
    known, numbers = KnownIds(20), IdSet(20)
    index = spill_index.SpillIndex(1000, 20)

    def add() -> None:
        ids = source.randbytes(20 * 2000)
        known.add_many(ids)
        numbers.add_many(ids)
        assert known.find_many(ids) == b"\1" * 2000

    def fill() -> None:
        index.put_many(source.randbytes(20 * 100))

    query = bytes(20 * 5000)
    race(add, add, lambda: known.find_many(query), lambda: numbers.find_many(query), fill, fill)
    for _ in range(11):  # a machine that is busy may not have come to it
        with suppress(SiltstoneError):
            fill()
    assert len(index) == index.capacity


def test_a_tree_graph_counts_targets_that_another_thread_adds() -> None:
    source = random.Random(4)
    graph = TreeGraph(source.randbytes(20), 20, limit_bytes=1 << 26)
    roots: list[bytes] = [bytes(20)]

    def grow() -> None:
        targets = [source.randbytes(20) for _ in range(200)]
        graph.add_targets(b"".join(targets))
        tree = b"".join(b"100644 x\0" + target for target in targets)
        root = source.randbytes(20)
        graph.add_trees(tree, np.array([0]), np.array([len(tree)]), root)
        roots.append(root)

    def ask() -> None:
        found, unread, _ = graph.first_holders(b"".join(roots[-20:]))
        assert all(-1 <= place < 20 for place in found)
        assert len(unread) % 20 == 0

    race(grow, grow, ask, ask, ask)


@pytest.mark.parametrize("id_size", [20, 32])
@pytest.mark.parametrize("make", [lambda size, count: IdSet(size), lambda size, count: spill_index.SpillIndex(count, size)],
                         ids=["IdSet", "SpillIndex"])
def test_crafted_ids_do_not_meet_in_one_place(id_size: int, make: Callable[[int, int], object]) -> None:
    """Ids that differ in their last bits alone; without a secret in each step they all start at one slot."""
    count = 30_000
    crafted = b"".join(bytes(id_size - 2) + number.to_bytes(2, "little") for number in range(count))
    plain = random.Random(5).randbytes(id_size * count)

    def cost(ids: bytes) -> float:
        best = 1e9
        for _ in range(3):
            table = make(id_size, count)
            begin = time.perf_counter()
            (table.add_many if isinstance(table, IdSet) else table.put_many)(ids)  # type: ignore[attr-defined]
            best = min(best, time.perf_counter() - begin)
        return best

    assert cost(crafted) < 8 * cost(plain) + 0.01
