"""``silt objects verify``: whether every file and every object of a repository is sound."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.outputs import shown
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import CorruptDataError
from siltstone.core.ordered_map import check_threads

if TYPE_CHECKING:
    from siltstone.gitobjects.object_database import ObjectDatabase

_WEIGHTS = {"files": 0.1, "objects": 0.9}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("--links", action="store_true", help="check as well that all that objects and references name is there")
    parser.add_argument("--threads", type=int, metavar="N", help="threads that decode and hash (default: one a processor)")


def run(db: ObjectDatabase, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Verify, tell the problems, and return the exit code: 2 where there are any."""
    from siltstone.gitobjects.verify import verify_objects

    if arguments.threads is not None:
        check_threads(arguments.threads)
    progress = terminal.progress(weights=_WEIGHTS, quiet=arguments.quiet)
    report = verify_objects(db, links=arguments.links, threads=arguments.threads, progress=progress)
    progress.finish()
    if arguments.json:
        terminal.write(json.dumps(report.as_dict()))
    else:
        for problem in report.problems:
            terminal.write(shown(f"{problem.place}: {problem.what}"))
        checked = "files, objects and links" if arguments.links else "files and objects"
        terminal.note(f"{report.objects:,} objects of {render.size(report.content_bytes)} and {report.files:,} files checked, "
                      f"{report.problem_count:,} problems in {checked}")
        if report.promised:
            terminal.note(f"{report.promised:,} objects are not here on purpose: this is a partial clone")
        if report.oversize:
            terminal.note(f"INCOMPLETE: {report.oversize:,} objects are larger than the budget and were not checked")
    return 0 if report.sound else CorruptDataError.exit_code
