"""What differs between languages when a syntax tree becomes rows, as data; the patterns are in ``queries/<language>.scm``."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageRules:
    """How one language names, binds and writes things."""

    grammar: str  # name of the module that carries the grammar
    queries: tuple[str, ...]  # files of patterns that make up its query
    language_function: str = "language"
    self_words: frozenset[str] = frozenset()
    receives_first: bool = False  # the first parameter of a method is its receiver
    last_wins: bool = False  # the last of several definitions of one name is the one that counts
    class_names: str = "never"  # where members are seen by their bare name: never, in the class "body", anywhere "inside"
    modules_are_opaque: bool = False  # an inner module does not see the names around it
    separators: tuple[str, ...] = ()  # what stands between parts of a name besides '.'
    function_values: frozenset[str] = frozenset()  # a variable with such a value is a function
    header_skips: frozenset[str] = frozenset()  # leading children that are no part of a signature
    variable_fields: tuple[str, ...] = ("name",)
    members_are_declared: bool = False  # a member written outside of its type is also declared inside
    exports_apart: bool = False  # what a file exports from others is not a name inside it
    defaults_see_parameters: bool = False  # the default of a parameter may read the parameters before it
    no_names: frozenset[str] = frozenset()  # what can stand where a name is expected and is none
    macros: re.Pattern[bytes] | None = None  # words that hide the type after them from the grammar
    protocol_bases: frozenset[str] = frozenset()  # a class with such a base is an interface


_JAVASCRIPT_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_PROTOCOLS = frozenset({"Protocol", "typing.Protocol", "typing_extensions.Protocol"})
_CHAINS = ("?.", ".#")
_BLANK = frozenset({"_"})
_C_WORDS = frozenset({
    "auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "return", "short", "signed", "size_t", "sizeof", "static",
    "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while",
})
# `API_EXPORT int (run) (void);`: the grammar takes the macro for the type and `int` for the name.
_C_MACROS = re.compile(
    rb"^((?:(?:static|extern|inline)[ \t]+)*)((?:[A-Z_][A-Z0-9_]{2,}\s+){1,3})"
    rb"(?=(?:const\s+)?(?:static|extern|inline|void|bool|char|short|int|long|float|double|signed|unsigned|size_t|ssize_t|"
    rb"u?int(?:8|16|32|64|ptr)_t|struct|union|enum)\b)",
    re.MULTILINE,
)
_THIS = frozenset({"this", "super"})

RULES: dict[str, LanguageRules] = {
    "python": LanguageRules(
        "tree_sitter_python", ("python",), self_words=frozenset({"super"}), receives_first=True, last_wins=True,
        class_names="body", variable_fields=("left",), protocol_bases=_PROTOCOLS,
    ),
    "javascript": LanguageRules(
        "tree_sitter_javascript", ("ecmascript", "jsx", "javascript"), self_words=_THIS, last_wins=True,
        separators=_CHAINS, exports_apart=True, defaults_see_parameters=True,
        function_values=_JAVASCRIPT_FUNCTIONS,
        variable_fields=("name", "property"), header_skips=frozenset({"decorator"}),
    ),
    "typescript": LanguageRules(
        "tree_sitter_typescript", ("ecmascript", "typescript"), "language_typescript", self_words=_THIS, last_wins=True,
        separators=_CHAINS, exports_apart=True, defaults_see_parameters=True,
        function_values=_JAVASCRIPT_FUNCTIONS, header_skips=frozenset({"decorator"}),
    ),
    "tsx": LanguageRules(
        "tree_sitter_typescript", ("ecmascript", "typescript", "jsx"), "language_tsx", self_words=_THIS, last_wins=True,
        separators=_CHAINS, exports_apart=True, defaults_see_parameters=True,
        function_values=_JAVASCRIPT_FUNCTIONS, header_skips=frozenset({"decorator"}),
    ),
    "rust": LanguageRules(
        "tree_sitter_rust", ("rust",), self_words=frozenset({"self", "Self"}), modules_are_opaque=True, separators=("::",),
        no_names=_BLANK,
    ),
    "go": LanguageRules("tree_sitter_go", ("go",), no_names=_BLANK),
    "java": LanguageRules(
        "tree_sitter_java", ("java",), self_words=_THIS, class_names="inside", variable_fields=("declarator", "name"),
        header_skips=frozenset({"modifiers", "line_comment", "block_comment"}),
    ),
    "c": LanguageRules(
        "tree_sitter_c", ("c",), last_wins=True, separators=("->", "::"), variable_fields=("declarator", "name"),
        no_names=_C_WORDS, macros=_C_MACROS,
    ),
    "cpp": LanguageRules(
        "tree_sitter_cpp", ("c", "cpp"), self_words=frozenset({"this"}), class_names="inside", separators=("->", "::"),
        members_are_declared=True, variable_fields=("declarator", "name"), no_names=_C_WORDS, macros=_C_MACROS,
    ),
}
