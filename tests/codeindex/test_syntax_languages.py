"""A small source per language, with the definitions, relations and unresolved names that a reader finds in it."""

from __future__ import annotations

from tests.codeindex.indexed import Indexed, index


def of_kind(found: Indexed, *kinds: str) -> set[tuple[str, str, str]]:
    return {edge for edge in found.relations() if edge[0] in kinds}


def left(found: Indexed, *kinds: str) -> set[tuple[str, str]]:
    return {(source, name) for kind, source, name in found.unresolved if kind in kinds}


def head(found: Indexed, name: str) -> tuple[str, str]:
    (kind, signature, _), = found.entities[name]
    return kind, signature


def test_typescript() -> None:
    found = index({
        "web/shape.ts": "export interface Shape { area(): number; }\nexport default class Base<T> { draw(): void {} }\n"
                        "export const scale = (n: number): number => n * 2;\nexport enum Unit { Px, Em = 2 }\n",
        "web/index.ts": "export { default as Root, scale as zoom } from './shape';\nexport * from './extra.js';\n",
        "web/extra.ts": "export function extra<T extends object>(value: T): T { return value; }\n",
        "web/app.tsx": "import Base, { type Shape, Unit } from './shape';\nimport { zoom, extra, Root } from '.';\n"
                       "import React from 'react';\n\n"
                       "export class Box extends Base<number> implements Shape {\n"
                       "  unit: Unit = Unit.Px;\n"
                       "  grow = (): void => { this.draw(); };\n"
                       "  area(): number { return zoom(1) + this.width(); }\n"
                       "  private width(): number { return helper(Box); }\n"
                       "}\n\n"
                       "function helper(box: typeof Box) { const zoom = box; zoom(); return extra(box); }\n"
                       "const View = () => <div><Panel box={helper} /></div>;\nfunction Panel() { return new Box(); }\n",
    })
    app, shape = "web/app.tsx", "web/shape.ts"
    assert head(found, f"{app}:Box") == ("class", "class Box extends Base<number> implements Shape")
    assert head(found, f"{app}:Box.grow") == ("method", "grow = (): void =>")
    assert head(found, f"{app}:Box.unit") == ("variable", "Unit")
    assert head(found, f"{shape}:Shape.area") == ("method", "area(): number")
    assert head(found, f"{shape}:scale") == ("function", "scale = (n: number): number =>")
    assert head(found, "web/extra.ts:extra") == ("function", "function extra<T extends object>(value: T): T")
    assert of_kind(found, "imports") == {
        ("imports", "web/index.ts", shape), ("imports", "web/index.ts", "web/extra.ts"), ("imports", app, shape),
        ("imports", app, "web/index.ts"),
    }
    assert of_kind(found, "inherits", "implements", "type_of") == {
        ("inherits", f"{app}:Box", f"{shape}:Base"), ("implements", f"{app}:Box", f"{shape}:Shape"),
        ("type_of", f"{app}:Box.unit", f"{shape}:Unit"),
    }
    assert of_kind(found, "calls") == {
        ("calls", f"{app}:Box.grow", f"{shape}:Base.draw"), ("calls", f"{app}:Box.area", f"{shape}:scale"),
        ("calls", f"{app}:Box.area", f"{app}:Box.width"), ("calls", f"{app}:Box.width", f"{app}:helper"),
        ("calls", f"{app}:helper", "web/extra.ts:extra"), ("calls", f"{app}:Panel", f"{app}:Box"),
    }
    assert {("references", f"{app}:View", f"{app}:Panel"), ("references", f"{app}:View", f"{app}:helper"),
            ("references", f"{app}:Box.unit", f"{shape}:Unit.Px")} <= of_kind(found, "references")
    assert left(found, "calls", "imports") == {(f"{app}:helper", "zoom"), (app, "react")}


def test_javascript() -> None:
    found = index({
        "lib/a.js": "class A { go() { return this.stop(); } stop() {} }\nfunction make() { return new A(); }\n"
                    "module.exports = { A, make };\n",
        "lib/b.mjs": "export default function run(cb) { cb(); }\nexport { run as start };\n",
        "main.js": "const { make, A: Other } = require('./lib/a');\nimport run, * as all from './lib/b.mjs';\n"
                   "import { start } from './lib/b.mjs';\nrun(make); all.start(); start();\n"
                   "const obj = { go() { this.go(); } };\nclass B extends Other { go() { super.go(); } }\n",
    })
    a, b = "lib/a.js", "lib/b.mjs"
    assert of_kind(found, "calls", "inherits") == {
        ("calls", f"{a}:A.go", f"{a}:A.stop"), ("calls", f"{a}:make", f"{a}:A"), ("calls", "main.js", f"{b}:run"),
        ("inherits", "main.js:B", f"{a}:A"), ("calls", "main.js:B.go", f"{a}:A.go"),
    }
    assert of_kind(found, "imports") == {("imports", "main.js", a), ("imports", "main.js", b)}
    assert (f"{b}:run", "cb") in left(found, "calls")


