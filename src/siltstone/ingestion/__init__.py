"""One repository, end to end: the code index, detection and the graph joined in one run."""

from siltstone.ingestion.driver import ingest
from siltstone.ingestion.summary import CodeSummary, HistorySummary, IngestSummary, Stage

__all__ = ["CodeSummary", "HistorySummary", "IngestSummary", "Stage", "ingest"]
