"""``silt history candidates``: every blob a commit adds or changes, one a line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.outputs import STREAM, open_output
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import IncompleteError
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.ordered_map import check_threads

if TYPE_CHECKING:
    from siltstone.gitobjects.candidates import CandidateBlock
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase

_WEIGHTS = {"compare commits": 1.0}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("--merges", choices=("first-parent", "all-parents"), default="first-parent",
                        help="compare merges with their first parent, or with each (default: first-parent)")
    parser.add_argument("--ref", action="append", metavar="REF", help="start here, not at every reference; may be repeated")
    parser.add_argument("--since", metavar="REV", help="leave out what REV reaches")
    parser.add_argument("--format", choices=("jsonl", "raw"), default="jsonl",
                        help="JSON Lines, or lines like those of git: commit, parent, change, mode, blob, path")
    parser.add_argument("--output", metavar="FILE", default=STREAM, help="write to FILE, which must not exist, not to stdout")
    parser.add_argument("--threads", type=int, metavar="N", help="how many threads compare (default: one a processor)")
    parser.add_argument("--stats", action="store_true", help="print counters on stderr")


def run(db: ObjectDatabase, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the rows and return the exit code."""
    from siltstone.gitobjects.candidates import iter_candidate_lines, iter_candidates

    if arguments.threads is not None:
        check_threads(arguments.threads)
    metrics = Metrics() if arguments.stats else NO_METRICS
    progress = terminal.progress(weights=_WEIGHTS, quiet=arguments.quiet)
    history = _history(db, arguments)
    common = {"merges": arguments.merges, "threads": arguments.threads, "progress": progress, "metrics": metrics}
    with open_output(arguments.output, force=False) as out:
        if arguments.format == "jsonl":
            for text in iter_candidate_lines(db, history, **common):
                out.write(text)
        else:
            for block in iter_candidates(db, history, **common):
                out.writelines(_raw_lines(block))
    progress.finish()
    return _tell(db, metrics, arguments, terminal)


def _history(db: ObjectDatabase, arguments: argparse.Namespace) -> CommitHistory:
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_names import resolve_name

    tips = None if arguments.ref is None else [resolve_name(db, name) for name in arguments.ref]
    exclude = () if arguments.since is None else [resolve_name(db, arguments.since)]
    return CommitHistory.load(db, tips, exclude=exclude)


def _raw_lines(block: CandidateBlock) -> Iterator[bytes]:
    from siltstone.gitobjects.path_names import quote_path

    none = "0" * (2 * block.id_size)
    for row in range(len(block)):
        found = block.candidate(row)
        parent = none if found.parent is None else found.parent.hex()
        head = f"{found.commit.hex()} {parent} {found.change.name[0]} {found.mode:06o} {found.blob.hex()}\t"
        yield head.encode() + quote_path(found.path) + b"\n"


def _tell(db: ObjectDatabase, metrics: Metrics, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say on stderr what was left out; return the exit code."""
    if arguments.stats:
        told = metrics.as_dict()
        for name, count in sorted({**told["counts"], **told["peak_bytes"]}.items()):
            terminal.note(f"{name} {count:,}")
    if not db.ledger.complete:
        counts = {str(reason): count for reason, count in db.ledger.counts().items()}
        terminal.note(f"INCOMPLETE: not everything could be read: {render.counts(counts)}")
        if arguments.require_complete:
            return IncompleteError.exit_code
    return 0
