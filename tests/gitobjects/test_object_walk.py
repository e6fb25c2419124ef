"""The walk by several workers: everything once, in one order or in parts, with deltas that make what was handed out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from siltstone._native.pack_walk import PackWalker
from siltstone.core.budget import KIB, MIB, Budget
from siltstone.core.errors import ConfigError
from siltstone.core.metrics import Metrics
from siltstone.gitobjects import walk_threads
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.native.pack_files import write_pack
from tests.reference import delta as deltas
from tests.reference import pack_read as reference
from tests.reference.pack_read import Entry, make_pack, name_of
from tests.reference.random_packs import random_entries

Contents = dict[bytes, tuple[int, bytes]]
COUNT = 2_100  # more than one worker's worth


def make_repository(folder: Path, entries: list[Entry]) -> Path:
    """A bare repository whose objects are one pack."""
    (folder / "objects").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    write_pack(folder / "objects" / "pack", *make_pack(entries), name="pack-" + "1" * 40)
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("walk"), random_entries(21, COUNT, largest=300, roots=0.15))


@pytest.fixture(scope="module")
def expected(repository: Path) -> Contents:
    (pack,) = (repository / "objects" / "pack").glob("*.pack")
    places = reference.parse_index(pack.with_suffix(".idx").read_bytes())
    return {name: value for name, value in reference.read_all(pack.read_bytes(), places).items() if value}


def contents_of(block: ObjectBlock) -> list[tuple[bytes, int, bytes]]:
    return [(block.oid(i), int(block.kind(i)), bytes(block.content(i))) for i in range(len(block))]


def collect(blocks: Iterator[ObjectBlock]) -> Contents:
    found: Contents = {}
    for block in blocks:
        for name, kind, content in contents_of(block):
            assert name not in found
            found[name] = (kind, content)
    return found


def take_parts(parts: list[Iterator[ObjectBlock]]) -> list[list[ObjectBlock]]:
    """Consume each part in a thread of its own."""
    taken: list[list[ObjectBlock]] = [[] for _ in parts]
    threads = [
        threading.Thread(target=lambda blocks, into: into.extend(blocks), args=pair)
        for pair in zip(parts, taken, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


@pytest.mark.parametrize("block", [1, 10 * KIB, None], ids=["tiny", "small", "default"])
def test_pack_order_is_the_same_for_any_number_of_threads(repository: Path, expected: Contents, block: int | None) -> None:
    runs = []
    with ObjectDatabase.open(repository) as database:
        for threads in (1, 2, 5):
            blocks = list(database.walk_objects(Kind, threads=threads, block_bytes=block))
            assert [one.first for one in blocks] == [sum(map(len, blocks[:at])) for at in range(len(blocks))]
            runs.append([contents_of(one) for one in blocks])
    assert runs[0] == runs[1] == runs[2]
    assert {name: (kind, content) for one in runs[0] for name, kind, content in one} == expected


@pytest.mark.parametrize("threads", [1, 3])
def test_any_order_gives_the_same_objects(repository: Path, expected: Contents, threads: int) -> None:
    with ObjectDatabase.open(repository) as database:
        assert collect(database.walk_objects(Kind, order="any", threads=threads, block_bytes=20 * KIB)) == expected
        blobs = collect(database.walk_objects((Kind.BLOB,), order="any", threads=threads))
    assert blobs == {name: value for name, value in expected.items() if value[0] == Kind.BLOB}


def check_deltas(blocks: list[ObjectBlock]) -> int:
    """Hold the deltas of one part to the contents it gave; return how many there are."""
    given: list[bytes] = []
    left: list[int] = []
    used = 0
    for block in blocks:
        assert block.deltas is not None
        assert block.first == len(given)
        for i in range(len(block)):
            base, content = int(block.deltas.bases[i]), bytes(block.content(i))
            steps = bytes(block.deltas.data[block.deltas.starts[i] : block.deltas.ends[i]])
            if base >= 0:
                left[base] -= 1
                sizes = deltas.varint(len(given[base])) + deltas.varint(len(content))
                assert deltas.apply(given[base], sizes + steps) == content
                used += 1
            else:
                assert steps == b""
            given.append(content)
            left.append(int(block.deltas.children[i]))
    assert not any(left)
    return used


@pytest.mark.parametrize("block", [1, 10 * KIB, None], ids=["tiny", "small", "default"])
def test_parts_together_give_everything_with_deltas_that_hold(
    repository: Path, expected: Contents, block: int | None
) -> None:
    with ObjectDatabase.open(repository) as database:
        parts = take_parts(database.walk_parts(Kind, 3, deltas=True, block_bytes=block))
    assert collect(one for part in parts for one in part) == expected
    used = sum(check_deltas(part) for part in parts)
    assert used > COUNT // 2
    assert all(one.part == number for number, part in enumerate(parts) for one in part)


@pytest.mark.parametrize(("order", "threads"), [("pack", 1), ("pack", 3), ("any", 3)])
def test_walks_give_deltas_that_hold(repository: Path, order: str, threads: int) -> None:
    with ObjectDatabase.open(repository) as database:
        walk = database.walk_objects(Kind, order=order, threads=threads, deltas=True, block_bytes=10 * KIB)  # type: ignore[arg-type]
        parts: dict[int, list[ObjectBlock]] = {}
        for block in walk:
            parts.setdefault(block.part, []).append(block)
    assert sum(check_deltas(part) for part in parts.values()) > COUNT // 2


def test_a_base_that_is_not_asked_for_is_not_named(repository: Path, expected: Contents) -> None:
    from siltstone._native.spill_index import SpillIndex

    skip = SpillIndex(2 * COUNT, 20)
    for name in sorted(expected)[::2]:
        skip.put(name)
    with ObjectDatabase.open(repository) as database:
        blocks = list(database.walk_objects(Kind, threads=1, deltas=True, skip=skip))
    check_deltas(blocks)
    assert set(collect(iter(blocks))) == set(sorted(expected)[1::2])


def test_one_part_may_do_everything_and_the_others_find_nothing(repository: Path, expected: Contents) -> None:
    with ObjectDatabase.open(repository) as database:
        first, second = database.walk_parts(Kind, 2)
        assert collect(first) == expected
        assert list(second) == []
        assert database.budget.reserved("objects") == 0


def test_a_walk_left_early_gives_everything_back(repository: Path) -> None:
    with ObjectDatabase.open(repository) as database:
        held = database.budget.reserved("pack_index")
        for blocks in (database.walk_objects(Kind, threads=3, block_bytes=KIB), database.walk_parts(Kind, 2)[0]):
            next(blocks)
            blocks.close()  # type: ignore[attr-defined]
        assert database.budget.reserved("objects") == 0
        assert database.budget.reserved("pack_index") == held
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("siltstone-walk")]


def test_the_budget_bounds_what_a_walk_reserves(repository: Path, expected: Contents) -> None:
    budget = Budget(total_bytes=2 * MIB)
    metrics = Metrics()
    with ObjectDatabase.open(repository, budget=budget) as database:
        assert collect(database.walk_objects(Kind, threads=8, metrics=metrics)) == expected
    assert 0 < budget.peak("objects") <= 2 * MIB
    assert metrics.counter("walk.objects") == COUNT


def test_wrong_options_are_refused(repository: Path) -> None:
    with ObjectDatabase.open(repository) as database:
        with pytest.raises(ConfigError):
            database.walk_objects(Kind, order="name")  # type: ignore[arg-type]
        with pytest.raises(ConfigError):
            database.walk_objects(Kind, threads=0)
        with pytest.raises(ConfigError):
            database.walk_parts(Kind, 2, block_bytes=0)


def test_pointers_of_git_lfs_are_noted(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
    texts = [pointer, b"version 2\n", b"x" + pointer, pointer[:30], b""]
    folder = make_repository(tmp_path / "lfs", [Entry(name_of(3, text), 3, text) for text in texts])
    with ObjectDatabase.open(folder) as database:
        assert len(collect(database.walk_objects((Kind.BLOB,)))) == len(texts)
        assert database.ledger.counts() == {Reason.LFS_POINTER: 1}
        assert [gap.what for gap in database.ledger.examples()] == [name_of(3, pointer).hex()]


def test_a_thread_that_cannot_start_leaves_none_behind(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    begun: list[threading.Thread] = []

    def start_one(thread: threading.Thread) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)
    with ObjectDatabase.open(repository) as database:
        with pytest.raises(RuntimeError, match="start new thread"):
            next(database.walk_objects(Kind, threads=3, block_bytes=KIB))
        assert database.budget.reserved("objects") == 0
    assert not begun[0].is_alive()


def test_a_walk_that_one_of_its_threads_drops_ends_all_of_them(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector runs in any thread, a worker too, and closes what nobody holds any more."""
    allowed, over = threading.Event(), threading.Event()
    failures: list[BaseException] = []
    make_next = walk_threads.make_next

    def close_or_make(walker: PackWalker, number: int, block_bytes: int, *, in_order: bool) -> walk_threads.Made | None:
        if number == 1 and allowed.wait(10):
            try:
                blocks.close()  # type: ignore[attr-defined]
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)
            over.set()
            return None
        return make_next(walker, number, block_bytes, in_order=in_order)

    monkeypatch.setattr(walk_threads, "make_next", close_or_make)
    with ObjectDatabase.open(repository) as database:
        blocks = database.walk_objects(Kind, threads=3, order="any", block_bytes=KIB)
        next(blocks)
        workers = [thread for thread in threading.enumerate() if thread.name.startswith("siltstone-walk")]
        assert len(workers) == 3
        allowed.set()
        assert over.wait(10)
        assert failures == []
        for thread in workers:
            thread.join(10)
            assert not thread.is_alive()
        assert database.budget.reserved("objects") == 0
