"""What differs between languages when a syntax tree becomes rows, as data; the patterns are in ``queries/<language>.scm``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageRules:
    """How one language names, binds and writes things."""

    grammar: str  # name of the module that carries the grammar
    language_function: str = "language"
    self_words: frozenset[str] = frozenset()
    last_wins: bool = False  # the last of several definitions of one name is the one that counts
    class_names: str = "never"  # where members are seen by their bare name: never, in the class "body", anywhere "inside"
    modules_are_opaque: bool = False  # an inner module does not see the names around it
    separators: tuple[str, ...] = ()  # what stands between parts of a name besides '.'
    separator: str = "."
    function_values: frozenset[str] = frozenset()  # a variable with such a value is a function
    header_skips: frozenset[str] = frozenset()  # leading children that are no part of a signature
    variable_fields: tuple[str, ...] = ("name",)
    protocol_bases: frozenset[str] = frozenset()  # a class with such a base is an interface


_JAVASCRIPT_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})

RULES: dict[str, LanguageRules] = {
    "python": LanguageRules(
        "tree_sitter_python", self_words=frozenset({"self", "cls", "super"}), last_wins=True, class_names="body",
        variable_fields=("left",), protocol_bases=frozenset({"Protocol", "typing.Protocol", "typing_extensions.Protocol"}),
    ),
}
