"""The boundary to tree-sitter: one parse and one query per file; what the captures mean is decided in `syntax_rows`.

This is the only module that knows tree-sitter and its grammars.  Nodes do not leave `extract`.  tree-sitter holds the
interpreter lock while it works, so more cores mean more processes (`worker_pool`), not threads.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module, resources
from typing import Any

from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.syntax_rows import Rows
from siltstone.codeindex.syntax_rules import RULES
from siltstone.core.errors import CorruptDataError, UnsupportedError

# Nodes deeper in the tree are not looked at.  Written code ends before 200; a query costs depth x nodes: 77 s at 40,000.
_DEPTH_LIMIT = 1_000
_VISIBLE = re.compile(rb"\S")


def languages() -> list[str]:
    """Return the languages that `extract` reads, sorted."""
    return sorted(RULES)


def extract(language: str, source: bytes) -> Extraction:
    """Return what *source* defines, imports and uses, as far as it parses.

    Raises CorruptDataError for text that is not UTF-8, UnsupportedError for a language without a grammar.
    """
    if language not in RULES:
        raise UnsupportedError("no grammar for this language", source=language)
    if not source.isascii():
        try:
            source.decode()
        except UnicodeDecodeError as error:
            raise CorruptDataError("not UTF-8", offset=error.start) from error
    parser, cursor = _tools(language)
    rules = RULES[language]
    tree = parser.parse(source if rules.macros is None else rules.macros.sub(_blanked, source))
    root = tree.root_node
    extraction = Rows(source, language, rules).fill(cursor.captures(root))
    extraction.syntax_errors = int(root.has_error)
    return extraction


def _blanked(found: re.Match[bytes]) -> bytes:
    """Return as many bytes and lines without the macros, so that every place in the tree is one of the source."""
    return found[1] + _VISIBLE.sub(b" ", found[2])


@cache
def _tools(language: str) -> tuple[Any, Any]:
    from tree_sitter import Language, Parser, Query, QueryCursor

    rules = RULES[language]
    grammar = Language(getattr(import_module(rules.grammar), rules.language_function)())
    folder = resources.files("siltstone.codeindex").joinpath("queries")
    patterns = [folder.joinpath(f"{name}.scm").read_text("utf-8") for name in rules.queries]
    cursor = QueryCursor(Query(grammar, "\n".join(patterns)))
    cursor.set_max_start_depth(_DEPTH_LIMIT)
    return Parser(grammar), cursor
