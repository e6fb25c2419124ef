"""``silt history attribute``: which commit brought a blob, and under which path."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.outputs import STREAM, open_output
from siltstone.cli.repositories import find_commit
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import IncompleteError, NotFoundError, SiltstoneError

if TYPE_CHECKING:
    from siltstone.gitobjects.ids import ObjectId
    from siltstone.gitobjects.object_database import ObjectDatabase


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("blobs", metavar="BLOB", nargs="+", help="an id, a short id, or REV:path")
    parser.add_argument("--ref", action="append", metavar="REF", help="start here, not at every reference; may be repeated")
    parser.add_argument("--since", metavar="REV", help="leave out the commits that this revision reaches")
    parser.add_argument("--first-parent", action="store_true", help="follow only the first parents from where it starts")
    parser.add_argument("--threads", type=int, metavar="N", help="how many threads read trees (default: one a processor)")
    parser.add_argument("--json", action="store_true", help="after the rows print a summary as one JSON object; errors too")


def run(db: ObjectDatabase, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print one JSON object a line for each blob, in order of their ids; exit code 1 where a commit has none of them."""
    from siltstone.core.ordered_map import check_threads
    from siltstone.gitobjects.attribution import attribute
    from siltstone.gitobjects.object_names import resolve_name
    from siltstone.gitobjects.path_names import path_fields

    if arguments.threads is not None:
        check_threads(arguments.threads)
    blobs = {resolve_name(db, name) for name in arguments.blobs}
    tips = None if arguments.ref is None else [find_commit(db, name) for name in arguments.ref]
    progress = terminal.progress(weights={"objects": 1.0}, quiet=arguments.quiet)
    exclude = [] if arguments.since is None else [find_commit(db, arguments.since)]
    found = attribute(
        db, blobs, tips=tips, exclude=exclude, first_parent=arguments.first_parent, threads=arguments.threads,
        progress=progress)
    progress.finish()
    with open_output(STREAM, force=True) as out:
        for blob, context in found.items():
            fields = {"blob": blob.hex(), "commit": context.commit.hex(), **path_fields(context.path)}
            out.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n")
    if arguments.json:
        totals = {"blobs": len(blobs), "found": len(found)}
        terminal.write(json.dumps({"summary": {**totals, "coverage": db.ledger.as_dict()}}))
    for blob in sorted(blobs - found.keys()):
        terminal.note(f"{blob.hex()} {_why_absent(db, blob)}")
    if not db.ledger.complete:
        counts = {str(reason): count for reason, count in db.ledger.counts().items()}
        terminal.note(f"INCOMPLETE: not everything could be read: {render.counts(counts)}")
        if arguments.require_complete:
            return IncompleteError.exit_code
    return NotFoundError.exit_code if blobs - found.keys() else 0


def _why_absent(db: ObjectDatabase, oid: ObjectId) -> str:
    from siltstone.gitobjects.ids import Kind

    try:
        kind = db.header(oid)[0]
    except SiltstoneError:  # promised, damaged or too large: it may be a blob all the same
        kind = Kind.BLOB
    return "is in no commit" if kind is Kind.BLOB else f"is a {kind.name.lower()}, not a blob"
