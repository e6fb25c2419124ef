"""``silt ingest``: one repository through every layer, and a summary that a person likes to read."""

from __future__ import annotations

import argparse
import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.limits import add_memory_option, budget_of
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from siltstone.gitobjects.clone import Credentials
    from siltstone.ingestion.summary import IngestSummary

# Shares of the bar, in the order the stages run; measured on Django 5.2 and on git.
_WEIGHTS = {"scan blobs": 15, "trace history": 15, "list": 3, "extract": 40, "resolve": 9, "write": 9, "commit": 9}
_FETCH_WEIGHT = 40
_MISSING_EXAMPLES = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("repository", metavar="PATH|URL", nargs="?", default=".",
                        help="a work tree, a bare repository, or a URL to fetch (default: here)")
    parser.add_argument("--output", type=Path, metavar="DIR",
                        help="folder of the store (default: .siltstone in the work tree; needed for bare and URL)")
    parser.add_argument("--repo-id", metavar="ID", help="first field of every key (default: the name of the folder)")
    parser.add_argument("--scip", type=Path, metavar="FILE", help="a SCIP index (default: index.scip at the root, if any)")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="rules for secrets in place of the built-in ones (JSON)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes for the syntax extractor (default: one a CPU)")
    add_memory_option(parser)
    parser.add_argument("--require-complete", action="store_true", help="exit 6, and keep nothing, if anything was not read")
    parser.add_argument("--credentials-file", type=Path, metavar="FILE",
                        help="two lines, user name and secret, for a URL; else SILTSTONE_USER and SILTSTONE_SECRET")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Ingest, print the summary, and return the exit code."""
    from siltstone._native.literals import variants
    from siltstone.detection.rules import load_rules
    from siltstone.gitobjects.clone import is_url
    from siltstone.ingestion import ingest

    weights = {"fetch": _FETCH_WEIGHT, **_WEIGHTS} if is_url(arguments.repository) else _WEIGHTS
    summary = ingest(
        arguments.repository, output=arguments.output, repo_id=arguments.repo_id, scip=arguments.scip,
        rules=load_rules(arguments.rules.read_bytes()) if arguments.rules else None,
        workers=arguments.workers, kernel=terminal.kernel_among(variants()), require_complete=arguments.require_complete,
        credentials=_credentials(arguments, terminal), budget=budget_of(arguments),
        progress=terminal.progress(weights=weights, quiet=arguments.quiet),
    )
    if arguments.json:
        terminal.write(json.dumps(summary.as_dict()))
    else:
        for line in describe(summary, terminal):
            terminal.write(line)
    return 0


def _credentials(arguments: argparse.Namespace, terminal: Terminal) -> Credentials:
    def give(_url: str) -> tuple[str, str] | None:
        if arguments.credentials_file:
            lines = arguments.credentials_file.read_text("utf-8").splitlines()
            if len(lines) < 2:
                raise ConfigError("two lines are expected: user name and secret", field="--credentials-file")
            return lines[0], lines[1]
        secret = terminal.environment.get("SILTSTONE_SECRET")
        return (terminal.environment.get("SILTSTONE_USER", getpass.getuser()), secret) if secret else None

    return give


def describe(summary: IngestSummary, terminal: Terminal) -> Iterator[str]:
    """Yield the summary as lines."""
    code, history = summary.code, summary.history
    head = f"at {summary.head[:12]}" if summary.head else "no commit yet"
    name = render.printable(summary.repo_id)
    yield f"{terminal.style(name, 'bold')}  {head}, {summary.object_format}"
    yield ""
    rows = [("files", f"{code.files:,}{_reused(code.files_reused)}"), ("", render.counts(code.languages))]
    if code.files_from_scip:
        rows.append(("", f"{code.files_from_scip:,} from the SCIP index"))
    if code.files_with_syntax_errors:
        rows.append(("", f"{code.files_with_syntax_errors:,} with syntax errors, used as far as they parse"))
    rows += [
        ("entities", f"{sum(code.entities.values()):,}"), ("", render.counts(code.entities)),
        ("relations", f"{sum(code.relations.values()):,}"), ("", render.counts(code.relations)),
        ("names", f"{code.resolved_uses:,} uses resolved, {code.unresolved_uses:,} unresolved"
                  f" ({code.resolved_share:.0%} resolved; the rest is kept, never guessed)"),
        ("objects", f"{render.number(history.commits, 'commit')}, {render.number(history.blobs, 'blob')}:"
                    f" {history.blobs_scanned:,} scanned now ({render.size(history.bytes_scanned)})"
                    f"{_reused(history.blobs_reused)}"),
    ]
    yield from render.table([row for row in rows if any(row)], indent="  ")
    yield from _findings(summary, terminal)
    yield from _coverage(summary, terminal)
    yield ""
    stages = [(stage.name, render.seconds(stage.seconds), render.size(stage.peak_bytes)) for stage in summary.stages]
    total = ("total", render.seconds(summary.seconds), render.size(summary.peak_bytes))
    yield from render.table([("stage", "time", "peak memory"), *stages, total], right=frozenset({1, 2}), indent="  ")
    yield ""
    state = "unchanged" if summary.unchanged else "written"
    yield f"  graph {summary.graph_digest[:16]} {state} in {render.printable(summary.store)}"


def _reused(count: int) -> str:
    return f", {count:,} re-used" if count else ""


def _findings(summary: IngestSummary, terminal: Terminal) -> Iterator[str]:
    found = summary.history.findings
    if not found:
        yield "  secrets    none found"
        return
    total = sum(found.values())
    yield f"  {terminal.style('secrets', 'red')}    {total:,} found: {render.counts(found)}"
    yield f"             see them: silt scan {render.printable(summary.repository)}"


def _coverage(summary: IngestSummary, terminal: Terminal) -> Iterator[str]:
    coverage = summary.coverage
    if coverage["complete"]:
        yield "  not read   nothing was left out"
        return
    yield f"  {terminal.style('not read', 'yellow')}   {render.counts(coverage['counts'])}"
    shown: dict[str, int] = {}
    for gap in coverage["examples"]:
        shown[gap["reason"]] = shown.get(gap["reason"], 0) + 1
        if shown[gap["reason"]] <= _MISSING_EXAMPLES:
            detail = f" ({gap['detail']})" if gap["detail"] else ""
            yield render.printable(f"             {gap['reason']}: {gap['what']}{detail}")