def test_rust() -> None:
    found = index({
        "Cargo.toml": '[package]\nname = "geo-lib"\n',
        "src/lib.rs": "pub mod shape;\nmod util;\npub use shape::Circle;\nfn top() { util::twice(1); crate::shape::unit(); }\n",
        "src/shape.rs":
            "use crate::util::{self, twice as double};\nuse std::fmt;\n\n"
            "pub trait Shape: fmt::Debug { fn area(&self) -> f64; fn show(&self) { self.area(); } }\n"
            "pub struct Circle<T: Copy> where T: Into<f64> { pub r: T, kind: Kind }\n"
            "pub enum Kind { Round, Flat(u8) }\n"
            "impl<T: Copy> Shape for Circle<T> where T: Into<f64> {\n"
            "    fn area(&self) -> f64 { self.double(); Self::new(Kind::Round); double(2); 0.0 }\n}\n"
            "impl<T: Copy> Circle<T> { pub fn new(k: Kind) -> Self { util::twice(1); todo!() } fn double(&self) {} }\n"
            "pub fn unit() -> Kind { let unit = 1; Kind::Flat(unit) }\n",
        "src/util.rs":
            "pub fn twice(n: i32) -> i32 { n }\n#[cfg(test)]\n"
            "mod tests { use super::*; fn t() { twice(2); helper(); } }\n",
        "src/main.rs": "use geo_lib::Circle;\nfn main() { let c = Circle::new(1); c.area(); run(); }\nfn run() {}\n",
    })
    lib, shape, util = "src/lib.rs", "src/shape.rs", "src/util.rs"
    assert head(found, f"{shape}:Circle") == ("class", "pub struct Circle<T: Copy> where T: Into<f64>")
    assert head(found, f"{shape}:Circle.area") == (
        "method", "impl<T: Copy> Shape for Circle<T> where T: Into<f64>: fn area(&self) -> f64")
    assert head(found, f"{shape}:Kind.Flat")[0] == "variable"
    assert of_kind(found, "implements", "inherits", "type_of") == {
        ("implements", f"{shape}:Circle", f"{shape}:Shape"), ("type_of", f"{shape}:Circle.kind", f"{shape}:Kind"),
    }
    assert of_kind(found, "calls") == {
        ("calls", f"{lib}:top", f"{util}:twice"), ("calls", f"{lib}:top", f"{shape}:unit"),
        ("calls", f"{shape}:Shape.show", f"{shape}:Shape.area"),
        ("calls", f"{shape}:Circle.area", f"{shape}:Circle.double"), ("calls", f"{shape}:Circle.area", f"{shape}:Circle.new"),
        ("calls", f"{shape}:Circle.area", f"{util}:twice"), ("calls", f"{shape}:Circle.new", f"{util}:twice"),
        ("calls", f"{shape}:unit", f"{shape}:Kind.Flat"), ("calls", f"{util}:tests.t", f"{util}:twice"),
        ("calls", "src/main.rs:main", f"{shape}:Circle.new"), ("calls", "src/main.rs:main", "src/main.rs:run"),
    }
    assert of_kind(found, "imports") == {
        ("imports", lib, shape), ("imports", lib, util), ("imports", shape, util),
        ("imports", "src/main.rs", shape),
    }
    assert left(found, "calls") == {
        (f"{shape}:Circle.new", "todo"), (f"{util}:tests.t", "helper"), ("src/main.rs:main", "c.area"),
    }


