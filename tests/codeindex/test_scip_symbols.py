"""Symbol strings: the vectors of the official Go and Rust parsers, and the round trip."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone.codeindex.scip_symbols import (
    Descriptor,
    Package,
    Suffix,
    Symbol,
    SymbolParser,
    format_descriptor,
    format_symbol,
    parse_symbol,
)
from siltstone.core.errors import ConfigError, CorruptDataError

N, T, V, M = Suffix.NAMESPACE, Suffix.TYPE, Suffix.TERM, Suffix.METHOD
P, Y, X, L = Suffix.PARAMETER, Suffix.TYPE_PARAMETER, Suffix.MACRO, Suffix.LOCAL


def symbol(scheme: str, package: tuple[str, str, str], *descriptors: tuple[object, ...]) -> Symbol:
    return Symbol(scheme, Package(*package), tuple(Descriptor(*parts) for parts in descriptors))  # type: ignore[arg-type]


# symbol_test.go, symbol_formatter_test.go of the Go bindings; symbol.rs of the Rust bindings
VECTORS = {
    "local a": symbol("local", ("", "", ""), ("a", L)),
    "local 7": symbol("local", ("", "", ""), ("7", L)),
    "a b c d method().": symbol("a", ("b", "c", "d"), ("method", M)),
    "a b c d `e f`.": symbol("a", ("b", "c", "d"), ("e f", V)),
    "a b  c d e f.": symbol("a", ("b c", "d", "e"), ("f", V)),
    "lsif-java maven package 1.0.0 java/io/File#Entry.method(+1).(param)[TypeParam]": symbol(
        "lsif-java", ("maven", "package", "1.0.0"), ("java", N), ("io", N), ("File", T), ("Entry", V), ("method", M, "+1"),
        ("param", P), ("TypeParam", Y)),
    "rust-analyzer cargo std 1.0.0 macros/println!": symbol(
        "rust-analyzer", ("cargo", "std", "1.0.0"), ("macros", N), ("println", X)),
    "cxx . todo-pkg todo-version gfx/Rect#x(455f465bc33b4cdf).": symbol(
        "cxx", ("", "todo-pkg", "todo-version"), ("gfx", N), ("Rect", T), ("x", M, "455f465bc33b4cdf")),
    "cxx . . $ `<external>/4398592474888995393/assert.h:92:11`!": symbol(
        "cxx", ("", "", "$"), ("<external>/4398592474888995393/assert.h:92:11", X)),
    "cxx . . $ llvm/itanium_demangle/OutputBuffer#empty(50ce9a9e25b4a850).": symbol(
        "cxx", ("", "", "$"), ("llvm", N), ("itanium_demangle", N), ("OutputBuffer", T), ("empty", M, "50ce9a9e25b4a850")),
    "a b c d `F⃗`.": symbol("a", ("b", "c", "d"), ("F⃗", V)),
    "rust-analyzer cargo files 0.1.0 `Α`#": symbol("rust-analyzer", ("cargo", "files", "0.1.0"), ("Α", T)),
    "scip-ctags . . . `foo=`.": symbol("scip-ctags", ("", "", ""), ("foo=", V)),
    "scip-ctags . . . `foo``bar`.": symbol("scip-ctags", ("", "", ""), ("foo`bar", V)),
    "scip-ctags manager . . MyType#foo.": symbol("scip-ctags", ("manager", "", ""), ("MyType", T), ("foo", V)),
    "zeroth  escape first  escape second  escape third  escape `github.com/foo/``bar/n2/n3/n4`/T#f().": symbol(
        "zeroth escape", ("first escape", "second escape", "third escape"), ("github.com/foo/`bar/n2/n3/n4", N), ("T", T),
        ("f", M)),
    "scip-python python click 8 `docs.conf`/__init__:": symbol(
        "scip-python", ("python", "click", "8"), ("docs.conf", N), ("__init__", Suffix.META)),
}

ERRORS = [
    "", "lsif-java maven package 1.0.0", "lsif-java maven package 1.0.0 java/io/File#Entry.trailingstring",
    "lsif-java maven package 1.0.0 java/io/File#Entry.unrecognizedSuffix@",
    "lsif-java maven package 1.0.0 java/io/File#Entry.nonSimpλeIdentifier.",
    "lsif-java maven package 1.0.0 java/io/File#Entry.`unterminatedEscapedIdentifier",
    "lsif-java maven package 1.0.0 java/io/File#Entry.[UnterminatedDescriptorSuffix",
    "local 🧠", "local ", "local &&&",
    # where the official parsers are lax, or read past the end
    " b c d e.", "localx b c d e.", "a b c d `é", "a b c d `é``", "a b c d ``.", "a b c d `simple`.", "a b c d e(.",
    "a b c d e(f.",
    "a b c d e(é).", "a b c d (e", "a b c d ()", "a b c d []", "a b c d .", "a b c d e", "a b c d ", "a b c d", "local  a",
    "local a b",
    "a b c d e.\n",
]


@pytest.mark.oracle
@pytest.mark.parametrize("text", VECTORS)
def test_official_vectors_parse_and_are_written_back(text: str) -> None:
    assert parse_symbol(text) == VECTORS[text]
    assert SymbolParser().parse(text) == VECTORS[text]
    assert format_symbol(VECTORS[text]) == text


@pytest.mark.oracle
@pytest.mark.parametrize("text", ERRORS)
def test_what_the_grammar_refuses_is_an_error(text: str) -> None:
    for parse in (parse_symbol, SymbolParser().parse):
        with pytest.raises(CorruptDataError):
            parse(text)


@pytest.mark.parametrize("text", ["a b c d ``.", "a b c d `simple`."])
def test_lenient_waives_the_quoting_rules_only(text: str) -> None:
    assert parse_symbol(text, lenient=True).descriptors[0].name == text.split("`")[1]
    with pytest.raises(CorruptDataError):
        parse_symbol("a b c d e@", lenient=True)


def test_the_error_tells_the_byte() -> None:
    with pytest.raises(CorruptDataError) as caught:
        parse_symbol("a b c d `é`/ff@")
    assert caught.value.offset == len("a b c d `é`/".encode())


simple = st.text(string.ascii_letters + string.digits + "_+-$", min_size=1, max_size=4)
names = simple | st.text("ab`/ .#é🚀()", min_size=1, max_size=5)
packages = st.builds(Package, *[
    st.text("ab .é", max_size=4).filter(lambda part: part != "." and not part.startswith(" ")) for _ in range(3)])
plain = [suffix for suffix in Suffix if suffix not in (Suffix.LOCAL, Suffix.METHOD)]
descriptors = st.builds(Descriptor, names, st.sampled_from(plain), st.just("")) | st.builds(
    Descriptor, names, st.just(Suffix.METHOD), st.just("") | simple)
symbols = st.builds(
    Symbol, st.text("ab .", min_size=1, max_size=4), packages, st.lists(descriptors, min_size=1, max_size=4).map(tuple),
) | simple.map(lambda name: symbol("local", ("", "", ""), (name, L)))


@given(symbols)
def test_parsing_gives_back_what_was_formatted(value: Symbol) -> None:
    assert parse_symbol(format_symbol(value)) == value
    assert SymbolParser().parse(format_symbol(value)) == value


def outcome(parse: object, text: str) -> object:
    try:
        return parse(text)  # type: ignore[operator]
    except CorruptDataError as error:
        return str(error)


near_symbols = st.text("ab `.#/()[]:! locé", max_size=14).map("a b c d".__add__) | st.text("a `.#/(", max_size=16)


@given(st.lists(near_symbols, max_size=4))
@example(["a b c d `x yz.", "a b c `x y.", "a b c d `x`z.", "a b c d `x/y`z.", "a b c d x().y(+1).", "local a."])
def test_the_parser_of_many_agrees_with_the_parser_of_one(texts: list[str]) -> None:
    parser, lenient = SymbolParser(), SymbolParser(lenient=True)
    for text in texts:
        assert outcome(parser.parse, text) == outcome(parse_symbol, text)
        assert outcome(lenient.parse, text) == outcome(lambda one: parse_symbol(one, lenient=True), text)


@pytest.mark.parametrize("value", [
    symbol("", ("", "", ""), ("a", V)), symbol("locally", ("", "", ""), ("a", V)), symbol("a", ("", "", "")),
    symbol("a", (".", "", ""), ("a", V)), symbol("a", (" b", "", ""), ("a", V)), symbol("a", ("", "", ""), ("", V)),
    symbol("a", ("", "", ""), ("a", V, "x")), symbol("a", ("", "", ""), ("a", M, "é")), symbol("a", ("", "", ""), ("a", L)),
    symbol("local", ("", "", ""), ("é", L)),
])
def test_a_value_that_no_text_stands_for_is_refused(value: Symbol) -> None:
    with pytest.raises(ConfigError):
        format_symbol(value)


def test_one_descriptor_can_be_written() -> None:
    assert format_descriptor(Descriptor("x y", Suffix.TYPE_PARAMETER)) == "[`x y`]"
