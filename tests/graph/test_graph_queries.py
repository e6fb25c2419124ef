"""Answers equal those of the plain definition over the edge list."""

from __future__ import annotations

import threading

import pytest

from siltstone.codeindex.entities import EdgeKind, EntityKind
from siltstone.codeindex.keys import format_key
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, NotFoundError, StoreError
from siltstone.graph.names import suggest
from siltstone.graph.queries import BLAST_KINDS, NO_LIMIT, Graph
from tests.graph.graph_world import edge, entity, file, fill, random_graph

CLASS, FUNCTION, METHOD, INTERFACE = EntityKind.CLASS, EntityKind.FUNCTION, EntityKind.METHOD, EntityKind.INTERFACE
A, B = file("src/a.py"), file("src/b.py")
SHAPE = entity(INTERFACE, "src/a.py", "Shape", line=4)
AREA = entity(METHOD, "src/a.py", "Shape.area", line=5)
SQUARE = entity(CLASS, "src/b.py", "Square", line=1)
TILE = entity(CLASS, "src/b.py", "Tile", line=9)
DRAW = entity(FUNCTION, "src/b.py", "draw", line=20)
MAIN = entity(FUNCTION, "src/b.py", "main", line=30)
SMALL = [A, B, SHAPE, AREA, SQUARE, TILE, DRAW, MAIN]
SMALL_EDGES = [
    edge(A, EdgeKind.CONTAINS, SHAPE), edge(SHAPE, EdgeKind.CONTAINS, AREA), edge(B, EdgeKind.CONTAINS, SQUARE),
    edge(SQUARE, EdgeKind.IMPLEMENTS, SHAPE, line=1), edge(TILE, EdgeKind.INHERITS, SQUARE, line=9),
    edge(DRAW, EdgeKind.CALLS, AREA, line=22), edge(MAIN, EdgeKind.CALLS, DRAW, line=31),
    edge(DRAW, EdgeKind.CALLS, DRAW), edge(B, EdgeKind.IMPORTS, SHAPE), edge(A, EdgeKind.IMPORTS, DRAW),
    edge(MAIN, EdgeKind.TYPE_OF, SHAPE),
]


@pytest.fixture
def small(tmp_path):
    fill(tmp_path, SMALL, SMALL_EDGES)
    with Graph.open(tmp_path) as graph:
        yield graph


def row(graph, wanted):
    return graph.get(wanted.key)


def names(reach):
    return [(hit.entity.name, hit.distance, hit.via.label, hit.parent.name) for hit in reach.hits]


def test_implements_names_the_direct_ones_and_on_request_all(small):
    direct = small.implements(row(small, SHAPE))
    assert names(direct) == [("Square", 1, "implements", "Shape")]
    assert direct.deeper
    every = small.implements(row(small, SHAPE), transitive=True)
    assert names(every) == [*names(direct), ("Tile", 2, "inherits", "Square")]
    assert every.complete
    assert every.hits[1].via_line == 10


def test_blast_radius_starts_from_the_members_too(small):
    reach = small.blast_radius(row(small, SHAPE))
    assert [seed.name for seed in reach.seeds] == ["Shape", "Shape.area"]
    assert {(name, distance) for name, distance, *_ in names(reach)} == {
        ("Square", 1), ("draw", 1), ("src/b.py", 1), ("Tile", 2), ("main", 2), ("src/a.py", 2),
    }
    assert reach.complete


def test_blast_radius_says_what_its_limits_cut(small):
    shape = row(small, SHAPE)
    near = small.blast_radius(shape, depth=1)
    assert (len(near.hits), near.deeper, near.cut) == (3, True, 0)
    few = small.blast_radius(shape, limit=2)
    assert (len(few.hits), few.cut, few.complete) == (2, 1, False)
    assert few.hits == small.blast_radius(shape).hits[:2]
    with pytest.raises(ConfigError, match="depth"):
        small.blast_radius(shape, depth=-1)


def test_blast_radius_follows_the_kinds_asked_for(small):
    reach = small.blast_radius(row(small, AREA), kinds=[EdgeKind.CALLS])
    assert names(reach) == [("draw", 1, "calls", "Shape.area"), ("main", 2, "calls", "draw")]