def test_go() -> None:
    found = index({
        "go.mod": "module example.com/shop\n\ngo 1.22\n",
        "store/store.go": "package store\n\ntype Store struct{ size int }\n\n"
                          "func Open(n int) *Store { return &Store{size: n} }\n"
                          "func hidden() {}\n",
        "store/more.go": "package store\n\nfunc (s *Store) Close() error { s.flush(); hidden(); return nil }\n"
                         "func (s *Store) flush() {}\n",
        "main.go": "package main\n\nimport (\n\t\"fmt\"\n\tst \"example.com/shop/store\"\n)\n\n"
                   "type Closer interface{ Close() error }\ntype App struct {\n\tst.Store\n\tname, note string\n}\n"
                   "const Limit = 3\n\nfunc (a *App) Run() (err error) {\n\ta.Close()\n\tfmt.Println(Limit)\n"
                   "\tfor _, st := range a.list() {\n\t\tst.Open(1)\n\t}\n\treturn nil\n}\n\n"
                   "func main() { s := st.Open(Limit); s.Close(); new(App).Run() }\n",
    })
    store, more = "store/store.go", "store/more.go"
    assert head(found, "main.go:App.Run") == ("method", "func (a *App) Run() (err error)")
    assert head(found, "main.go:Closer.Close") == ("method", "Close() error")
    assert head(found, "main.go:App.note") == ("variable", "string")
    assert of_kind(found, "calls", "inherits") == {
        ("calls", f"{more}:Store.Close", f"{more}:Store.flush"), ("calls", f"{more}:Store.Close", f"{store}:hidden"),
        ("inherits", "main.go:App", f"{store}:Store"), ("calls", "main.go:App.Run", f"{more}:Store.Close"),
        ("calls", "main.go:main", f"{store}:Open"),
    }
    assert of_kind(found, "imports") == {("imports", "main.go", store), ("imports", "main.go", more)}
    assert left(found, "calls", "imports") == {
        ("main.go", "fmt"), ("main.go:App.Run", "fmt.Println"), ("main.go:App.Run", "a.list"), ("main.go:App.Run", "st.Open"),
        ("main.go:main", "s.Close"), ("main.go:main", "new"), ("main.go:main", ".Run"),
    }


def test_java() -> None:
    found = index({
        "src/com/acme/lib/Base.java": "package com.acme.lib;\npublic abstract class Base<T> {\n  protected void close() {}\n"
                                      "  public static int max(int a, int b) { return a; }\n  void twice(int a) {}\n"
                                      "  void twice(String a) {}\n}\n",
        "src/com/acme/lib/Shape.java": "package com.acme.lib;\npublic interface Shape { double area(); }\n",
        "src/com/acme/app/App.java":
            "package com.acme.app;\nimport com.acme.lib.Base;\nimport com.acme.lib.*;\nimport static com.acme.lib.Base.max;\n"
            "import java.util.List;\n"
            "@Deprecated\npublic final class App extends Base<String> implements Shape {\n"
            "  private List<Helper> helpers;\n  App(int a) { super(); }\n"
            "  @Override public double area() { close(); this.twice(1); max(1, 2); Helper.help(); run(); return 0; }\n"
            "  void run() { Runnable r = new Runnable() { public void run() { close(); area(); } }; new App(1); }\n"
            "  enum Color { RED; Color next() { return RED; } }\n}\n",
        "src/com/acme/app/Helper.java": "package com.acme.app;\nclass Helper { static void help() { new App(2); } }\n",
    })
    app, base = "src/com/acme/app/App.java", "src/com/acme/lib/Base.java"
    shape, helper = "src/com/acme/lib/Shape.java", "src/com/acme/app/Helper.java"
    assert head(found, f"{app}:App") == ("class", "class App extends Base<String> implements Shape")
    assert head(found, f"{app}:App.area") == ("method", "double area()")
    assert head(found, f"{app}:App.App") == ("method", "App(int a)")
    assert of_kind(found, "inherits", "implements") == {
        ("inherits", f"{app}:App", f"{base}:Base"), ("implements", f"{app}:App", f"{shape}:Shape"),
    }
    assert of_kind(found, "type_of") == {("type_of", f"{app}:App.helpers", f"{helper}:Helper")}
    assert of_kind(found, "calls") == {
        ("calls", f"{app}:App.area", f"{base}:Base.close"), ("calls", f"{app}:App.area", f"{base}:Base.max"),
        ("calls", f"{app}:App.area", f"{helper}:Helper.help"), ("calls", f"{app}:App.area", f"{app}:App.run"),
        ("calls", f"{app}:App.run", f"{app}:App"), ("calls", f"{helper}:Helper.help", f"{app}:App"),
    }
    assert of_kind(found, "imports") == {("imports", app, base)}
    assert {(f"{app}:App.area", "this.twice"), (f"{app}:App.run.run", "close"), (f"{app}:App.run.run", "area")} <= left(
        found, "calls")
    assert ("references", f"{app}:App.Color.next", f"{app}:App.Color.RED") in found.edges


