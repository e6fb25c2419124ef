"""``silt scan``: search every blob of a repository's history for secrets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from siltstone import __version__
from siltstone._native.literals import variants
from siltstone.cli import render
from siltstone.cli.limits import add_memory_option
from siltstone.cli.repositories import open_repository
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import FINDINGS_EXIT, ConfigError, IncompleteError
from siltstone.core.files import write_atomically
from siltstone.detection.findings import DEFAULT_KEY
from siltstone.detection.report import as_document, iter_json_lines, table_rows
from siltstone.detection.rules import RuleSet, default_rules, load_rules
from siltstone.detection.sarif import MAX_RESULTS, as_sarif
from siltstone.detection.scan import ScanResult, scan
from siltstone.gitobjects.ledger import CoverageLedger, Reason

FORMATS = ("table", "jsonl", "json", "sarif")
KEY_VARIABLE = "SILTSTONE_FINGERPRINT_KEY"
_WEIGHTS = {"scan blobs": 0.7, "trace history": 0.3}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("repository", type=Path, metavar="REPO", help="work tree, .git folder or bare repository")
    parser.add_argument("--format", choices=FORMATS, help="what to print (default: table)")
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report to FILE instead of stdout")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="a JSON file of rules that replace our own")
    parser.add_argument("--exit-code", type=_exit_code, default=FINDINGS_EXIT, metavar="N",
                        help=f"the exit code when there are findings (default: {FINDINGS_EXIT})")
    parser.add_argument("--require-complete", action="store_true",
                        help="exit with 6 where something could not be read, findings or not")
    add_memory_option(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Scan, report, and return the exit code."""
    if arguments.json and arguments.format not in (None, "json"):
        raise ConfigError(f"--json and --format {arguments.format} exclude each other", field="format")
    chosen = "json" if arguments.json else arguments.format or "table"
    rules = load_rules(arguments.rules.read_bytes()) if arguments.rules else default_rules()
    key = terminal.environment.get(KEY_VARIABLE, "").encode() or DEFAULT_KEY
    with open_repository(arguments.repository, arguments, terminal) as database:
        result = scan(database, rules=rules, key=key, kernel=terminal.kernel_among(variants()),
                      progress=terminal.progress(weights=_WEIGHTS, quiet=arguments.quiet))
    lines = _lines(result, rules, chosen, terminal)
    if arguments.output is None:
        for line in lines:
            terminal.write(line)
        terminal.flush()
    else:
        write_atomically(arguments.output, "".join(f"{line}\n" for line in lines).encode())
    _tell(result, chosen, terminal)
    if arguments.require_complete and not result.ledger.complete:
        return IncompleteError.exit_code  # before findings: what was not read may hold more of them
    return arguments.exit_code if result.findings else 0


def _lines(result: ScanResult, rules: RuleSet, chosen: str, terminal: Terminal) -> Iterator[str]:
    if chosen == "jsonl":
        yield from iter_json_lines(result.findings)
    elif chosen == "json":
        yield json.dumps(as_document(result), ensure_ascii=False)
    elif chosen == "sarif":
        yield json.dumps(as_sarif(result.findings, rules, version=__version__, ledger=result.ledger), indent=1)
    elif result.findings:
        rows = [[render.printable(cell) for cell in row] for row in table_rows(result.findings)]
        heading, *rest = render.table(rows, right=frozenset({4}))
        yield terminal.style(heading, "bold")
        yield from rest


def _tell(result: ScanResult, chosen: str, terminal: Terminal) -> None:
    """Say on stderr what was searched, and above all what was not."""
    secrets = len({finding.fingerprint for finding in result.findings})
    terminal.note(f"{result.blobs_total:,} blobs, {render.size(result.bytes_scanned)} searched: "
                  f"{len(result.findings):,} findings of {secrets:,} secrets")
    if chosen == "sarif" and len(result.findings) > MAX_RESULTS:
        terminal.note(f"the SARIF log holds the first {MAX_RESULTS:,} of them, its limit on GitHub")
    if not result.ledger.complete:
        counts = {str(reason): count for reason, count in result.ledger.counts().items()}
        terminal.note(f"INCOMPLETE: not everything could be read: {render.counts(counts)}")
        for line in _explain(result.ledger):
            terminal.note(f"  {line}")


def _explain(ledger: CoverageLedger) -> Iterator[str]:
    counts = ledger.counts()
    if Reason.SHALLOW_BOUNDARY in counts:
        yield "this is a shallow clone: older commits were not fetched and not searched (git fetch --unshallow)"
    if Reason.MISSING in counts:
        yield "objects that the history needs are missing: what they hold was not searched (git fsck)"
    if Reason.PROMISED in counts:
        yield "this is a partial clone: what it left out was not searched (git fetch --refetch --no-filter)"
    shown: dict[Reason, int] = {}
    for gap in ledger.examples():
        shown[gap.reason] = shown.get(gap.reason, 0) + 1
        if shown[gap.reason] <= 3:
            yield render.printable(f"{gap.reason}: {gap.what} {gap.detail}".rstrip())


def _exit_code(text: str) -> int:
    code = int(text)
    if not 0 <= code <= 255:
        raise argparse.ArgumentTypeError("an exit code is 0 to 255")
    return code
