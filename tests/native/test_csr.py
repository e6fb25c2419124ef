"""Compressed sparse rows: the kernel equals its twin, and refuses what it cannot prove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native.csr import Csr, build_csr
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.reference import csr as reference


@st.composite
def graphs(draw):
    rows = draw(st.integers(1, 12))
    row = st.integers(0, rows - 1)
    edges = draw(st.lists(st.tuples(row, row, st.integers(0, 31)), max_size=40))
    return rows, edges


def columns_of(edges):
    sources, targets, kinds = zip(*edges, strict=True) if edges else ((), (), ())
    return np.array(sources, np.int32), np.array(targets, np.int32), np.array(kinds, np.uint8)


def frozen(values, kind):
    array = np.array(values, kind)
    array.flags.writeable = False
    return array


def kernel_of(rows, edges):
    sources, targets, kinds = columns_of(edges)
    offsets, order = build_csr(rows, sources, targets, kinds)
    places = np.frombuffer(order, np.int32)
    return Csr(np.frombuffer(offsets, np.int64), frozen(targets[places], np.int32), frozen(kinds[places], np.uint8))


def twin_of(rows, edges):
    sources, targets, kinds = zip(*edges, strict=True) if edges else ((), (), ())
    offsets, order = reference.build_csr(rows, sources, targets, kinds)
    return reference.Csr(offsets, [targets[place] for place in order], [kinds[place] for place in order])


def values(result):
    rows, distances, entries, parents, cut, deeper = result
    return (*(np.frombuffer(column, np.int32).tolist() for column in (rows, distances)),
            np.frombuffer(entries, np.int64).tolist(), np.frombuffer(parents, np.int32).tolist(), cut, deeper)


@given(graphs())
@example((1, []))
@example((1, [(0, 0, 0)]))
@example((3, [(2, 1, 31), (2, 1, 0), (0, 2, 5), (2, 0, 5)]))
def test_rows_are_built_like_the_reference(graph):
    offsets, order = build_csr(graph[0], *columns_of(graph[1]))
    expected = reference.build_csr(graph[0], *(column.tolist() for column in columns_of(graph[1])))
    assert (np.frombuffer(offsets, np.int64).tolist(), np.frombuffer(order, np.int32).tolist()) == expected


@given(graphs(), st.lists(st.integers(0, 11), max_size=4), st.integers(0, 2**32 - 1), st.integers(0, 13), st.integers(0, 13))
@example((2, [(0, 1, 0)]), [0], 1, 0, 5)
@example((2, [(0, 1, 0)]), [0, 0, 1], 1, 1, 0)
@example((3, [(0, 1, 0), (0, 2, 0)]), [0], 1, 9, 1)
@example((3, [(0, 1, 0), (1, 2, 1)]), [0], 1, 9, 9)
def test_walk_equals_reference(graph, seeds, mask, depth, limit):
    seeds = [seed % graph[0] for seed in seeds]
    found = values(kernel_of(*graph).reach(np.array(seeds, np.int32), mask, depth, limit))
    assert found == twin_of(*graph).reach(seeds, mask, depth, limit)


@given(graphs(), st.integers(0, 2**32 - 1))
@example((2, [(0, 1, 0), (1, 0, 0)]), 1)
@example((2, [(0, 1, 0), (1, 0, 1)]), 1)
def test_components_equal_reference(graph, mask):
    components, count = kernel_of(*graph).components(mask)
    numbers = np.frombuffer(components, np.int32).tolist()
    smallest = {number: numbers.index(number) for number in numbers}
    assert ([smallest[number] for number in numbers], count) == twin_of(*graph).components(mask)
    assert sorted(smallest) == list(range(count))
    for source, target, kind in graph[1]:
        assert not mask >> kind & 1 or numbers[source] >= numbers[target]


def test_long_chain_and_long_cycle_need_no_recursion():
    length = 300_000
    chain = np.arange(length, dtype=np.int32)
    kinds = np.zeros(length, np.uint8)
    offsets, order = build_csr(length, chain, np.roll(chain, -1), kinds)
    ring = Csr(np.frombuffer(offsets, np.int64), frozen(np.roll(chain, -1)[np.frombuffer(order, np.int32)], np.int32),
               frozen(kinds, np.uint8))
    assert ring.components(1)[1] == 1
    assert ring.components(0)[1] == length
    rows, distances, *_ = values(ring.reach(np.zeros(1, np.int32), 1, length, length))
    assert rows == list(range(1, length)) == distances


def test_empty_graph_has_nothing():
    empty = kernel_of(0, [])
    assert empty.components(1) == (b"", 0)
    assert empty.reach(np.empty(0, np.int32), 1, 5, 5) == (b"", b"", b"", b"", 0, False)


@pytest.mark.parametrize("edges", [[(0, 3, 0)], [(3, 0, 0)], [(0, -1, 0)], [(-1, 0, 0)], [(0, 1, 32)]])
def test_build_refuses_an_edge_out_of_range(edges):
    with pytest.raises(CorruptDataError):
        build_csr(3, *columns_of(edges))


@pytest.mark.parametrize("rows", [-1, 2**31])
def test_build_refuses_a_row_count_out_of_range(rows):
    with pytest.raises(ConfigError):
        build_csr(rows, *columns_of([]))


def test_build_refuses_columns_of_different_length():
    sources, targets, kinds = columns_of([(0, 1, 2)])
    with pytest.raises(ConfigError):
        build_csr(2, sources, targets, kinds[:0])


@pytest.mark.parametrize(("offsets", "neighbours", "kinds"), [
    ([], [], []), ([1, 1], [0], [0]), ([0, 2], [0], [0]), ([0, 1], [0], []), ([0, 1], [1], [0]), ([0, 1], [-1], [0]),
    ([0, 2, 1], [0], [0]), ([0, 1], [0], [32]), ([0, -1, 1], [0], [0]),
])
def test_rows_that_do_not_fit_are_refused(offsets, neighbours, kinds):
    with pytest.raises(CorruptDataError):
        Csr(frozen(offsets, np.int64), frozen(neighbours, np.int32), frozen(kinds, np.uint8))


def test_buffer_that_can_change_is_refused():
    with pytest.raises(ConfigError):
        Csr(np.zeros(1, np.int64), frozen([], np.int32), frozen([], np.uint8))


@pytest.mark.parametrize(("seeds", "depth", "limit"), [
    ([1], 1, 1), ([-1], 1, 1), ([0], -1, 1), ([0], 1, -1), ([0], 2**31 - 1, 1),
])
def test_walk_refuses_what_is_out_of_range(seeds, depth, limit):
    with pytest.raises(ConfigError):
        kernel_of(1, []).reach(np.array(seeds, np.int32), 1, depth, limit)


def test_columns_come_when_it_is_made_and_never_change():
    with pytest.raises(TypeError):
        Csr.__new__(Csr)
    graph = kernel_of(2, [(0, 1, 0)])
    graph.__init__(frozen([0], np.int64), frozen([], np.int32), frozen([], np.uint8))
    assert graph.components(1)[1] == 2