def test_c() -> None:
    found = index({
        "include/util/list.h": "#ifndef LIST_H\n#define LIST_H\n#define LIST_MAX 10\n"
                               "typedef struct list { int size; struct list *next; } list_t;\n"
                               "enum order { UP, DOWN };\nint list_add(list_t *list, int value);\n#endif\n",
        "src/list.c": "#include <stdlib.h>\n#include \"util/list.h\"\n\nstatic int grow(list_t *l) { return LIST_MAX; }\n"
                      "int list_add(list_t *list, int value) { grow(list); abort(); return UP; }\n",
        "src/main.c": "#include \"util/list.h\"\n\nstatic list_t *all;\nstruct ops { int (*add)(list_t *, int); };\n"
                      "static struct ops table = { .add = list_add };\n"
                      "int main(int argc, char **argv) { int grow = 1;\n"
                      "  list_add(all, grow); grow(all); table.add(0, 1); return 0; }\n",
        "other/grow.c": "int grow(int x) { return x; }\n",
    })
    header, source, main = "include/util/list.h", "src/list.c", "src/main.c"
    assert head(found, f"{header}:list") == ("class", "typedef struct list"[8:])
    assert head(found, f"{header}:list_t")[0] == "type"
    assert head(found, f"{header}:order.UP")[0] == "variable"
    assert head(found, f"{source}:grow") == ("function", "static int grow(list_t *l)")
    assert of_kind(found, "imports") == {("imports", source, header), ("imports", main, header)}
    assert of_kind(found, "calls") == {
        ("calls", f"{source}:list_add", f"{source}:grow"), ("calls", f"{main}:main", f"{header}:list_add"),
    }
    assert {("references", f"{source}:grow", f"{header}:LIST_MAX"), ("references", f"{source}:list_add", f"{header}:order.UP"),
            ("references", f"{main}:table", f"{header}:list_add"), ("type_of", f"{main}:table", f"{main}:ops"),
            ("type_of", f"{main}:all", f"{header}:list_t")} <= found.relations()
    assert left(found, "calls", "imports") == {
        (source, "stdlib.h"), (f"{source}:list_add", "abort"), (f"{main}:main", "grow"), (f"{main}:main", "table.add"),
    }


def test_cpp() -> None:
    found = index({
        "gfx/shape.hpp": "namespace gfx {\nclass Shape {\npublic:\n  virtual ~Shape();\n  virtual double area() const = 0;\n"
                         "  void draw(int n = 1);\n  void over(int); void over(double);\n};\n"
                         "template <typename T> T twice(T value) { return value; }\n}\n",
        "gfx/box.cpp": "#include \"shape.hpp\"\n#include <vector>\n\nnamespace gfx {\n"
                       "class Box : public Shape {\n public:\n  explicit Box(int w) : w_(w) { draw(1); }\n"
                       "  double area() const override { return twice(this->w_) + over(1); }\n private:\n  int w_;\n};\n"
                       "void Shape::draw(int n) { area(); Box b(n); auto f = [&](int z) { return b(z); }; }\n}\n"
                       "double run() { gfx::twice<int>(1); new gfx::Box(2); return gfx::missing(); }\n",
    })
    header, source = "gfx/shape.hpp", "gfx/box.cpp"
    assert head(found, f"{source}:gfx.Box") == ("class", "class Box : public Shape")
    assert head(found, f"{header}:gfx.Shape.area") == ("method", "virtual double area() const = 0")
    assert head(found, f"{header}:gfx.Shape.~Shape")[0] == "method"
    assert head(found, f"{source}:gfx.Shape.draw") == ("method", "void Shape::draw(int n)")
    assert of_kind(found, "imports", "inherits") == {
        ("imports", source, header), ("inherits", f"{source}:gfx.Box", f"{header}:gfx.Shape"),
    }
    assert of_kind(found, "calls") == {
        ("calls", f"{source}:gfx.Box.Box", f"{header}:gfx.Shape.draw"),
        ("calls", f"{source}:gfx.Box.area", f"{header}:gfx.twice"),
        ("calls", f"{source}:gfx.Shape.draw", f"{header}:gfx.Shape.area"), ("calls", f"{source}:run", f"{source}:gfx.Box"),
        ("calls", f"{source}:run", f"{header}:gfx.twice"),
    }
    assert {(f"{source}:gfx.Box.area", "over"), (f"{source}:run", "gfx::missing")} <= left(found, "calls")
