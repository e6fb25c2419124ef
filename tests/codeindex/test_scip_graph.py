"""SCIP documents as entities and relations: a small project in each shape that indexers write."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from siltstone.codeindex.entities import EdgeBatch, EdgeKind, EntityBatch, EntityKind, Source, Span, UnresolvedBatch
from siltstone.codeindex.keys import edge_key, entity_key, handle
from siltstone.codeindex.scip_graph import ScipGraph
from siltstone.codeindex.scip_kinds import SymbolNames, readable
from siltstone.codeindex.scip_reader import ExternalSymbols, read_scip
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded
from tests.reference.scip_schema import message_classes

PY = "scip-python python shop 1 "
DEFINES, IMPORTS, FORWARD = 1, 2, 64


def document(path: str, *occurrences: tuple[Any, ...], infos: tuple[tuple[Any, ...], ...] = (), encoding: int = 1) -> Any:
    """Occurrences are (symbol, line, column, end column, roles, enclosing); infos (symbol, kind, doc, (target, flags)…)."""
    message = message_classes()["Document"](relative_path=path, position_encoding=encoding)
    for symbol, line, start, end, *rest in occurrences:
        roles, enclosing = [*rest, *(0, None)[len(rest) :]]
        message.occurrences.add(symbol=symbol, range=[line, start, end], symbol_roles=roles, enclosing_range=enclosing)
    for symbol, kind, documentation, *edges in infos:
        info = message.symbols.add(symbol=symbol, kind=kind, documentation=[documentation] if documentation else [])
        for target, flags in edges:
            info.relationships.add(symbol=target, is_implementation=bool(flags & 2), is_type_definition=bool(flags & 4))
    return message


def shop() -> list[Any]:
    base, cart = f"{PY}`shop.base`/", f"{PY}`shop.cart`/"
    return [
        document(
            "shop/base.py", (f"{base}__init__:", 0, 0, 0, DEFINES),
            (f"{base}Store#", 2, 6, 11, DEFINES, [2, 0, 9, 0]), (f"{base}Store#add().", 3, 8, 11, DEFINES, [3, 4, 5, 0]),
            (f"{base}Store#add().(item)", 3, 12, 16, DEFINES), (f"{base}Store#limit.", 6, 4, 9, DEFINES),
            (f"{base}helper().", 11, 4, 10, DEFINES, [11, 0, 13, 0]), (f"{base}Store#limit.", 4, 8, 13),
            (f"{base}Store#add().(item)", 4, 20, 24), ("local 1", 12, 4, 5, DEFINES), ("local 1", 12, 8, 9),
            infos=((f"{base}Store#", 0, "", ("scip-python python python-stdlib 3.11 abc/ABC#", 2)),),
        ),
        document(
            "shop/cart.py", (f"{cart}__init__:", 0, 0, 0, DEFINES), (f"{PY}base/__init__:", 0, 5, 10),
            (f"{base}Store#", 0, 18, 23), (f"{cart}Cart#", 2, 6, 10, DEFINES, [2, 0, 8, 0]), (f"{base}Store#", 2, 11, 16),
            (f"{cart}Cart#add().", 3, 8, 11, DEFINES, [3, 4, 5, 0]), (f"{base}helper().", 4, 8, 14),
            (f"{base}helper().", 4, 20, 26),
            ("scip-python python python-stdlib 3.11 builtins/len().", 4, 30, 33),
            ("scip-python python python-stdlib 3.11 os/__init__:", 1, 7, 9), (f"{cart}Cart#add().", 7, 4, 7),
            infos=((f"{cart}Cart#", 0, "", (f"{base}Store#", 2)), (f"{cart}Cart#add().", 0, "", (f"{base}Store#add().", 2))),
        ),
    ]


class Result:
    """The batches of one graph, readable."""

    def __init__(self, entities: EntityBatch, edges: EdgeBatch, unresolved: UnresolvedBatch) -> None:
        rows = list(entities.rows())
        names = {row.key: row.name for row in rows}
        self.entities = {(row.kind.label, row.name): row for row in rows}
        self.edges = {
            (names[source], EdgeKind(kind).label, names[target]): line for source, target, kind, line in zip(
                edges.source_keys.tolist(), edges.target_keys.tolist(), edges.kinds.tolist(), edges.lines.tolist(),
                strict=True)}
        self.unresolved = {
            (names[source], EdgeKind(kind).label, name): (line, column) for source, kind, name, line, column in zip(
                unresolved.source_keys.tolist(), unresolved.kinds.tolist(), unresolved.names.tolist(),
                unresolved.lines.tolist(), unresolved.columns.tolist(), strict=True)}
        self.batches = entities, edges, unresolved

    def of_kind(self, kind: str) -> set[tuple[str, str]]:
        return {(source, target) for source, name, target in self.edges if name == kind}


def build(path: Path, documents: list[Any], *, tool: str = "scip-test", external: ExternalSymbols | None = None,
          **options: Any) -> Result:
    index = message_classes()["Index"](documents=documents)
    index.metadata.tool_info.name = tool
    path.write_bytes(index.SerializeToString())
    graph = ScipGraph("repo", **options)
    for one in read_scip(path):
        graph.add(one)
    if external is not None:
        graph.add_external(external)
    assert graph.covered_files == {one.relative_path for one in documents}
    return Result(*graph.finish())  # type: ignore[arg-type]


@pytest.fixture
def built(tmp_path: Path) -> Result:
    return build(tmp_path / "index.scip", shop())


def test_definitions_become_entities_named_inside_their_file(built: Result) -> None:
    assert set(built.entities) == {
        ("file", "shop/base.py"), ("file", "shop/cart.py"), ("class", "Store"), ("method", "Store.add"), ("class", "Cart"),
        ("variable", "Store.limit"), ("function", "helper"), ("method", "Cart.add"),
    }
    store = built.entities["class", "Store"]
    assert store.key == entity_key("repo", "shop/base.py", "class", "Store")
    assert (store.path, store.span, store.source) == ("shop/base.py", Span(2, 0, 9, 0), Source.SCIP)
    assert built.entities["variable", "Store.limit"].span == Span(6, 4, 6, 9)


def test_containment_follows_the_symbols(built: Result) -> None:
    assert built.of_kind("contains") == {
        ("shop/base.py", "Store"), ("shop/base.py", "helper"), ("Store", "Store.add"), ("Store", "Store.limit"),
        ("shop/cart.py", "Cart"), ("Cart", "Cart.add"),
    }


def test_a_use_comes_from_the_innermost_definition_and_keeps_its_first_line(built: Result) -> None:
    assert built.of_kind("references") == {
        ("Store.add", "Store.limit"), ("shop/cart.py", "Store"), ("Cart", "Store"), ("Cart.add", "helper"),
        ("Cart", "Cart.add"),
    }
    assert built.edges["Cart.add", "references", "helper"] == 4
    assert built.edges["shop/cart.py", "references", "Store"] == 0


def test_a_relative_import_of_scip_python_finds_its_module(built: Result) -> None:
    assert built.of_kind("imports") == {("shop/cart.py", "shop/base.py")}


def test_inheritance_goes_from_the_implementer_to_the_base(built: Result) -> None:
    assert built.of_kind("inherits") == {("Cart", "Store")}
    assert built.of_kind("implements") == {("Cart.add", "Store.add")}
    assert built.edges["Cart", "inherits", "Store"] == 2


def test_what_is_defined_elsewhere_is_unresolved_and_named(built: Result) -> None:
    assert built.unresolved == {
        ("Store", "inherits", "abc.ABC"): (2, 0), ("Cart.add", "references", "builtins.len"): (4, 30),
        ("shop/cart.py", "imports", "os"): (1, 7),
    }


def test_edge_keys_hash_handles(built: Result) -> None:
    cart, store = built.entities["class", "Cart"], built.entities["class", "Store"]
    key = edge_key(handle("class", cart.key), handle("class", store.key), "inherits")
    assert key in built.batches[1].keys.tolist()
    assert built.batches[1].keys.tolist() == sorted(built.batches[1].keys.tolist())


def test_a_use_at_a_call_site_is_a_call(tmp_path: Path) -> None:
    sites = {"shop/base.py": set(), "shop/cart.py": {(4, 20), (4, 30)}}
    found = build(tmp_path / "index.scip", shop(), call_sites=lambda path: sites[path])
    assert found.edges["Cart.add", "calls", "helper"] == 4
    assert found.edges["Cart.add", "references", "helper"] == 4
    assert ("Cart.add", "calls", "builtins.len") in found.unresolved


def test_without_enclosing_ranges_the_caller_says_where_definitions_end(tmp_path: Path) -> None:
    documents = shop()
    for one in documents:
        for occurrence in one.occurrences:
            occurrence.ClearField("enclosing_range")
    spans = {
        "shop/base.py": [Span(3, 4, 5, 0), Span(2, 0, 9, 0), Span(11, 0, 13, 0)],
        "shop/cart.py": [Span(2, 0, 8, 0), Span(3, 4, 5, 0)],
    }
    with_spans = build(tmp_path / "index.scip", documents, enclosing=lambda path: spans[path])
    assert with_spans.edges == build(tmp_path / "index.scip", shop()).edges
    without = build(tmp_path / "index.scip", documents)
    assert ("shop/cart.py", "helper") in without.of_kind("references")


def same(first: Result, second: Result) -> bool:
    return first.entities == second.entities and first.edges == second.edges and first.unresolved == second.unresolved and (
        first.batches[1].keys.tolist() == second.batches[1].keys.tolist())


def test_the_order_of_documents_and_occurrences_changes_nothing(tmp_path: Path) -> None:
    shared = f"{PY}`both`/"
    documents = [*shop(), *(
        document(f"dup/{name}.py", (f"{shared}Thing#", 1, 0, 5, DEFINES), (f"{shared}Thing#", 3, 0, 5), (f"{PY}x/Y#", 4, 0, 1))
        for name in "ba"
    ), document("use.py", (f"{shared}Thing#", 0, 0, 5))]
    expected = build(tmp_path / "index.scip", documents)
    for order in itertools.islice(itertools.permutations(documents), 0, None, 11):
        assert same(build(tmp_path / "index.scip", list(order)), expected)
    for one in documents:
        occurrences = list(one.occurrences)
        del one.occurrences[:]
        one.occurrences.extend(reversed(occurrences))
    assert same(build(tmp_path / "index.scip", documents), expected)


def test_a_symbol_defined_twice_stands_for_the_same_file_else_the_smallest_path(tmp_path: Path) -> None:
    thing = "s a b c Thing#"
    documents = [document(f"{name}.h", (thing, 1, 0, 5, DEFINES), (thing, 9, 0, 5)) for name in "ba"]
    found = build(tmp_path / "index.scip", [*documents, document("use.c", (thing, 0, 0, 5))])
    keys = {path: entity_key("repo", path, "class", "Thing") for path in ("a.h", "b.h")}
    files = {path: entity_key("repo", path, "file", path) for path in ("a.h", "b.h", "use.c")}
    edges = found.batches[1]
    pairs = set(zip(edges.source_keys.tolist(), edges.target_keys.tolist(), edges.kinds.tolist(), strict=True))
    uses = {(source, target) for source, target, kind in pairs if kind == EdgeKind.REFERENCES}
    assert uses == {(files["a.h"], keys["a.h"]), (files["b.h"], keys["b.h"]), (files["use.c"], keys["a.h"])}


def test_kinds_come_from_the_indexer_else_from_the_signature_else_from_the_suffix(tmp_path: Path) -> None:
    root = "scip-typescript npm p 1 src/`a.ts`/"
    rows = {
        f"{root}I#": (0, "```ts\ninterface I\n```"), f"{root}A#": (0, "```ts\ntype A = 1\n```"),
        f"{root}C#": (0, "```ts\nclass C\n```"),
        f"{root}T#": (53, ""), f"{root}f.": (17, ""), f"{root}v.": (0, ""), f"{root}m!": (0, ""), f"{root}NS/": (0, ""),
        f"{root}NS/g().": (0, ""), f"{root}C#`<constructor>`().": (0, ""), f"{root}C#o(+1).": (0, ""), f"{root}E#": (11, ""),
        f"{root}C#o().": (0, ""), f"{root}C#[P]": (0, ""), f"{root}bad@": (0, ""), f"{root}meta:": (0, ""),
    }
    occurrences = [(root, 0, 0, 0, DEFINES)] + [(name, line, 2, 3, DEFINES) for line, name in enumerate(rows, 1)]
    infos = tuple((name, *row) for name, row in rows.items())
    found = build(tmp_path / "index.scip", [document("src/a.ts", *occurrences, infos=infos)])
    assert set(found.entities) == {
        ("file", "src/a.ts"), ("interface", "I"), ("type", "A"), ("class", "C"), ("interface", "T"), ("function", "f"),
        ("variable", "v"), ("function", "m"), ("module", "NS"), ("function", "NS.g"), ("method", "C.<constructor>"),
        ("method", "C.o"), ("class", "E"),
    }
    keys = set(found.batches[0].keys.tolist())
    assert entity_key("repo", "src/a.ts", "method", "C.o", "+1") in keys
    assert entity_key("repo", "src/a.ts", "method", "C.o") in keys
    assert ("NS", "NS.g") in found.of_kind("contains")


def test_interfaces_type_definitions_and_members_of_other_files(tmp_path: Path) -> None:
    root = "s a b c "
    documents = [
        document("a.go", (f"{root}T#", 1, 0, 1, DEFINES), (f"{root}I#", 2, 0, 1, DEFINES), (f"{root}J#", 3, 0, 1, DEFINES),
                 infos=((f"{root}T#", 49, "", (f"{root}I#", 2), (f"{root}X#", 2)), (f"{root}I#", 21, "", (f"{root}J#", 2)),
                        (f"{root}J#", 21, ""))),
        document("b.go", (f"{root}T#run().", 5, 0, 3, DEFINES), (f"{root}v.", 6, 0, 1, DEFINES),
                 (f"{root}Q#go().", 7, 0, 2, DEFINES),
                 infos=((f"{root}v.", 0, "", (f"{root}T#", 4)),)),
    ]
    external = ExternalSymbols([f"{root}X#".encode(), b"local 1"], [21, 0], [b"", b""])
    found = build(tmp_path / "index.scip", documents, external=external)
    assert found.of_kind("implements") == {("T", "I")}
    assert found.of_kind("inherits") == {("I", "J")}
    assert found.of_kind("type_of") == {("v", "T")}
    assert {("T", "T.run"), ("b.go", "Q.go")} <= found.of_kind("contains")
    assert ("T", "implements", "X") in found.unresolved


def test_import_roles_and_forward_definitions(tmp_path: Path) -> None:
    root = "s a b c "
    documents = [
        document("a.c", (f"{root}f().", 1, 0, 1, DEFINES)),
        document("b.c", (f"{root}f().", 0, 8, 9, IMPORTS), (f"{root}f().", 1, 0, 1, FORWARD), (f"{root}lib/", 2, 0, 3)),
    ]
    found = build(tmp_path / "index.scip", documents)
    assert found.of_kind("imports") == {("b.c", "a.c")}
    assert found.edges["b.c", "references", "f"] == 0
    assert found.unresolved == {("b.c", "imports", "lib"): (2, 0)}


def test_columns_are_counted_in_bytes_where_the_source_is_known(tmp_path: Path) -> None:
    documents = [document("a.ts", ("s a b c f().", 0, 3, 4, DEFINES), ("s a b c X#", 0, 6, 7), encoding=2)]
    source = "é🚀f = X".encode()
    found = build(tmp_path / "index.scip", documents, read_source={"a.ts": source}.get, call_sites=lambda path: {(0, 9)})
    assert found.entities["function", "f"].span == Span(0, 6, 0, 7)
    assert found.unresolved == {("a.ts", "calls", "X"): (0, 9)}
    kept = build(tmp_path / "index.scip", documents, read_source=lambda path: None)
    assert kept.entities["function", "f"].span == Span(0, 3, 0, 4)


def test_memory_is_reserved_and_given_back(tmp_path: Path) -> None:
    budget = Budget()
    build(tmp_path / "index.scip", shop(), budget=budget)
    assert budget.reserved("index") == 0 < budget.peak("index")
    with pytest.raises(BudgetExceeded):
        build(tmp_path / "index.scip", shop(), budget=Budget(index=1_000))


def test_nothing_gives_empty_batches(tmp_path: Path) -> None:
    found = build(tmp_path / "index.scip", [])
    assert [len(batch) for batch in found.batches] == [0, 0, 0]


def test_foreign_symbols_are_named_readably() -> None:
    names = SymbolNames()
    for text, expected in (
        ("scip-python python python-stdlib 3.11 `collections.abc`/Iterable#", "collections.abc.Iterable"),
        ("scip-python python python-stdlib 3.11 os/__init__:", "os"), ("not a symbol", "not a symbol"),
    ):
        assert readable(names.parse(text), text) == expected


# entities by kind, edges by kind: what the three real indexes hold; a change here is a change of meaning
REAL = {
    "click": {"file": 77, "class": 170, "method": 462, "function": 1229, "variable": 515},
    "rxjs": {"file": 251, "class": 34, "interface": 83, "type": 37, "method": 165, "function": 244, "variable": 293,
             "module": 1},
}


@pytest.mark.parametrize("name", REAL)
def test_real_indexes_keep_their_shape(tmp_path: Path, shared: Path, name: str) -> None:
    import zstandard

    file = tmp_path / "index.scip"
    with open(shared / "data" / f"{name}.scip.zst", "rb") as packed, open(file, "wb") as plain:
        zstandard.ZstdDecompressor().copy_stream(packed, plain)
    graph = ScipGraph("repo")
    for one in read_scip(file):
        graph.add(one)
    found = Result(*graph.finish())  # type: ignore[arg-type]
    kinds = found.batches[0].kinds.tolist()
    assert {EntityKind(kind).label: kinds.count(kind) for kind in set(kinds)} == REAL[name]
    edges = found.batches[1]
    targets = edges.target_keys[edges.kinds == EdgeKind.CONTAINS].tolist()
    assert len(targets) == len(set(targets)) == len(kinds) - REAL[name]["file"]
