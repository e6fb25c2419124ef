"""The check of trees against known ids equals its reference."""

from __future__ import annotations

import hashlib
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native.absent_ids import KnownIds
from siltstone.core.errors import BudgetExceeded, ConfigError
from tests.reference import absent_ids as reference


def oid(number, size=20):
    return hashlib.sha256(b"%d" % number).digest()[:size]


def entry(mode, name, number, size=20):
    return b"%o %s\0" % (mode, name) + oid(number, size)


def check(known, trees, size=20, **options):
    ids = KnownIds(size)
    ids.add_many(b"".join(known))
    ends, at = array("q"), 0
    for tree in trees:
        at += len(tree)
        ends.append(at)
    starts = array("q", (end - len(tree) for end, tree in zip(ends, trees, strict=True)))
    found = ids.check_trees(b"".join(trees), starts, ends, **options)
    assert ids.check_trees(b"".join(trees), starts, ends, **options) == b""  # each is told once
    return b"".join(sorted(found[at : at + size] for at in range(0, len(found), size)))


entries = st.tuples(st.sampled_from([0o100644, 0o100755, 0o120000, 0o040000, 0o160000, 0o100664]),
                    st.sampled_from([b"a", b"b.c", b"\xff"]), st.integers(0, 60))


@given(st.sets(st.integers(0, 60)), st.lists(st.lists(entries, max_size=12), max_size=12), st.sampled_from([20, 32]),
       st.integers(0, 30))
@example(set(), [[(0o100644, b"a", number) for number in range(200)]], 20, 0)
def test_kernel_agrees_with_reference(numbers, rows, size, cut):
    known = {oid(number, size) for number in numbers}
    trees = [b"".join(entry(*row, size) for row in tree) for tree in rows]
    if trees and cut:
        trees[-1] = trees[-1][:-cut]  # a tree that ends inside a record counts up to there
    for subtrees in (False, True):
        told = check(known, trees, size, subtrees=subtrees)
        assert told == reference.find_absent(known, trees, size, subtrees=subtrees)


@pytest.mark.parametrize("bad", [b"100644 a/b\0", b"100644 \0", b" a\0", b"10x644 a\0", b"77777777777777 a\0"])
def test_damaged_tree_counts_up_to_its_damage(bad):
    tree = entry(0o100644, b"a", 1) + bad + oid(2) + entry(0o100644, b"c", 3)
    assert check([], [tree]) == reference.find_absent([], [tree], 20) == oid(1)


def test_ids_are_found_after_the_table_has_grown():
    ids = KnownIds(32)
    for first in range(0, 5_000, 500):
        ids.add_many(b"".join(oid(number, 32) for number in range(first, first + 500)))
    ids.add_many(oid(7, 32) + oid(8, 32))
    assert len(ids) == 5_000
    asked = [oid(number, 32) for number in (0, 4_999, 5_000, 2_500, 9_999)]
    assert ids.find_many(b"".join(asked)) == bytes([1, 1, 0, 1, 0])
    assert ids.find_many(b"") == b""


def test_wrong_arguments_are_refused():
    with pytest.raises(ConfigError):
        KnownIds(21)
    ids = KnownIds(20)
    for call in (lambda: ids.add_many(b"x" * 21), lambda: ids.find_many(b"x"),
                 lambda: ids.check_trees(b"abc", array("q", [0]), array("q", [4])),
                 lambda: ids.check_trees(b"abc", array("q", [0]), array("q"))):
        with pytest.raises(ConfigError):
            call()


def test_limit_is_kept():
    with pytest.raises(BudgetExceeded):
        KnownIds(20, limit_bytes=1_000)
    ids = KnownIds(20, limit_bytes=100_000)
    with pytest.raises(BudgetExceeded):
        ids.add_many(bytes(20 * 10_000))
