"""Finding entities by what a person types: a qualified name or its end, a path or its end, ``path::name``, or a key.

Candidates come from the index over last components, so the cost grows with how often that component occurs.  Order:
whole name, end of a name, then the same without regard to ASCII case; within each by path, line, name, key.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from siltstone.codeindex.entities import EntityKind
from siltstone.graph.model import EntityRow

Fetch = Callable[[str, tuple[Any, ...]], list[EntityRow]]  # rows of a condition on the table ``entities``

_WHOLE, _END, _WHOLE_ANY_CASE, _END_ANY_CASE, _NONE = range(5)
_SUGGESTIONS = 5
_CANDIDATES = 50_000  # names that suggestions are chosen from: a quarter of a second


def find_entities(fetch: Fetch, name: str) -> list[EntityRow]:
    """Return every entity that *name* may mean, best first."""
    return [row for _, row in _ranked(fetch, name)]


def best_entities(fetch: Fetch, name: str) -> list[EntityRow]:
    """Return the entities that *name* means best: more than one where it is ambiguous."""
    ranked = _ranked(fetch, name)
    return [row for rank, row in ranked if rank == ranked[0][0]]


def lies_in(row: EntityRow, path: str) -> bool:
    """Return whether *row* stands in the file or folder *path*, or in a file whose path ends so."""
    path = path.removeprefix("./").rstrip("/")
    return row.path == path or row.path.endswith("/" + path) or row.path.startswith(path + "/")


def suggest(leaves: Callable[[str, tuple[Any, ...]], list[str]], name: str) -> list[str]:
    """Return a few existing last components near that of *name*, the nearest first."""
    leaf = next(iter(_leaves_of(name.rpartition("::")[2])))
    near = "WHERE abs(length(leaf) - ?) <= 2 ORDER BY leaf LIMIT ?"
    by_case: dict[str, list[str]] = {}
    for candidate in leaves(near, (len(leaf), _CANDIDATES)):
        by_case.setdefault(candidate.lower(), []).append(candidate)
    matches = difflib.get_close_matches(leaf.lower(), by_case, n=_SUGGESTIONS, cutoff=0.7)
    found = [candidate for match in matches for candidate in sorted(by_case[match], key=lambda one: _case_order(one, leaf))]
    if len(leaf) >= 3 and len(found) < _SUGGESTIONS:
        longer = leaves("WHERE instr(lower(leaf), ?) ORDER BY length(leaf), leaf LIMIT ?", (leaf.lower(), _SUGGESTIONS))
        found += [candidate for candidate in longer if candidate not in found]
    return found[:_SUGGESTIONS]


def _case_order(candidate: str, wanted: str) -> tuple[float, str]:
    """Sort spellings that differ in case alone: the nearest to *wanted* first."""
    return -difflib.SequenceMatcher(None, candidate, wanted).ratio(), candidate


def _ranked(fetch: Fetch, name: str) -> list[tuple[int, EntityRow]]:
    path, separator, inner = name.partition("::")
    if separator and inner:
        inside = [(rank, row) for rank, row in _by_name(fetch, inner) if lies_in(row, path)]
        return inside or _by_name(fetch, name.replace("::", "."))  # Foo::bar, as some languages write it
    return _by_name(fetch, name.removeprefix("./"))


def _by_name(fetch: Fetch, name: str) -> list[tuple[int, EntityRow]]:
    found = [
        (rank, row)
        for leaf in _leaves_of(name)
        for row in fetch("leaf = ? COLLATE NOCASE", (leaf,))
        if (rank := _rank(row, name)) != _NONE
    ]
    return sorted(found, key=lambda pair: (pair[0], order_for_people(pair[1])))


def _leaves_of(name: str) -> Iterator[str]:
    """Yield the last component of *name* read as a qualified name, and read as a path where that differs."""
    by_dot = name.rpartition(".")[2] or name
    by_slash = name.rpartition("/")[2] or name
    yield by_slash
    if by_dot.lower() != by_slash.lower():
        yield by_dot


def _rank(row: EntityRow, name: str) -> int:
    whole, separator = (row.path, "/") if row.kind is EntityKind.FILE else (row.name, ".")
    if whole == name:
        return _WHOLE
    if whole.endswith(separator + name):
        return _END
    whole, name = whole.lower(), name.lower()
    if whole == name:
        return _WHOLE_ANY_CASE
    return _END_ANY_CASE if whole.endswith(separator + name) else _NONE


def order_for_people(row: EntityRow) -> tuple[str, int, str, int]:
    """Return the sort key of listings: path, line, name, key."""
    return row.path, row.line, row.name, row.key
