"""``silt query`` as a person and a program see it."""

from __future__ import annotations

import json

import pytest

from siltstone.cli.main import main
from siltstone.codeindex.entities import EdgeKind, EntityKind
from siltstone.codeindex.keys import format_key
from siltstone.graph.store import open_store_directory
from tests.graph.graph_world import edge, entity, file, fill

A, B = file("src/a.py"), file("src/b.py")
BASE = entity(EntityKind.CLASS, "src/a.py", "Base", line=2)
CHILD = entity(EntityKind.CLASS, "src/b.py", "Child", line=5)
GRANDCHILD = entity(EntityKind.CLASS, "src/b.py", "Grandchild", line=15)
RUN_A = entity(EntityKind.METHOD, "src/a.py", "Base.run", line=3)
RUN_B = entity(EntityKind.METHOD, "src/b.py", "Child.run", line=6)
EVIL = entity(EntityKind.FUNCTION, "src/b.py", "bad\x1b[31mname", line=40)
ENTITIES = [A, B, BASE, CHILD, GRANDCHILD, RUN_A, RUN_B, EVIL]
EDGES = [
    edge(BASE, EdgeKind.CONTAINS, RUN_A), edge(CHILD, EdgeKind.CONTAINS, RUN_B),
    edge(CHILD, EdgeKind.INHERITS, BASE, line=5), edge(GRANDCHILD, EdgeKind.INHERITS, CHILD, line=15),
    edge(EVIL, EdgeKind.CALLS, RUN_A, line=41), edge(B, EdgeKind.IMPORTS, BASE), edge(A, EdgeKind.IMPORTS, B),
    edge(RUN_A, EdgeKind.CALLS, RUN_A),
]


@pytest.fixture
def work_tree(tmp_path):
    fill(open_store_directory(tmp_path), ENTITIES, EDGES)
    return tmp_path


def ask(capsys, folder, *words):
    code = main(["query", *words, "--repo", str(folder)])
    return code, *capsys.readouterr()


def test_implements_is_listed_with_places(capsys, work_tree):
    code, out, err = ask(capsys, work_tree, "implements", "Base")
    assert (code, err) == (0, "")
    assert "class Base  src/a.py:3" in out
    assert "src/b.py:6  class Child  inherits Base in line 6" in out
    assert "1 entity in 1 file implement or extend it" in out
    assert "--transitive" in out
    assert "Grandchild" not in out


def test_implements_goes_on_where_asked(capsys, work_tree):
    _, out, _ = ask(capsys, work_tree, "implements", "Base", "--transitive")
    assert "distance 2" in out
    assert "class Grandchild  inherits Child in line 16" in out


def test_blast_radius_is_grouped_by_distance_and_prints_no_escape(capsys, work_tree):
    code, out, _ = ask(capsys, work_tree, "blast-radius", "Base")
    assert code == 0
    assert out.index("distance 1") < out.index("distance 2")
    assert "with 1 member" in out
    assert "bad\\x1b[31mname" in out
    assert "\x1b" not in out


def test_blast_radius_says_what_was_cut(capsys, work_tree):
    _, out, _ = ask(capsys, work_tree, "blast-radius", "Base", "--limit", "1")
    assert "cut by --limit: 2 more" in out
    _, out, _ = ask(capsys, work_tree, "blast-radius", "Base", "--depth", "1")
    assert "cut by --depth" in out


def test_blast_radius_as_json_has_keys_and_kinds(capsys, work_tree):
    code, out, _ = ask(capsys, work_tree, "blast-radius", "Base", "--kind", "inherits", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["entity"]["key"] == format_key(BASE.key)
    assert [(hit["name"], hit["distance"], hit["via"]) for hit in answer["hits"]] == [
        ("Child", 1, "inherits"), ("Grandchild", 2, "inherits"),
    ]
    assert answer["complete"] is True


def test_cycles_show_the_way_round(capsys, work_tree):
    code, out, _ = ask(capsys, work_tree, "cycles")
    assert code == 0
    assert "2 in a cycle\n  → src/a.py\n  → src/b.py\n  → src/a.py\n" in out
    assert "1 cycle over imports, 0 to themselves" in out
    _, out, _ = ask(capsys, work_tree, "cycles", "--kind", "calls", "--json")
    answer = json.loads(out)
    assert (answer["cycles"], [row["name"] for row in answer["self_loops"]]) == ([], ["Base.run"])


def test_ambiguous_name_is_listed_and_can_be_picked(capsys, work_tree):
    code, out, err = ask(capsys, work_tree, "blast-radius", "run")
    assert (code, out) == (1, "")
    assert f"{format_key(RUN_A.key)}  src/a.py:4  method Base.run" in err
    assert "--in PATH" in err
    for words in ([format_key(RUN_A.key)], ["a.py::run"], ["run", "--in", "src/a.py"], ["Base.run"]):
        code, out, _ = ask(capsys, work_tree, "blast-radius", *words)
        assert code == 0
        assert "method Base.run" in out.splitlines()[0]


def test_ambiguous_name_as_json_has_candidates(capsys, work_tree):
    code, out, _ = ask(capsys, work_tree, "implements", "run", "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"], error["exit_code"]) == (1, "ambiguous", 1)
    assert [row["name"] for row in error["candidates"]] == ["Base.run", "Child.run"]


def test_unknown_name_gets_near_ones(capsys, work_tree):
    code, _, err = ask(capsys, work_tree, "implements", "Chlid")
    assert code == 1
    assert "did you mean Child" in err
    code, _, err = ask(capsys, work_tree, "implements", "Child", "--in", "src/a.py")
    assert code == 1
    assert "not in src/a.py, but in src/b.py:6" in err


def test_missing_store_says_to_ingest(capsys, tmp_path):
    code, _, err = ask(capsys, tmp_path, "cycles")
    assert code == 1
    assert "silt ingest" in err
    assert main(["query", "cycles", "--output", str(tmp_path)]) == 1
    assert "silt ingest" in capsys.readouterr().err


def test_store_elsewhere_is_found_by_output(capsys, tmp_path):
    fill(tmp_path / "out", ENTITIES, EDGES)
    assert main(["query", "cycles", "--output", str(tmp_path / "out")]) == 0
    assert "1 cycle" in capsys.readouterr().out


@pytest.mark.parametrize("words", [
    ["implements"], ["blast-radius", "X", "--depth", "-1"], ["blast-radius", "X", "--limit", "many"],
    ["cycles", "--kind", "likes"], ["nonsense"], [],
])
def test_wrong_call_ends_with_one(capsys, words):
    assert main(["query", *words]) == 1
    assert "silt query" in capsys.readouterr().err
