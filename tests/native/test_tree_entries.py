"""The tree record kernel equals its twin."""

from __future__ import annotations

import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import tree_entries as kernel
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.reference import tree_entries as reference

SIZES = (20, 32)
MODES = (0o100644, 0o100755, 0o100664, 0o120000, 0o040000, 0o160000, 0o40755, 1, 0)


def record(mode: int, name: bytes, oid: bytes) -> bytes:
    return b"%o %s\0%s" % (mode, name, oid)


def outcome(read, *arguments):
    """A result, or the offset of the error in its place."""
    try:
        return read(*arguments)
    except CorruptDataError as error:
        return error.offset


def entries(id_size: int) -> st.SearchStrategy:
    name = st.binary(min_size=1, max_size=3).map(lambda text: text.replace(b"\0", b"a").replace(b"/", b"b"))
    oid = st.integers(0, 5).map(lambda number: bytes([number]) * id_size)
    return st.lists(st.tuples(st.sampled_from(MODES), name, oid), max_size=12)


def tree(id_size: int) -> st.SearchStrategy:
    """Trees in git's order, no name twice."""
    def build(rows) -> bytes:
        unique = {reference.sort_key(row): row for row in rows}
        return b"".join(record(*unique[key]) for key in sorted(unique))
    return entries(id_size).map(build)


@given(st.sampled_from(SIZES).flatmap(lambda size: st.tuples(
    st.one_of(st.binary(max_size=80), entries(size).map(lambda rows: b"".join(record(*row) for row in rows))), st.just(size)
)))
@example((b"", 20))
@example((b" a\0" + bytes(20), 20))
@example((b"37777777777 a\0" + bytes(20), 20))
@example((b"40000000000 a\0" + bytes(20), 20))
@example((b"1 \0" + bytes(20), 20))
@example((b"1 a/b\0" + bytes(20), 20))
@example((b"1 a\0" + bytes(19), 20))
@example((b"8 a\0" + bytes(20), 20))
@example((b"1 a\0" + bytes(20) + b"1", 20))
@example((b"1 " + b"n" * 8169 + b"\0" + bytes(20), 20))
@example((b"1 " + b"n" * 8170 + b"\0" + bytes(20), 20))
@example((b"0" * 9_000 + b"1 a\0" + bytes(20), 20))
@example((b"1 " + b"/" * 8169 + b"\0" + bytes(20) + b"1", 20))
def test_compiled_parse_agrees_with_reference(case) -> None:
    parsed = outcome(reference.parse_entries, *case)
    assert outcome(kernel.parse_entries, *case) == parsed
    assert outcome(kernel.count_entries, *case) == (len(parsed) if isinstance(parsed, list) else parsed)


@pytest.mark.parametrize("id_size", SIZES)
def test_every_truncation_agrees_with_reference(id_size: int) -> None:
    whole = b"".join(record(mode, b"n%d" % i, bytes([i]) * id_size) for i, mode in enumerate(MODES))
    for size in range(len(whole) + 1):
        cut = whole[:size]
        assert outcome(kernel.parse_entries, cut, id_size) == outcome(reference.parse_entries, cut, id_size)


@given(st.sampled_from(SIZES).flatmap(lambda size: st.tuples(tree(size), tree(size), st.just(size))))
@example((b"", record(0o100644, b"a", bytes(20)), 20))
@example((record(0o100644, b"a", bytes(20)), record(0o100664, b"a", bytes(20)), 20))
@example((record(0o100644, b"a", bytes(20)) + record(0o40000, b"a", bytes(20)), record(0o40000, b"a", b"1" * 20), 20))
def test_compiled_diff_agrees_with_reference(case) -> None:
    assert kernel.diff_entries(*case) == reference.diff_entries(*case)


def test_what_two_trees_share_to_their_end_is_not_judged() -> None:
    first, last = record(0o100644, b"a", bytes(20)), record(0o100644, b"z", bytes(20))
    changed = record(0o100644, b"a", b"\x01" * 20)
    assert len(kernel.diff_entries(first + last + b"bad", changed + last + b"bad", 20)) == 1
    assert outcome(kernel.diff_entries, first + last + b"bad", changed + last + b"worse", 20) == len(first + last)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_diff_of_anything_ends_with_a_result_or_a_fault(old: bytes, new: bytes) -> None:
    outcome(kernel.diff_entries, old, new, 20)


@pytest.mark.parametrize(("old", "new", "source"), [(b"bad", b"", "old tree"), (b"", b"bad", "new tree")])
def test_a_fault_says_on_which_side_it_is(old: bytes, new: bytes, source: str) -> None:
    with pytest.raises(CorruptDataError) as caught:
        kernel.diff_entries(old, new, 20)
    assert (caught.value.source, caught.value.offset) == (source, 0)


@given(st.sampled_from(SIZES).flatmap(lambda size: st.tuples(st.lists(tree(size), max_size=5), st.just(size))))
def test_new_entries_agree_with_reference(case) -> None:
    trees, id_size = case
    seen: dict[bytes, int] = {}
    ids = kernel.IdSet(id_size)
    for data in trees:
        assert ids.take_new(data) == reference.take_new(seen, data, id_size)
    assert ids.packed() == b"".join(seen)
    assert len(ids) == len(seen)


@pytest.mark.parametrize("id_size", SIZES)
def test_a_set_numbers_ids_through_growth(id_size: int) -> None:
    ids = kernel.IdSet(id_size)
    every = [number.to_bytes(4, "big") + bytes(id_size - 8) + (number % 7).to_bytes(4, "big") for number in range(5_000)]
    assert [ids.add(oid) for oid in every] == list(range(5_000))
    assert [ids.add(oid) for oid in every[::97]] == list(range(0, 5_000, 97))
    assert ids.find_many(b"".join(every[:3]) + b"\xff" * id_size).tolist() == [0, 1, 2, -1]
    assert ids.find_many(b"").tolist() == []
    assert every[4_999] in ids
    assert b"\xff" * id_size not in ids
    assert ids.add_many(b"".join(every[:9]) + b"\xfe" * id_size) == 1


def test_a_set_refuses_what_does_not_fit_and_keeps_what_it_has() -> None:
    ids = kernel.IdSet(20, limit_bytes=40_000)
    with pytest.raises(BudgetExceeded):
        for number in range(2_000):
            ids.add(number.to_bytes(20, "big"))
    assert len(ids) == 1_024
    assert ids.find((1_023).to_bytes(20, "big")) == 1_023


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ConfigError):
        kernel.IdSet(21)
    ids = kernel.IdSet(20)
    for call in (ids.add, ids.find, ids.__contains__, ids.add_many, ids.find_many):
        with pytest.raises(ConfigError):
            call(b"short")
    with pytest.raises(ConfigError):
        kernel.parse_entries(b"", 19)
    with pytest.raises(TypeError):
        kernel.parse_entries(None, 20)


def test_threads_share_a_set() -> None:
    ids = kernel.IdSet(20)

    def fill() -> None:
        for number in range(3_000):
            ids.add(number.to_bytes(20, "big"))

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 3_000