def test_cycles_over_imports_run_between_files(small):
    found = small.cycles()
    assert [[member.path for member in cycle.members] for cycle in found.cycles] == [["src/a.py", "src/b.py"]]
    assert [member.path for member in found.cycles[0].path] == ["src/a.py", "src/b.py"]
    assert found.loops == ()


def test_self_loop_is_told_apart_from_cycles(small):
    found = small.cycles(EdgeKind.CALLS)
    assert (found.cycles, [loop.name for loop in found.loops]) == ((), ["draw"])


@pytest.mark.parametrize(("text", "expected"), [
    ("Shape", ["Shape"]), ("Shape.area", ["Shape.area"]), ("area", ["Shape.area"]), ("shape", ["Shape"]),
    ("SHAPE.AREA", ["Shape.area"]), ("src/a.py", ["src/a.py"]), ("a.py", ["src/a.py"]), ("./src/a.py", ["src/a.py"]),
    ("b.py::draw", ["draw"]), ("src::draw", ["draw"]), ("Shape::area", ["Shape.area"]), ("a.py::draw", []),
    (format_key(TILE.key), ["Tile"]), ("0" * 16, []), ("rea", []), ("py", []), ("", []), ("::", []), ("%", []),
])
def test_find_understands_names_paths_and_keys(small, text, expected):
    assert [found.name for found in small.find(text)] == expected


def test_find_puts_exact_before_end_before_other_case(tmp_path):
    rows = [entity(METHOD, "b.py", "Box.run"), entity(FUNCTION, "c.py", "run"), entity(FUNCTION, "a.py", "Run"),
            entity(METHOD, "a.py", "Box.RUN"), entity(FUNCTION, "d.py", "rerun")]
    fill(tmp_path, rows, shuffle=3)
    with Graph.open(tmp_path) as graph:
        assert [found.name for found in graph.find("run")] == ["run", "Box.run", "Run", "Box.RUN"]
        assert [found.name for found in graph.resolve("run")] == ["run"]
        assert [found.name for found in graph.find("run", within="b.py")] == ["Box.run"]


def test_suggestions_are_near(small):
    assert small.suggest("Squares") == ["Square"]
    assert small.suggest("drew") == ["draw"]
    assert small.suggest("zzzzzz") == []


def test_entity_lines_are_those_people_count(small):
    found = row(small, SHAPE)
    assert (found.line, found.end_line, found.place) == (5, 5, "src/a.py:5")
    unknown = small.get(A.key)
    assert (unknown.line, unknown.place) == (1, "src/a.py")


def brute_reach(entities, edges, seeds, kinds, depth):
    """Return key → distance by the definition."""
    distances, level = dict.fromkeys(seeds, 0), set(seeds)
    for distance in range(1, depth + 1):
        level = {row.source_key for row in edges if row.kind in kinds and row.target_key in level} - distances.keys()
        distances.update(dict.fromkeys(level, distance))
    return {key: distance for key, distance in distances.items() if distance}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("depth", [0, 1, 3, 99])
def test_blast_radius_equals_the_definition(tmp_path, seed, depth):
    entities, edges, _ = random_graph(seed)
    fill(tmp_path, entities, edges)
    members = {}
    for row_ in edges:
        if row_.kind is EdgeKind.CONTAINS:
            members.setdefault(row_.source_key, []).append(row_.target_key)
    with Graph.open(tmp_path) as graph:
        for start in entities:
            seeds = [start.key, *members.get(start.key, [])]
            reach = graph.blast_radius(graph.get(start.key), depth=depth, limit=NO_LIMIT)
            expected = brute_reach(entities, edges, seeds, BLAST_KINDS, depth)
            assert [(hit.entity.key, hit.distance) for hit in reach.hits] == sorted(
                expected.items(), key=lambda pair: (pair[1], pair[0])
            )
            assert reach.deeper == (len(brute_reach(entities, edges, seeds, BLAST_KINDS, depth + 1)) > len(expected))
            stated = {(one.source_key, one.target_key, one.kind) for one in edges}
            assert all((hit.entity.key, hit.parent.key, hit.via) in stated for hit in reach.hits)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [EdgeKind.CALLS, EdgeKind.IMPORTS])
