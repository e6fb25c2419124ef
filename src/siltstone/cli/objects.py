"""``silt objects``: the objects of a repository: what there is, what one holds, whether all of it is sound."""

from __future__ import annotations

import argparse
from pathlib import Path

from siltstone.cli import objects_cat, objects_stats, objects_verify
from siltstone.cli.limits import add_memory_option
from siltstone.cli.repositories import open_repository
from siltstone.cli.terminal import Terminal

_ACTIONS = {
    "stats": (objects_stats, "tell how many objects there are, how large, how packed"),
    "cat": (objects_cat, "print objects, their types or sizes, as git cat-file does"),
    "verify": (objects_verify, "hold every object to its id and every file to its checksums"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command, and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (module, summary) in _ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument("--repo", type=Path, metavar="PATH", default=Path(),
                            help="work tree, .git folder or bare repository (default: here)")
        module.configure(action)
        add_memory_option(action)
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.add_argument("--quiet", action="store_true", help="draw no progress")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    with open_repository(arguments.repo, arguments, terminal) as db:
        return int(_ACTIONS[arguments.action][0].run(db, arguments, terminal))
