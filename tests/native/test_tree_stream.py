"""Trees through windows: whatever the partition of the input, and wherever it lies, the same records and differences."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native.spill_arena import SpillArena
from siltstone._native.tree_entries import diff_entries, parse_entries
from siltstone._native.tree_stream import RING_BYTES, TreeDiffStream, TreeStream
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.reference import tree_stream as reference
from tests.reference.tree_entries import sort_key

MODES = (0o100644, 0o100755, 0o100664, 0o120000, 0o040000, 0o160000)
SIZES = st.sampled_from([20, 32])


def in_pieces(data: bytes, sizes: list[int]) -> Callable[[int, int], bytes]:
    """Return a reader that gives *sizes* bytes one after the other, over and over, and never more than is asked for."""
    calls = iter(range(1 << 40))
    return lambda position, most: data[position : position + min(most, sizes[next(calls) % len(sizes)])]


def outcome(items: Iterable[object] | Callable[[], list[Any]]) -> Any:
    """Everything that comes before a fault, and the fault's place."""
    found: list[object] = []
    try:
        for item in items() if callable(items) else items:
            found.append(item)
    except CorruptDataError as error:
        return found, error.source, error.offset
    return found


def long_tree(seed: int, id_size: int, count: int) -> bytes:
    """Return a tree of many windows; its neighbours by seed differ in a few records."""
    source = random.Random(id_size)
    rows = [
        (source.choice(MODES), b"%06d" % number + b"n" * source.choice([0, 5, 40, 900]), source.randbytes(id_size))
        for number in range(count)
    ]
    change = random.Random(seed)
    for _ in range(change.randrange(5)):
        at = change.randrange(len(rows) or 1)
        name = rows[at][1] if at < len(rows) else b"last"
        rows[at : at + change.randrange(2)] = [
            (change.choice(MODES), name + b"-" * change.randrange(2), change.randbytes(id_size))
            for _ in range(change.randrange(2))
        ]
    unique = {sort_key(row): row for row in rows}
    return b"".join(b"%o %s\0%s" % unique[key] for key in sorted(unique))


