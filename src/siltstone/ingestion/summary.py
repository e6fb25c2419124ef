"""What an ingest tells: plain values, the same for the screen, for JSON and for the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the work; *peak_bytes* is over the process tree, 0 where the system does not tell."""

    name: str
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSummary:
    """The files and what was found in them; counts by name, sorted by count."""

    files: int
    files_reused: int  # their extraction came from the cache
    files_from_scip: int
    files_with_syntax_errors: int
    languages: Mapping[str, int]
    entities: Mapping[str, int]  # by kind
    relations: Mapping[str, int]  # by kind
    unresolved: Mapping[str, int]  # by kind of the relation it would have been
    resolved_uses: int  # uses of names and imports that found their target; several may make one relation
    unresolved_uses: int

    @property
    def resolved_share(self) -> float:
        """Uses that found their target, of all uses; 1.0 where there are none."""
        total = self.resolved_uses + self.unresolved_uses
        return self.resolved_uses / total if total else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySummary:
    """The object database and what was found in it."""

    commits: int
    blobs: int  # in the object database
    blobs_scanned: int  # in this run
    blobs_reused: int  # scanned before with the same rules
    bytes_scanned: int  # in this run, inflated
    findings: Mapping[str, int]  # by rule


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSummary:
    """One ingest, end to end; `as_dict` is the document that ``silt ingest --json`` prints."""

    repository: str
    repo_id: str
    head: str | None  # None: no commit yet
    object_format: str
    store: str
    graph_digest: str
    unchanged: bool  # the graph in the store was already this one
    code: CodeSummary
    history: HistorySummary
    coverage: Mapping[str, Any]  # the ledger: complete, counts by reason, examples
    stages: tuple[Stage, ...] = field(default=())
    seconds: float = 0.0
    peak_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain values, with ``resolved_share`` added to ``code``."""
        told = asdict(self)
        told["code"]["resolved_share"] = round(self.code.resolved_share, 4)
        return told
