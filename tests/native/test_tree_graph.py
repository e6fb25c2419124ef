"""The graph of trees equals its twin on random repositories."""

from __future__ import annotations

import io
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone._native.tree_graph import TreeGraph
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.native.tree_blocks import make_blocks
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


def add_blocks(graph: TreeGraph, rng: random.Random, trees: dict[bytes, bytes]) -> None:
    for block in make_blocks(rng, trees):
        assert graph.add_trees(*block[:4], first=block.first, deltas=block.deltas) == []


def holds(graph: TreeGraph, twin: reference.TreeGraph, roots: list[bytes]) -> None:
    """Check targets and trees against the twin."""
    positions, unread, cut = graph.first_holders(b"".join(roots))
    assert positions == twin.first_holders(roots)
    assert set(unread) <= {0xEE}
    assert not cut
    assert graph.leading_positions(b"".join(twin.trees)) == twin.leading_positions(list(twin.trees), roots)


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 10_000), list_bytes=st.sampled_from([1 << 24, 2_000, 500, 0]))
def test_graph_agrees_with_reference(id_size: int, seed: int, list_bytes: int) -> None:
    rng = random.Random(seed)
    trees, blobs = random_trees(rng, id_size)
    targets = rng.sample(blobs, rng.randint(1, len(blobs)))
    graph = TreeGraph(b"".join(targets), id_size, list_bytes=list_bytes)
    twin = reference.TreeGraph(targets, id_size)
    shuffled = dict(rng.sample(list(trees.items()), len(trees)))
    assert add(graph, shuffled) == []
    add_blocks(graph, rng, shuffled)
    for oid, data in trees.items():
        twin.add(oid, data)
    holds(graph, twin, [rng.choice(list(trees)) for _ in range(6)])


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 10_000), parts=st.integers(1, 3), list_bytes=st.sampled_from([1 << 24, 2_000, 500, 0]))
def test_deltas_and_parts_do_not_show(id_size: int, seed: int, parts: int, list_bytes: int) -> None:
    rng = random.Random(seed)
    trees, blobs = random_trees(rng, id_size)
    targets = rng.sample(blobs, rng.randint(1, len(blobs)))
    graphs = [
        TreeGraph(b"".join(rng.sample(targets, len(targets)) if part else targets), id_size, list_bytes=list_bytes)
        for part in range(parts)
    ]
    twin, names = reference.TreeGraph(targets, id_size), rng.sample(list(trees), len(trees))
    for part, graph in enumerate(graphs):
        add_blocks(graph, rng, {name: trees[name] for name in names[part::parts]})
    for other in graphs[1:]:
        graphs[0].absorb(other)
    for oid, data in trees.items():
        twin.add(oid, data)
    for _ in range(2):
        holds(graphs[0], twin, [rng.choice(list(trees)) for _ in range(6)])


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
    assert graph.first_holders(root + b"\x04" * 20) == ([-1], bad + b"\x04" * 20, False)
    assert graph.leading_positions(root + bad) == [-1, -1]
    assert add(graph, {bad: b"100644 f\0" + blob}) == []
    assert graph.first_holders(root) == ([0], b"", False)
    assert len(graph) == 2


def test_a_tree_that_names_itself_ends() -> None:
    blob, root = b"\x01" * 20, b"\x02" * 20
    graph = TreeGraph(blob, 20)
    add(graph, {root: b"40000 d\0" + root + b"100644 f\0" + blob})
    assert graph.first_holders(root) == ([0], b"", False)


def test_folders_below_the_deepest_level_are_told() -> None:
    blob = b"\x01" * 20
    trees = {bytes([7]) + i.to_bytes(19, "big"): b"40000 d\0" + bytes([7]) + (i + 1).to_bytes(19, "big") for i in range(600)}
    trees[bytes([7]) + (600).to_bytes(19, "big")] = b"100644 f\0" + blob
    top = bytes([7]) + bytes(19)
    upwards, downwards = TreeGraph(blob, 20), TreeGraph(blob, 20)
    add(upwards, dict(reversed(trees.items())))
    assert upwards.first_holders(top) == ([-1], b"", True)
    add(downwards, trees)
    assert downwards.first_holders(top) == ([0], b"", False)


