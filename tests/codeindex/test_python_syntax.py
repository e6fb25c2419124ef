"""Python: what is defined, what a name means, and what is left unresolved. The expectations are written by reading."""

from __future__ import annotations

from tests.codeindex.indexed import index

SHOP = {
    "pyproject.toml": '[project]\nname = "shop"\n',
    "src/shop/__init__.py": "from .models import Order\nfrom shop.pricing import *\n",
    "src/shop/models.py": '''\
import decimal
from typing import Protocol

from . import pricing as p
from .base import Base

LIMIT: int = 3


class Priced(Protocol):
    def price(self) -> int: ...


class Order(Base, Priced):
    """An order."""

    status: "Status" = None

    @property
    def total(self):
        return self.price() + p.tax(LIMIT)

    def price(self, extra=LIMIT) -> int:
        def add(x):
            return helper(x)
        self.save()
        return add(extra)

    @staticmethod
    def build(cls):
        return cls()


class Status:
    pass


def helper(path):
    path()
    Order.build(None).total
    return decimal.Decimal(1)
''',
    "src/shop/base.py": "class Root:\n    def save(self): pass\n\n\nclass Base(Root):\n    pass\n",
    "src/shop/pricing.py": "def tax(n):\n    return n\n",
    "tests/test_shop.py": "import shop.models\nfrom shop import Order, tax\n\n\ndef test_it():\n"
                          "    Order().price()\n    tax(1)\n    shop.models.helper(Order)\n",
}


def test_python_definitions_have_kinds_signatures_and_spans() -> None:
    found = index(SHOP).entities
    models = "src/shop/models.py"
    assert found[f"{models}:LIMIT"] == [("variable", "int", (6, 0, 6, 14))]
    assert found[f"{models}:Priced"] == [("interface", "class Priced(Protocol)", (9, 0, 10, 31))]
    assert found[f"{models}:Order"][0][:2] == ("class", "class Order(Base, Priced)")
    assert found[f"{models}:Order.total"] == [("method", "def total(self)", (18, 4, 20, 42))]
    assert found[f"{models}:Order.price"] == [("method", "def price(self, extra=LIMIT) -> int", (22, 4, 26, 25))]
    assert found[f"{models}:Order.price.add"] == [("function", "def add(x)", (23, 8, 24, 28))]
    assert found[f"{models}:Order.status"][0][:2] == ("variable", '"Status"')
    assert found[models] == [("file", "", (-1, -1, -1, -1))]


def test_python_names_resolve_by_scope_base_class_and_import() -> None:
    found = index(SHOP)
    models, base, pricing = "src/shop/models.py", "src/shop/base.py", "src/shop/pricing.py"
    package, test = "src/shop/__init__.py", "tests/test_shop.py"
    assert found.relations() == {
        ("imports", package, models), ("imports", package, pricing),
        ("imports", models, package), ("imports", models, pricing), ("imports", models, base),
        ("imports", test, package), ("imports", test, models),
        ("inherits", f"{models}:Order", f"{base}:Base"), ("inherits", f"{base}:Base", f"{base}:Root"),
        ("implements", f"{models}:Order", f"{models}:Priced"),
        ("type_of", f"{models}:Order.status", f"{models}:Status"),
        ("calls", f"{models}:Order.total", f"{models}:Order.price"), ("calls", f"{models}:Order.total", f"{pricing}:tax"),
        ("references", f"{models}:Order.total", f"{models}:LIMIT"),
        ("calls", f"{models}:Order.price", f"{base}:Root.save"),
        ("calls", f"{models}:Order.price", f"{models}:Order.price.add"),
        ("calls", f"{models}:Order.price.add", f"{models}:helper"),
        ("calls", f"{models}:helper", f"{models}:Order.build"),
        ("calls", f"{test}:test_it", f"{models}:Order"), ("calls", f"{test}:test_it", f"{pricing}:tax"),
        ("calls", f"{test}:test_it", f"{models}:helper"), ("references", f"{test}:test_it", f"{models}:Order"),
    }


