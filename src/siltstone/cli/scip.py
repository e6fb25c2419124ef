"""``silt scip``: what a SCIP index holds, and what it takes to read it."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from siltstone.cli import render
from siltstone.cli.terminal import Terminal
from siltstone.codeindex.scip_reader import ScipMetadata, read_scip
from siltstone.codeindex.scip_summary import ScipSummary, summarize
from siltstone.core import memory
from siltstone.gitobjects.ledger import CoverageLedger

_LABELS = (
    ("documents", "documents"), ("occurrences", "occurrences"), ("definitions", "definitions"),
    ("global_definitions", "distinct global symbols defined"), ("global_symbols", "distinct global symbols used"),
    ("local_occurrences", "local occurrences"), ("symbols", "symbols described"), ("relationships", "relationships"),
    ("implementations", "of them implementations"), ("enclosing_ranges", "enclosing ranges"),
    ("external_symbols", "external symbols"), ("malformed_occurrences", "occurrences without a valid range"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a SCIP index, as an indexer writes it (not compressed)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="draw no progress")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the summary and return the exit code."""
    ledger = CoverageLedger()
    memory.reset_peak()
    start = time.perf_counter()
    with read_scip(arguments.file, ledger=ledger) as reader:
        summary = summarize(reader, progress=terminal.progress(quiet=arguments.quiet))
        metadata, irregular = reader.metadata, {one.what: one.times for one in reader.irregularities}
    elapsed, peak = time.perf_counter() - start, memory.peak_resident_bytes()
    if arguments.json:
        terminal.write(json.dumps(_as_dict(summary, metadata, irregular, ledger, elapsed, peak)))
        return 0
    for line in _lines(summary, metadata, irregular, ledger):
        terminal.write(line)
    terminal.write(f"read {render.size(summary.bytes)} in {render.seconds(elapsed)}, peak memory {render.size(peak)}")
    return 0


def _as_dict(summary: ScipSummary, metadata: ScipMetadata, irregular: dict[str, int], ledger: CoverageLedger,
             elapsed: float, peak: int) -> dict[str, Any]:
    tool = {"name": metadata.tool_name, "version": metadata.tool_version, "project_root": metadata.project_root}
    return {**summary.as_dict(), "tool": tool, "irregularities": irregular, "coverage": ledger.as_dict(),
            "seconds": round(elapsed, 6), "peak_bytes": peak}


def _lines(summary: ScipSummary, metadata: ScipMetadata, irregular: dict[str, int], ledger: CoverageLedger) -> list[str]:
    tool = f"{metadata.tool_name or 'unknown tool'} {metadata.tool_version}".rstrip()
    lines = [render.printable(f"{tool}, {metadata.project_root or 'no project root'}")]
    counts = summary.as_dict()
    lines += render.table(((label, f"{counts[name]:,}") for name, label in _LABELS), right=frozenset({1}), indent="  ")
    lines.append(f"  languages: {render.printable(render.counts(summary.languages))}")
    lines.append(f"  columns count: {render.counts(summary.encodings)}")
    if irregular:
        lines.append(f"  against the format: {render.counts(irregular)}")
    if not ledger.complete:
        lines.append(f"  not read: {render.counts({str(reason): count for reason, count in ledger.counts().items()})}")
    return lines
