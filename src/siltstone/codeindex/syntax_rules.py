"""What differs between languages when a syntax tree becomes rows, as data; the patterns are in ``queries/<language>.scm``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageRules:
    """How one language names, binds and writes things."""

    grammar: str  # name of the module that carries the grammar
    queries: tuple[str, ...]  # files of patterns that make up its query
    language_function: str = "language"
    self_words: frozenset[str] = frozenset()
    last_wins: bool = False  # the last of several definitions of one name is the one that counts
    class_names: str = "never"  # where members are seen by their bare name: never, in the class "body", anywhere "inside"
    modules_are_opaque: bool = False  # an inner module does not see the names around it
    separators: tuple[str, ...] = ()  # what stands between parts of a name besides '.'
    function_values: frozenset[str] = frozenset()  # a variable with such a value is a function
    header_skips: frozenset[str] = frozenset()  # leading children that are no part of a signature
    variable_fields: tuple[str, ...] = ("name",)
    members_are_declared: bool = False  # a member written outside of its type is also declared inside
    exports_apart: bool = False  # what a file exports from others is not a name inside it
    protocol_bases: frozenset[str] = frozenset()  # a class with such a base is an interface


_JAVASCRIPT_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_PROTOCOLS = frozenset({"Protocol", "typing.Protocol", "typing_extensions.Protocol"})
_CHAINS = ("?.", ".#")
_THIS = frozenset({"this", "super"})

RULES: dict[str, LanguageRules] = {
    "python": LanguageRules(
        "tree_sitter_python", ("python",), self_words=frozenset({"self", "cls", "super"}), last_wins=True,
        class_names="body", variable_fields=("left",), protocol_bases=_PROTOCOLS,
    ),
    "javascript": LanguageRules(
        "tree_sitter_javascript", ("ecmascript", "jsx", "javascript"), self_words=_THIS, last_wins=True,
        separators=_CHAINS, exports_apart=True, function_values=_JAVASCRIPT_FUNCTIONS,
        variable_fields=("name", "property"), header_skips=frozenset({"decorator"}),
    ),
    "typescript": LanguageRules(
        "tree_sitter_typescript", ("ecmascript", "typescript"), "language_typescript", self_words=_THIS, last_wins=True,
        separators=_CHAINS, exports_apart=True, function_values=_JAVASCRIPT_FUNCTIONS, header_skips=frozenset({"decorator"}),
    ),
    "tsx": LanguageRules(
        "tree_sitter_typescript", ("ecmascript", "typescript", "jsx"), "language_tsx", self_words=_THIS, last_wins=True,
        separators=_CHAINS, exports_apart=True, function_values=_JAVASCRIPT_FUNCTIONS, header_skips=frozenset({"decorator"}),
    ),
    "rust": LanguageRules(
        "tree_sitter_rust", ("rust",), self_words=frozenset({"self", "Self"}), modules_are_opaque=True, separators=("::",),
    ),
    "go": LanguageRules("tree_sitter_go", ("go",)),
    "java": LanguageRules(
        "tree_sitter_java", ("java",), self_words=_THIS, class_names="inside", variable_fields=("declarator", "name"),
        header_skips=frozenset({"modifiers", "line_comment", "block_comment"}),
    ),
    "c": LanguageRules(
        "tree_sitter_c", ("c",), last_wins=True, separators=("->", "::"), variable_fields=("declarator", "name"),
    ),
    "cpp": LanguageRules(
        "tree_sitter_cpp", ("c", "cpp"), self_words=frozenset({"this"}), class_names="inside", separators=("->", "::"),
        members_are_declared=True, variable_fields=("declarator", "name"),
    ),
}
