"""The digest says what is in the graph, and nothing of how it was written."""

import pytest

from siltstone.codeindex.entities import EntityBatch, Strings
from siltstone.graph.digest import GraphDigest
from tests.graph.graph_world import fill, random_graph
from tests.reference.graph_digest import graph_digest


@pytest.mark.parametrize("seed", range(3))
def test_digest_equals_its_description(tmp_path, seed):
    rows = random_graph(seed)
    assert fill(tmp_path, *rows) == graph_digest(*rows)


@pytest.mark.parametrize(("shuffle", "size"), [(1, None), (2, 1), (3, 7), (4, 33)])
def test_digest_is_independent_of_order_and_batches(tmp_path, shuffle, size):
    rows = random_graph(11)
    assert fill(tmp_path, *rows, shuffle=shuffle, size=size) == graph_digest(*rows)


def test_digest_is_independent_of_sorted_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("siltstone.graph.load._RUN_ROWS", 9)
    monkeypatch.setattr("siltstone.graph.reader._WINDOW_ROWS", 4)
    rows = random_graph(12)
    assert fill(tmp_path, *rows, shuffle=5, size=2) == graph_digest(*rows)


def test_digest_keeps_the_smaller_of_two_rows_with_one_key(tmp_path):
    entities, edges, unresolved = random_graph(13)
    twin_entity = entities[5]._replace(signature="zz", span=(999, 0, 999, 0))
    twin_edge = edges[5]._replace(line=10_000)
    expected = graph_digest(entities, edges, unresolved)
    for first in (True, False):
        def order(rows, twin, front=first):
            return [twin, *rows] if front else [*rows, twin]

        assert fill(tmp_path, order(entities, twin_entity), order(edges, twin_edge), [*unresolved, *unresolved]) == expected


@pytest.mark.parametrize("field", ["path", "name", "signature"])
def test_digest_tells_shifted_text_apart(field):
    def digest(first, second):
        batch = EntityBatch.of([])
        whole = GraphDigest()
        for value in (first, second):
            texts = {name: Strings.of([value if name == field else ""]) for name in ("path", "name", "signature")}
            whole.add_entities(EntityBatch(batch.keys[:0].repeat(1), batch.kinds, batch.sources, batch.spans,
                                           texts["path"], texts["name"], texts["signature"]))
        return whole.hexdigest()

    assert digest("ab", "c") != digest("a", "bc")


def test_digest_of_nothing_is_stable(tmp_path):
    assert fill(tmp_path, []) == graph_digest([], [], []) == GraphDigest().hexdigest()
