"""What one indexing run found, in counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSummary:
    """Counts by name, each table sorted by name; `resolved` and `unresolved` count uses of names and imports."""

    files: int
    languages: Mapping[str, int]  # files by language; "" for files of no known language
    entities: int
    edges: int
    resolved: int  # uses that found their target
    unresolved: int
    entities_by_kind: Mapping[str, int]
    edges_by_kind: Mapping[str, int]
    edges_by_source: Mapping[str, int]
    edges_by_confidence: Mapping[str, int]
    resolved_by_kind: Mapping[str, int]
    unresolved_by_kind: Mapping[str, int]
    files_extracted: int  # by syntax, in this run or an earlier one
    files_reused: int  # their extraction came from the cache
    files_from_scip: int
    files_with_syntax_errors: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return asdict(self)
