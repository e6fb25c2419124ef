"""What a SCIP index holds, counted in one pass over its documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from siltstone.codeindex.scip_reader import IS_IMPLEMENTATION, ROLE_DEFINITION, ScipDocument, ScipReader
from siltstone.core.progress import NO_PROGRESS, Progress


@dataclass(slots=True)
class ScipSummary:
    """Counts of one index; *global_definitions* counts distinct symbols, all else counts rows."""

    documents: int = 0
    bytes: int = 0
    occurrences: int = 0
    definitions: int = 0
    global_definitions: int = 0
    global_symbols: int = 0
    local_occurrences: int = 0
    symbols: int = 0
    relationships: int = 0
    implementations: int = 0
    enclosing_ranges: int = 0
    malformed_occurrences: int = 0
    external_symbols: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    encodings: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)


def summarize(reader: ScipReader, *, progress: Progress = NO_PROGRESS) -> ScipSummary:
    """Read all documents of *reader* and return the counts; memory grows with the distinct global symbols."""
    summary = ScipSummary(bytes=reader.size)
    used: set[bytes] = set()
    defined: set[bytes] = set()
    languages: Counter[str] = Counter()
    encodings: Counter[str] = Counter()
    progress.stage("scip", reader.size)
    at = 0
    for document in reader:
        _count(summary, document, used, defined)
        languages[document.language or "not stated"] += 1
        encodings[document.encoding.name.lower()] += 1
        progress.advance(document.offset + document.size - at)
        at = document.offset + document.size
    summary.global_symbols, summary.global_definitions = len(used), len(defined)
    summary.external_symbols = len(reader.external_symbols)
    summary.languages, summary.encodings = dict(sorted(languages.items())), dict(sorted(encodings.items()))
    progress.finish()
    return summary


def _count(summary: ScipSummary, document: ScipDocument, used: set[bytes], defined: set[bytes]) -> None:
    local = np.array([*(name.startswith(b"local ") for name in document.symbols), False], bool)
    is_definition = document.roles & ROLE_DEFINITION != 0
    summary.documents += 1
    summary.occurrences += len(document.roles) + document.malformed
    summary.malformed_occurrences += document.malformed
    summary.definitions += int(is_definition.sum())
    summary.local_occurrences += int(local[document.occurrence_symbols].sum())
    summary.symbols += len(document.info_symbols)
    summary.relationships += len(document.relationships)
    summary.implementations += int((document.relationships[:, 2] & IS_IMPLEMENTATION != 0).sum())
    summary.enclosing_ranges += int((document.enclosing_ranges[:, 0] >= 0).sum())
    for rows, names in ((document.occurrence_symbols, used), (document.occurrence_symbols[is_definition], defined)):
        names.update(document.symbols[row] for row in np.unique(rows).tolist() if row >= 0 and not local[row])
