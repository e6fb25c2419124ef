"""The graph of trees equals its twin on random repositories."""

from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone._native.tree_graph import TreeGraph
from siltstone.core.errors import BudgetExceeded, ConfigError
from tests.reference import tree_graph as reference


def add(graph: TreeGraph, trees: dict[bytes, bytes]) -> list[int]:
    ends, total = array("q"), 0
    for data in trees.values():
        total += len(data)
        ends.append(total)
    starts = array("q", [end - len(data) for end, data in zip(ends, trees.values(), strict=True)])
    return graph.add_trees(b"".join(trees.values()), starts, ends, b"".join(trees))


def random_trees(rng: random.Random, id_size: int) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Trees that name earlier trees, blobs, submodules and trees that are not there."""
    blobs = [b"\xbb" * (id_size - 1) + bytes([i]) for i in range(12)]
    trees: dict[bytes, bytes] = {}
    for i in range(rng.randint(1, 25)):
        data = b""
        for j in range(rng.randint(0, 5)):
            choice = rng.random()
            if choice < 0.45 and trees:
                data += b"40000 d%d\0" % j + rng.choice(list(trees))
            elif choice < 0.5:
                data += b"40000 gone%d\0" % j + b"\xee" * id_size
            elif choice < 0.6:
                data += b"160000 module%d\0" % j + rng.choice(blobs)
            else:
                data += b"100644 f%d\0" % j + rng.choice(blobs)
        trees[i.to_bytes(id_size, "big")] = data
    return trees, blobs


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 10_000))
def test_graph_agrees_with_reference(id_size: int, seed: int) -> None:
    rng = random.Random(seed)
    trees, blobs = random_trees(rng, id_size)
    targets = sorted(rng.sample(blobs, rng.randint(1, len(blobs))))
    graph, twin = TreeGraph(b"".join(targets), id_size), reference.TreeGraph(targets, id_size)
    shuffled = dict(rng.sample(list(trees.items()), len(trees)))
    assert add(graph, shuffled) == []
    assert add(graph, shuffled) == []
    for oid, data in trees.items():
        twin.add(oid, data)
    roots = [rng.choice(list(trees)) for _ in range(6)]
    positions, unread = graph.first_holders(b"".join(roots))
    assert positions == twin.first_holders(roots)
    assert set(unread) <= {0xEE}
    for root in roots:
        wanted = rng.sample(targets, rng.randint(0, len(targets)))
        assert set(graph.holding_trees(root, b"".join(wanted))) == twin.holding_trees(root, wanted)


@given(seed=st.integers(0, 10_000))
def test_targets_may_come_before_the_first_tree_that_names_them(seed: int) -> None:
    rng = random.Random(seed)
    trees, blobs = random_trees(rng, 20)
    later = TreeGraph(b"", 20)
    told: list[bytes] = []
    for oid, data in trees.items():
        fresh = [blob for blob in blobs if blob in data and blob not in told]
        later.add_targets(b"".join(fresh))
        told += fresh
        assert add(later, {oid: data}) == []
    roots = b"".join(trees)
    at_once = TreeGraph(b"".join(told), 20)
    assert add(at_once, trees) == []
    assert later.first_holders(roots) == at_once.first_holders(roots)
    with pytest.raises(ConfigError):
        later.add_targets(bytes(21))
    if told:
        with pytest.raises(ConfigError):
            later.add_targets(told[0])


def test_damaged_trees_count_as_unread() -> None:
    blob, root, bad = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
    graph = TreeGraph(blob, 20)
    assert add(graph, {root: b"40000 d\0" + bad, bad: b"100644 f\0" + blob + b"100644 cut"}) == [1]
    assert graph.first_holders(root + b"\x04" * 20) == ([-1], bad + b"\x04" * 20)
    assert add(graph, {bad: b"100644 f\0" + blob}) == []
    assert graph.first_holders(root) == ([0], b"")
    assert len(graph) == 2


def test_a_tree_that_names_itself_ends() -> None:
    blob, root = b"\x01" * 20, b"\x02" * 20
    graph = TreeGraph(blob, 20)
    add(graph, {root: b"40000 d\0" + root + b"100644 f\0" + blob})
    assert graph.first_holders(root) == ([0], b"")
    assert graph.holding_trees(root, blob) == [root]


def test_a_graph_over_its_limit_is_refused() -> None:
    graph = TreeGraph(b"\x01" * 20, 20, limit_bytes=100_000)
    trees = {i.to_bytes(20, "big"): b"40000 d\0" + (i + 1).to_bytes(20, "big") for i in range(3_000)}
    with pytest.raises(BudgetExceeded):
        add(graph, trees)
    assert graph.memory_bytes <= 100_000


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError):
        TreeGraph(b"", 21)
    with pytest.raises(ConfigError):
        TreeGraph(b"123", 20)
    with pytest.raises(ConfigError):
        TreeGraph(b"\x01" * 40, 20)
    graph = TreeGraph(b"\x01" * 20, 20)
    for starts, ends, oids in ([[0], [4], bytes(20)], [[-1], [1], bytes(20)], [[2], [1], bytes(20)], [[0], [1], b""]):
        with pytest.raises(ConfigError):
            graph.add_trees(b"abc", array("q", starts), array("q", ends), oids)
    with pytest.raises(ConfigError):
        graph.first_holders(b"short")
    with pytest.raises(ConfigError):
        graph.holding_trees(b"short", b"")
    assert TreeGraph(b"", 20).first_holders(bytes(20)) == ([], b"")
