"""``silt history``: what the commits of a repository brought."""

from __future__ import annotations

import argparse
from pathlib import Path

from siltstone.cli import history_attribute, history_candidates
from siltstone.cli.limits import add_memory_option
from siltstone.cli.repositories import open_repository
from siltstone.cli.terminal import Terminal

_ACTIONS = {
    "candidates": (history_candidates, "list the blobs that commits add or change, with commit, parent, mode and path"),
    "attribute": (history_attribute, "tell which commit brought a blob first, and under which path"),
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
        action.add_argument("--require-complete", action="store_true",
                            help="exit with 6 where something could not be read")
        action.add_argument("--quiet", action="store_true", help="draw no progress")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    with open_repository(arguments.repo, arguments, terminal) as db:
        return int(_ACTIONS[arguments.action][0].run(db, arguments, terminal))
