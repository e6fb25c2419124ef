"""The expression engine: google-re2, the only module that imports it.

RE2 runs in linear time, so no rule and no blob can stall a scan.  Text is read as bytes (Latin-1), and a match is the
one that Perl's rules prefer, as in Python's `re`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from siltstone.core.errors import ConfigError

_MEMORY_BYTES = 32 << 20  # of one expression and its automata; RE2's own 8 MiB is small for repeats near 1,000


class Confirmer:
    """One compiled expression; threads may share it."""

    __slots__ = ("_compiled", "groups")

    def __init__(self, pattern: str) -> None:
        """Compile *pattern*. Raises ConfigError where RE2 refuses it."""
        import re2

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False  # else the pattern goes to stderr
        options.max_mem = _MEMORY_BYTES
        try:
            self._compiled: Any = re2.compile(pattern.encode(), options=options)
        except re2.error as error:
            raise ConfigError(f"not an RE2 expression: {error}", field="pattern") from None
        self.groups: int = self._compiled.groups

    def spans(
        self, text: bytes | memoryview, start: int, end: int, group: int
    ) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield the spans of each match and of its *group*, in order, no two overlapping.

        A match lies in ``text[start:end]``; assertions such as ``\\b`` and ``$`` see the bytes around it.
        """
        for match in self._compiled.finditer(text, start, end):
            yield match.span(), match.span(group)

    def found_in(self, text: bytes) -> bool:
        """Return whether the expression occurs anywhere in *text*."""
        return self._compiled.search(text) is not None