def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Return *data*, perhaps with some bytes changed, cut or put in."""
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        middle = draw(st.sampled_from([b"", b"\0", b"/", b" ", b"9", b"x" * 9_000, b"0" * 9_000, b"100644 \0" + bytes(20)]))
        data = data[:at] + middle + data[at + draw(st.integers(0, 30)) :]
    return data


@st.composite
def tree_pairs(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    id_size, count = draw(SIZES), draw(st.sampled_from([1, 3, 40, 300]))
    first, second = (long_tree(draw(st.integers(0, 50)), id_size, count) for _ in range(2))
    return damaged(draw, first), damaged(draw, second), id_size


PARTITIONS = st.lists(st.one_of(st.integers(1, 40), st.sampled_from([700, 8_192, 8_193, 20_000])), min_size=1, max_size=5)


@settings(max_examples=150)
@given(tree_pairs(), PARTITIONS, PARTITIONS, st.sampled_from([RING_BYTES, RING_BYTES + 1, 1 << 16]))
def test_whole_streamed_and_spilled_trees_differ_alike(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[bytes, bytes, int], cuts: list[int], other_cuts: list[int], ring: int
) -> None:
    old, new, id_size = case
    expected = outcome(reference.iter_changes(old, new, id_size))
    arena = SpillArena(os.fsencode(tmp_path_factory.getbasetemp()), size_bytes=1 << 22, entries=0, id_size=id_size)
    held = arena.capsule()

    def streamed(data: bytes, sizes: list[int]) -> TreeStream:
        return TreeStream(in_pieces(data, sizes), id_size, size=len(data), ring_bytes=ring)

    def spilled(data: bytes) -> TreeStream:
        return TreeStream(held, id_size, offset=arena.append(data) or 0, size=len(data), ring_bytes=ring)

    def copied(data: bytes) -> TreeStream:
        return TreeStream(data, id_size, ring_bytes=ring)

    whole = outcome(lambda: diff_entries(old, new, id_size))
    assert whole == (expected if isinstance(expected, list) else ([], *expected[1:]))
    for before, after in (
        (streamed(old, cuts), streamed(new, other_cuts)), (spilled(old), spilled(new)), (copied(old), copied(new)),
        (streamed(old, other_cuts), spilled(new)), (spilled(old), copied(new)),
    ):  # fmt: skip
        assert outcome(TreeDiffStream(before, after, id_size)) == expected


@settings(max_examples=100)
@given(tree_pairs(), PARTITIONS)
def test_records_do_not_depend_on_the_partition(case: tuple[bytes, bytes, int], cuts: list[int]) -> None:
    data, _, id_size = case
    expected = outcome(reference.iter_records(data, id_size))
    assert outcome(TreeStream(in_pieces(data, cuts), id_size, size=len(data))) == expected
    assert outcome(TreeStream(data, id_size)) == expected
    if isinstance(expected, list):
        assert parse_entries(data, id_size) == expected


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=70), PARTITIONS)
@example(b"1 a\0" + bytes(20), b"", b"bad", [1])
@example(b"1 a\0" + bytes(20), b"1 b\0" + bytes(20), b"bad", [1])
@example(b"", b"1 a\0" + bytes(20), b"1", [1])
def test_any_bytes_give_what_the_twin_gives(first: bytes, second: bytes, end: bytes, cuts: list[int]) -> None:
    old, new = first + end, second + end
    expected = outcome(reference.iter_changes(old, new, 20))
    streams = [TreeStream(in_pieces(data, cuts), 20, size=len(data)) for data in (old, new)]
    assert outcome(TreeDiffStream(*streams, 20)) == expected


def test_no_tree_is_the_empty_tree() -> None:
    tree = long_tree(1, 20, 9)
    added = list(TreeDiffStream(None, TreeStream(tree, 20), 20))
    assert added == diff_entries(b"", tree, 20)
    assert [row[0] for row in TreeDiffStream(TreeStream(tree, 20), None, 20)] == [row[0] for row in added]
    assert list(TreeDiffStream(None, None, 20)) == []
    assert list(TreeStream(b"", 20)) == []
    assert TreeStream(tree, 20).size == len(tree)
    assert TreeStream(tree, 20).held_bytes == RING_BYTES


def test_what_a_reader_raises_comes_out(tmp_path: Path) -> None:
    def refuse(position: int, most: int) -> bytes:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        next(TreeStream(refuse, 20, size=9))
    with pytest.raises(OSError, match="gone"):
        next(TreeDiffStream(TreeStream(refuse, 20, size=9), None, 20))
    for piece in (b"", b"far too much"):
        with pytest.raises(ConfigError):
            next(TreeStream(lambda position, most, piece=piece: piece, 20, size=9))
    for wrong in (None, "text", 3):
        with pytest.raises(TypeError):
            next(TreeStream(lambda position, most, wrong=wrong: wrong, 20, size=9))


def test_a_reader_cannot_read_its_own_stream() -> None:
    stream: list[TreeStream] = []
    stream.append(TreeStream(lambda position, most: bytes(repr(next(stream[0])), "ascii"), 20, size=9))
    with pytest.raises(ConfigError):
        next(stream[0])


def test_wrong_values_are_refused(tmp_path: Path) -> None:
    arena = SpillArena(os.fsencode(tmp_path), size_bytes=1 << 16, entries=1, id_size=20)
    held = arena.capsule()
    used = TreeStream(b"", 20)
    TreeDiffStream(used, None, 20)
    calls = (
        lambda: TreeStream(b"", 21), lambda: TreeStream(b"", 20, ring_bytes=RING_BYTES - 1), lambda: TreeStream(held, 20),
        lambda: TreeStream(held, 20, size=1), lambda: TreeStream(held, 20, size=-1), lambda: TreeStream(b"", 20, offset=-1),
        lambda: TreeStream(lambda position, most: b"", 20), lambda: next(used), lambda: TreeDiffStream(used, None, 20),
        lambda: TreeDiffStream(TreeStream(b"", 32), None, 20),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(ConfigError):
            call()
    twice = TreeStream(b"", 20)
    with pytest.raises(ConfigError):
        TreeDiffStream(twice, twice, 20)
    with pytest.raises(TypeError):
        TreeStream(None, 20)
    with pytest.raises(ValueError, match="Capsule"):
        from siltstone._native.inflate import capsule

        TreeStream(capsule(), 20, size=0)