def test_python_keeps_what_it_cannot_know() -> None:
    found = index(SHOP)
    models = "src/shop/models.py"
    assert {one for one in found.unresolved if one[0] in ("calls", "imports", "inherits")} == {
        ("imports", models, "decimal"), ("imports", models, "typing"), ("inherits", f"{models}:Priced", "Protocol"),
        ("calls", f"{models}:Order.build", "cls"), ("calls", f"{models}:helper", "path"),
        ("calls", f"{models}:helper", "decimal.Decimal"), ("calls", "tests/test_shop.py:test_it", ".price"),
    }


def test_a_name_of_another_file_without_an_import_stays_unresolved() -> None:
    found = index({"a.py": "def run(): pass\n", "b.py": "def go():\n    run()\n", "c.py": "class run: pass\n"})
    assert found.relations() == set()
    assert found.unresolved == {("calls", "b.py:go", "run")}


def test_a_local_name_hides_an_import_and_a_function() -> None:
    found = index({
        "a.py": "def f(): pass\n",
        "b.py": "from a import f\n\n\ndef g(f):\n    f()\n\n\ndef h():\n    for f in []:\n        f()\n"
                "\n\ndef k():\n    return [f() for f in []]\n\n\ndef ok():\n    f()\n",
    })
    assert {edge for edge in found.relations() if edge[0] == "calls"} == {("calls", "b.py:ok", "a.py:f")}


def test_two_imports_of_one_name_are_no_target() -> None:
    found = index({
        "one.py": "def f(): pass\n", "two.py": "def f(): pass\n",
        "b.py": "try:\n    from one import f\nexcept ImportError:\n    from two import f\n\n\ndef go():\n    f()\n",
    })
    assert ("calls", "b.py:go", "f") in found.unresolved
    assert not {edge for edge in found.relations() if edge[0] == "calls"}


def test_a_member_that_an_unknown_base_may_have_is_not_guessed() -> None:
    found = index({
        "a.py": "from lib import Other\n\n\nclass Mixin:\n    def run(self): pass\n\n\n"
                "class A(Other, Mixin):\n    def go(self):\n        self.run()\n\n\n"
                "class B(Mixin, Other):\n    def go(self):\n        self.run()\n",
    })
    assert {edge for edge in found.relations() if edge[0] == "calls"} == {("calls", "a.py:B.go", "a.py:Mixin.run")}
    assert ("calls", "a.py:A.go", "self.run") in found.unresolved


def test_import_cycles_end() -> None:
    found = index({
        "a.py": "from b import x\nfrom b import *\n\n\nclass A(x):\n    def f(self): self.g()\n",
        "b.py": "from a import x\nfrom a import *\nfrom a import A as x2\n\n\nclass C(x2): pass\n",
    })
    assert ("imports", "a.py", "b.py") in found.edges
    assert ("inherits", "b.py:C", "a.py:A") in found.edges
    assert ("calls", "a.py:A.f", "self.g") in found.unresolved


def test_a_long_chain_of_re_exports_ends_without_an_error() -> None:
    files = {f"m{row}.py": f"from m{row + 1} import f\n" for row in range(400)}
    files["m400.py"] = "def f(): pass\n"
    files["near.py"] = "from m395 import f\nf()\n"
    found = index(files)
    assert ("calls", "near.py", "m400.py:f") in found.edges


def test_the_last_definition_of_a_name_counts_and_a_setter_is_no_new_one() -> None:
    found = index({
        "a.py": "from typing import overload\n\n\n@overload\ndef f(a: int): ...\n\n\n@overload\ndef f(a: str): ...\n\n\n"
                "def f(a): pass\n\n\nclass P:\n    @property\n    def x(self): pass\n\n"
                "    @x.setter\n    def x(self, v): pass\n"
                "\n    def go(self):\n        f(self.x())\n",
    })
    calls = [
        (one, other) for batch in found.sink.edges for kind, one, other in
        zip(batch.kinds.tolist(), batch.source_keys.tolist(), batch.target_keys.tolist(), strict=True) if kind == 2
    ]
    by_key = {entity.key: entity for batch in found.sink.entities for entity in batch.rows()}
    assert sorted(by_key[other].signature for _, other in calls) == ["def f(a)", "def x(self)"]
