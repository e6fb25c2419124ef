"""``silt history candidates``: every blob a commit adds or changes, one a line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.outputs import STREAM, open_output
from siltstone.cli.repositories import find_commit
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError, IncompleteError
from siltstone.core.metrics import Metrics
from siltstone.core.ordered_map import check_threads
from siltstone.core.progress import Progress

if TYPE_CHECKING:
    from siltstone.gitobjects.candidates import CandidateBlock, Merges
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase

_WEIGHTS = {"compare commits": 1.0}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("--merges", choices=("first-parent", "all-parents"), default="first-parent",
                        help="compare merges with their first parent, or with each (default: first-parent)")
    parser.add_argument("--ref", action="append", metavar="REV",
                        help="start at this commit, branch or tag, not at every reference; may be repeated")
    parser.add_argument("--since", metavar="REV", help="leave out the commits that REV reaches, REV itself included")
    parser.add_argument("--first-parent", action="store_true",
                        help="follow only first parents, and compare merges with these, as git log --first-parent")
    parser.add_argument("--unique", action="store_true", help="one row for each blob: where it came first")
    parser.add_argument("--format", choices=("jsonl", "raw"), default="jsonl",
                        help="JSON Lines, or as text: commit, parent, A or M, mode, blob, path (default: jsonl)")
    parser.add_argument("--output", metavar="FILE", default=STREAM, help="write to FILE, whole or not at all, not to stdout")
    parser.add_argument("--force", action="store_true", help="replace an existing FILE")
    parser.add_argument("--threads", type=int, metavar="N", help="how many threads compare (default: one a processor)")
    parser.add_argument("--stats", action="store_true", help="print counters on stderr")
    parser.add_argument("--json", action="store_true", help="after the rows print a summary as one JSON object; errors too")


def run(db: ObjectDatabase, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the rows and return the exit code."""
    if arguments.threads is not None:
        check_threads(arguments.threads)
    if arguments.json and arguments.format == "raw" and arguments.output == STREAM:
        raise ConfigError("standard output holds lines that are no JSON: choose a file with --output", field="json")
    metrics = Metrics()
    progress = terminal.progress(weights=_WEIGHTS, quiet=arguments.quiet)
    with open_output(arguments.output, force=arguments.force) as out:
        history = _history(db, arguments)
        rows = 0
        with closing(_texts(db, history, arguments, progress, metrics)) as texts:
            for count, text in texts:
                out.write(text)
                rows += count
    progress.finish()
    return _tell(db, {"commits": len(history), "rows": rows}, metrics, arguments, terminal)


def _history(db: ObjectDatabase, arguments: argparse.Namespace) -> CommitHistory:
    from siltstone.gitobjects.commits import CommitHistory

    tips = None if arguments.ref is None else [find_commit(db, name) for name in arguments.ref]
    exclude = () if arguments.since is None else [find_commit(db, arguments.since)]
    return CommitHistory.load(db, tips, exclude=exclude, first_parent=arguments.first_parent)


def _texts(
    db: ObjectDatabase, history: CommitHistory, arguments: argparse.Namespace, progress: Progress, metrics: Metrics
) -> Generator[tuple[int, bytes], None, None]:
    """Yield how many rows, and these as text."""
    from siltstone.gitobjects.candidate_contexts import canonical_contexts
    from siltstone.gitobjects.candidates import iter_candidate_lines, iter_candidates

    merges: Merges = "first-parent" if arguments.first_parent else arguments.merges
    threads: int | None = arguments.threads
    if arguments.format == "jsonl" and not arguments.unique:
        lines = iter_candidate_lines(db, history, merges=merges, threads=threads, progress=progress, metrics=metrics)
        with closing(lines):
            for text in lines:
                yield text.count(b"\n"), text
        return
    find = canonical_contexts if arguments.unique else iter_candidates
    with closing(find(db, history, merges=merges, threads=threads, progress=progress, metrics=metrics)) as blocks:
        for block in blocks:
            yield len(block), block.lines() if arguments.format == "jsonl" else b"".join(_raw_lines(block))


def _raw_lines(block: CandidateBlock) -> Iterator[bytes]:
    from siltstone.gitobjects.path_names import quote_path

    none = "0" * (2 * block.id_size)
    for row in range(len(block)):
        found = block.candidate(row)
        parent = none if found.parent is None else found.parent.hex()
        head = f"{found.commit.hex()} {parent} {found.change.name[0]} {found.mode:06o} {found.blob.hex()}\t"
        yield head.encode() + quote_path(found.path) + b"\n"


def _tell(
    db: ObjectDatabase, totals: dict[str, int], metrics: Metrics, arguments: argparse.Namespace, terminal: Terminal
) -> int:
    """Say what was counted and what was left out; return the exit code."""
    if arguments.json:
        terminal.write(json.dumps({"summary": {**totals, "coverage": db.ledger.as_dict()}}))
    if arguments.stats:
        told = metrics.as_dict()
        for line in _counters({**told["counts"], **told["peak_bytes"]}.items()):
            terminal.note(line)
    if not db.ledger.complete:
        counts = {str(reason): count for reason, count in db.ledger.counts().items()}
        terminal.note(f"INCOMPLETE: not everything could be read: {render.counts(counts)}")
        if arguments.require_complete:
            return IncompleteError.exit_code
    return 0


def _counters(counts: Iterable[tuple[str, int]]) -> Iterator[str]:
    return (f"{name} {count:,}" for name, count in sorted(counts))