def test_cycles_equal_the_definition(tmp_path, seed, kind):
    entities, edges, _ = random_graph(seed, edges=260)
    fill(tmp_path, entities, edges)
    file_of = {row_.key: next(one.key for one in entities if one.name == row_.path) for row_ in entities}
    steps = {(one.source_key, one.target_key) for one in edges if one.kind is kind}
    if kind is EdgeKind.IMPORTS:
        steps = {(file_of[source], file_of[target]) for source, target in steps}
    reached = {key: {key} for key in {row_.key for row_ in entities}}
    for _ in reached:
        for source, target in steps:
            reached[source] |= reached[target]
    groups = {frozenset(other for other in reached[key] if key in reached[other]) for key in reached}
    with Graph.open(tmp_path) as graph:
        found = graph.cycles(kind)
        assert {frozenset(member.key for member in cycle.members) for cycle in found.cycles} == {
            group for group in groups if len(group) > 1
        }
        assert {loop.key for loop in found.loops} == {source for source, target in steps if source == target}
        for cycle in found.cycles:
            keys = [member.key for member in cycle.path]
            assert keys[0] == cycle.members[0].key
            assert set(zip(keys, [*keys[1:], keys[0]], strict=True)) <= steps
        assert [len(cycle.members) for cycle in found.cycles] == sorted(len(cycle.members) for cycle in found.cycles)


def test_answers_do_not_depend_on_the_order_of_writing(tmp_path):
    rows = random_graph(5)
    answers = []
    for shuffle in (1, 2):
        fill(tmp_path / str(shuffle), *rows, shuffle=shuffle, size=3)
        with Graph.open(tmp_path / str(shuffle)) as graph:
            answers.append([graph.cycles(EdgeKind.CALLS), *(graph.blast_radius(graph.get(one.key)) for one in rows[0])])
    assert answers[0] == answers[1]


def test_graph_that_was_replaced_gives_no_mixed_answer(tmp_path):
    fill(tmp_path, SMALL, SMALL_EDGES)
    with Graph.open(tmp_path) as graph:
        fill(tmp_path, SMALL, SMALL_EDGES, shuffle=1)
        assert graph.find("Shape")
        fill(tmp_path, SMALL[:-1], SMALL_EDGES[:3])
        with pytest.raises(StoreError, match="open it again"):
            graph.find("Shape")


def test_threads_may_ask_at_once(small):
    shape, answers = row(small, SHAPE), []
    threads = [threading.Thread(target=lambda: answers.append(small.blast_radius(shape))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [small.blast_radius(shape)] * 8


def test_unknown_things_are_named(small, tmp_path):
    with pytest.raises(NotFoundError, match="00000000000000ff"):
        small.get(255)
    with pytest.raises(NotFoundError, match="silt ingest"):
        Graph.open(tmp_path / "nowhere")
    (tmp_path / "inner" / ".git").mkdir(parents=True)
    with pytest.raises(NotFoundError, match="silt ingest"):
        Graph.open(tmp_path / "inner")


def test_index_is_reserved_and_given_back(tmp_path):
    fill(tmp_path, SMALL, SMALL_EDGES)
    budget = Budget()
    with Graph.open(tmp_path, budget=budget):
        assert budget.reserved("graph") > 0
    assert budget.reserved("graph") == 0
    with pytest.raises(BudgetExceeded):
        Graph.open(tmp_path, budget=Budget(graph=50))


@pytest.mark.parametrize("column", ["keys", "owners", "forward_neighbours", "reverse_offsets", "reverse_lines"])
def test_image_that_does_not_fit_is_refused(tmp_path, column):
    fill(tmp_path, SMALL, SMALL_EDGES)
    from siltstone.graph.csr import decode_columns
    from siltstone.graph.reader import StoreReader

    reader = StoreReader.open_existing(tmp_path / "graph.db")
    image = reader.image()
    reader.close()
    for damaged in (b"", image[column][:-1], image[column] + b"\x7f" * 8, b"\xff" * len(image[column])):
        if column == "reverse_lines" and damaged[:1] == b"\xff":
            continue  # every line unknown: odd, and in form
        with pytest.raises(CorruptDataError, match="here"):
            decode_columns({**image, column: damaged}, "here")


def test_a_wrong_letter_suggests_the_spelling_nearest_in_case():
    leaves = ["command", "Command", "commands", "Commander"]
    assert suggest(lambda _condition, _values: leaves, "Comand")[:2] == ["Command", "command"]
