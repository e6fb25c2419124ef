"""What real sources taught: names that only look like another thing, spans that end too late, headers that say too little."""

from __future__ import annotations

from tests.codeindex.indexed import Indexed, index


def only(found: Indexed, name: str) -> tuple[str, str, tuple[int, ...]]:
    entity, = found.entities[name]
    return entity


def test_fields_of_a_nameless_struct_belong_to_its_typedef_and_are_no_names_of_the_file() -> None:
    found = index({"a.c": "typedef struct {\n  int kind;\n  union { struct list *zset; } iter;\n  void (*close)(int);\n"
                          "} source;\n"
                          "struct { int depth; } state;\n"
                          "void run(zset *z) { close(1); use(depth); use(kind); }\n"})
    assert only(found, "a.c:source.kind")[0] == "variable"
    assert only(found, "a.c:state.depth")[0] == "variable"
    assert {"a.c:kind", "a.c:zset", "a.c:close", "a.c:depth"}.isdisjoint(found.entities)
    assert found.relations() == set()
    assert {("references", "a.c:run", "zset"), ("calls", "a.c:run", "close")} <= found.unresolved
    assert {("references", "a.c:run", "depth"), ("references", "a.c:run", "kind")} <= found.unresolved


def test_constants_of_a_nameless_enum_are_names_of_the_file() -> None:
    found = index({"a.c": "typedef enum { RED, BLUE } color;\nint pick(void) { return RED; }\n"})
    assert ("references", "a.c:pick", "a.c:color.RED") in found.relations()


def test_initializers_of_a_constructor_read_its_parameters() -> None:
    found = index({"a.cpp": "struct Shape {\n  explicit Shape(int name) : name_(move(name)) {}\n"
                            "  int name() { return name_; }\n"
                            "  int name_;\n};\n"})
    assert ("references", "a.cpp:Shape.Shape", "a.cpp:Shape.name") not in found.edges
    assert only(found, "a.cpp:Shape.Shape")[1] == "explicit Shape(int name)"


def test_macros_before_a_type_do_not_hide_the_name_of_a_function() -> None:
    found = index({"a.h": "LUA_API int (lua_top) (lua_State *L);\nAPI_EXPORT void\nstop(void);\n",
                   "a.c": "#include \"a.h\"\nvoid run(void) { lua_top(0); stop(); }\n"})
    assert only(found, "a.h:lua_top") == ("function", "int (lua_top) (lua_State *L)", (0, 8, 0, 37))
    assert {("calls", "a.c:run", "a.h:lua_top"), ("calls", "a.c:run", "a.h:stop")} <= found.relations()


def test_a_keyword_is_no_name() -> None:
    found = index({"a.c": "FOO(x) int (f) (BAR y);\nMODULE_API foo if (a) { }\n"})
    assert not {name for name in found.entities if name.rpartition(":")[2].rpartition(".")[2] in ("int", "if", "void")}


def test_a_definition_stands_for_its_declarations() -> None:
    found = index({"a.c": "static int grow(int by);\n\nstatic int grow(int by)\n{\n  return by;\n}\n"})
    assert only(found, "a.c:grow")[2] == (2, 0, 5, 1)


def test_spans_end_where_the_code_ends() -> None:
    found = index({
        "a.py": "def one():\n    return 1  # why\n    # more\n\ndef two():\n    if x:\n        pass  # end\n",
        "a.c": "#define LIMIT 4\n#define TWICE(x) \\\n  ((x) * 2)\r\nint a;\n",
    })
    assert only(found, "a.py:one")[2] == (0, 0, 1, 12)
    assert only(found, "a.py:two")[2] == (4, 0, 6, 12)
    assert only(found, "a.c:LIMIT")[2] == (0, 0, 0, 15)
    assert only(found, "a.c:TWICE")[1:] == ("#define TWICE(x)", (1, 0, 2, 11))


def test_handing_over_the_receiver_is_no_reference_to_its_class() -> None:
    found = index({
        "a.py": "class Box:\n    def show(self, f):\n        f(self)\n        return self\n    @classmethod\n"
                "    def make(cls):\n        return wrap(cls)\n",
        "a.js": "class Box { show(f) { f(this); return this; } }\n",
    })
    assert found.relations() == {("references", "a.py:Box.make", "a.py:Box")}


def test_defaults_of_parameters_read_earlier_parameters() -> None:
    found = index({"a.js": "const limit = 1;\n"
                           "function cut(limit, end = limit()) { return end; }\nfunction all(n = limit()) {}\n"})
    assert found.relations() == {("calls", "a.js:all", "a.js:limit")}