def test_a_delta_that_does_not_fit_its_base_is_not_followed() -> None:
    blob, base, made = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
    whole = b"100644 a\0" + b"\x04" * 20 + b"100644 f\0" + blob
    programs = [b"\x90", b"\xb0\xff\xff", b"\x91\x60\x30", b"\0", b"\x7f", b"", b"\x90\x1d", b"\x90\x1d\x90\x1d\x90\x1d"]
    for program in programs:
        graph = TreeGraph(blob, 20)
        starts, ends = array("q", [0, len(whole)]), array("q", [len(whole), 2 * len(whole)])
        deltas = (program, array("q", [0, 0]), array("q", [0, len(program)]), array("q", [-1, 0]), array("i", [1, 0]))
        assert graph.add_trees(2 * whole, starts, ends, base + made, deltas=deltas) == []
        assert graph.first_holders(made) == ([0], b"", False)


def test_more_bases_than_slots_give_way_to_newer_ones() -> None:
    blob, count = b"\x01" * 20, 3_000
    whole = b"100644 f\0" + blob
    names = [b"\x02" + i.to_bytes(19, "big") for i in range(2 * count)]
    starts = array("q", range(0, 2 * count * len(whole), len(whole)))
    ends = array("q", [start + len(whole) for start in starts])
    program = b"\x90" + bytes([len(whole)])
    bases = array("q", [-1] * count + [*range(count)])
    children = array("i", [1] * count + [0] * count)
    deltas = (program, array("q", bytes(16 * count)), array("q", [len(program)] * (2 * count)), bases, children)
    graph = TreeGraph(blob, 20)
    assert graph.add_trees(2 * count * whole, starts, ends, b"".join(names), deltas=deltas) == []
    for name in (names[0], names[count - 1], names[count], names[-1]):
        assert graph.first_holders(name)[0] == [0]


def test_an_absorbed_graph_is_spent() -> None:
    first, second, third = (TreeGraph(b"", 20) for _ in range(3))
    first.absorb(second)
    for left, right in ((first, second), (second, third), (third, first), (third, third), (third, TreeGraph(b"", 32))):
        with pytest.raises(ConfigError):
            left.absorb(right)
    for action in (lambda: add(second, {}), lambda: second.first_holders(b"")):
        with pytest.raises(ConfigError):
            action()


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
        graph.leading_positions(b"short")
    with pytest.raises(ConfigError):
        graph.leading_positions(b"")
    columns = [b"", array("q", [0]), array("q", [0]), array("q", [-1]), array("i", [0])]
    for place in range(1, 5):
        deltas = (*columns[:place], columns[place][:0], *columns[place + 1 :])
        with pytest.raises(ConfigError):
            graph.add_trees(b"", array("q", [0]), array("q", [0]), bytes(20), deltas=deltas)
    assert TreeGraph(b"", 20).first_holders(bytes(20)) == ([], b"", False)


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 10_000))
def test_a_log_that_was_set_aside_is_the_same(id_size: int, seed: int) -> None:
    rng = random.Random(seed)
    trees, blobs = random_trees(rng, id_size)
    graph, twin = TreeGraph(b"".join(blobs), id_size), reference.TreeGraph(blobs, id_size)
    with io.BytesIO() as file:
        for block in make_blocks(rng, trees):
            assert graph.add_trees(*block[:4], first=block.first, deltas=block.deltas) == []
            graph.set_aside(file)
        if file.tell():
            with pytest.raises(ConfigError, match="set aside"):
                graph.first_holders(b"")
        graph.bring_back(file)
    for oid, data in trees.items():
        twin.add(oid, data)
    holds(graph, twin, [rng.choice(list(trees)) for _ in range(6)])


def test_a_log_that_was_cut_short_is_told() -> None:
    graph = TreeGraph(b"\xbb" * 20, 20)
    add(graph, {b"\x01" * 20: b"100644 f\0" + b"\xbb" * 20})
    with io.BytesIO() as file:
        graph.set_aside(file)
        file.truncate(1)
        with pytest.raises(CorruptDataError, match="cut short"):
            graph.bring_back(file)


def test_a_limit_can_be_lowered() -> None:
    graph = TreeGraph(b"", 20)
    graph.set_limit(graph.memory_bytes)
    with pytest.raises(BudgetExceeded):
        add(graph, {i.to_bytes(20, "big"): b"40000 d\0" + (i + 5_000).to_bytes(20, "big") for i in range(2_000)})