def test_go_types_say_what_they_are_and_the_blank_name_is_no_entity() -> None:
    found = index({"go.mod": "module m\n", "a.go": "package a\n\ntype Ring[T any] struct{ size int }\n"
                   "type Shape interface{ Area() int }\nvar _ Shape = Ring[int]{}\nvar first, _ = pair()\n"})
    assert only(found, "a.go:Ring")[1] == "Ring[T any] struct"
    assert only(found, "a.go:Shape")[1] == "Shape interface"
    assert "a.go:_" not in found.entities
    assert "a.go:first" in found.entities


def test_operators_with_names_keep_their_space() -> None:
    found = index({"a.cpp": "void *operator new(unsigned long size);\nstruct A { bool operator == (A o); };\n"})
    assert {"a.cpp:operator new", "a.cpp:A.operator=="} <= set(found.entities)


def test_the_first_parameter_of_a_python_method_is_the_receiver_whatever_its_name() -> None:
    found = index({"a.py": "class Field:\n    def clean(self): ...\n    def contribute(self, cls, name):\n"
                           "        cls.clean()\n        keep(cls)\n"
                           "    def other(this):\n        this.clean()\n    @staticmethod\n    def still(self):\n"
                           "        self.clean()\n"
                           "    def outer(self):\n        def inner():\n            self.clean()\n"
                           "        class Local:\n            def clean(me): ...\n"
                           "            def run(me):\n                self.clean()\n"
                           "    form = Local\n    def test(self):\n        class Special(self.form): ...\n"})
    field = "a.py:Field"
    assert found.relations() == {
        ("calls", f"{field}.other", f"{field}.clean"), ("calls", f"{field}.outer.inner", f"{field}.clean"),
        ("inherits", f"{field}.test.Special", f"{field}.form"),
    }
    assert {("calls", f"{field}.contribute", "cls.clean"), ("calls", f"{field}.still", "self.clean"),
            ("calls", f"{field}.outer.Local.run", "self.clean")} <= found.unresolved


def test_rust_tells_a_module_from_the_function_of_that_name_inside_it() -> None:
    found = index({
        "Cargo.toml": "[package]\nname = 'a'\n",
        "src/main.rs": "mod flags;\nuse crate::flags::parse::low;\nfn main() { low(); }\n",
        "src/flags/mod.rs": "pub use crate::flags::parse::{parse, Result};\npub mod parse;\nfn own() { parse(); }\n",
        "src/flags/parse.rs": "pub fn parse() {}\npub fn low() {}\npub struct Result;\n",
    })
    assert ("calls", "src/main.rs:main", "src/flags/parse.rs:low") in found.relations()
    assert ("calls", "src/flags/mod.rs:own", "src/flags/parse.rs") not in found.relations()


def test_rust_test_crates_have_roots_of_any_name() -> None:
    found = index({
        "Cargo.toml": "[package]\nname = 'a'\n", "src/lib.rs": "", "tests/tests.rs": "mod util;\nmod misc;\nmod index;\n",
        "tests/util.rs": "pub struct Dir;\n", "tests/misc.rs": "use crate::util::Dir;\nfn go(d: Dir) {}\n",
        "tests/index/mod.rs": "mod basic;\n", "tests/index/basic.rs": "use crate::util::Dir;\nfn go(d: Dir) {}\n",
    })
    assert {("references", "tests/misc.rs:go", "tests/util.rs:Dir"),
            ("references", "tests/index/basic.rs:go", "tests/util.rs:Dir")} <= found.relations()


def test_java_marker_interfaces_hide_no_names() -> None:
    found = index({
        "p/Base.java": "package p;\nimport java.io.Serializable;\npublic class Base implements Serializable { }\n",
        "p/Owner.java": "package p;\npublic class Owner extends Base { Pet pet() { return new Pet(); } }\n",
        "p/Pet.java": "package p;\npublic class Pet { }\n",
    })
    assert ("calls", "p/Owner.java:Owner.pet", "p/Pet.java:Pet") in found.relations()


def test_a_type_inside_a_value_is_not_the_type_of_the_variable() -> None:
    found = index({
        "go.mod": "module m\n",
        "a.go": "package a\n\ntype Context struct{}\ntype Handler func(*Context)\ntype form struct{}\n\n"
                "var handle Handler = func(c *Context) {}\nvar shown = form{}\nvar kept *form\n",
        "A.java": "class Bar {}\nclass A { Bar bar = make(new Object() { Baz baz; }); Object other = (Baz) null; }\n"
                  "class Baz {}\n",
        "a.py": "class Foo: ...\nclass Bar: ...\nx: Foo = run(lambda: Bar)\n",
    })
    assert {edge[1:] for edge in found.relations() if edge[0] == "type_of"} == {
        ("a.go:handle", "a.go:Handler"), ("a.go:kept", "a.go:form"), ("A.java:A.bar", "A.java:Bar"), ("a.py:x", "a.py:Foo"),
    }
    assert {("references", "a.go:handle", "a.go:Context"), ("references", "a.go:shown", "a.go:form")} <= found.relations()
