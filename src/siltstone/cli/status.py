"""``silt status``: which kernels run, and which libraries they found."""

from __future__ import annotations

import argparse
import json
import platform

from siltstone import __version__
from siltstone.cli.terminal import Terminal
from siltstone.native import native_status


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the status and return the exit code."""
    status = {"version": __version__, "python": platform.python_version(), **native_status(terminal.kernel)}
    if arguments.json:
        terminal.write(json.dumps(status))
        return 0
    for name, value in status.items():
        terminal.write(f"{name:12} {_shown(value)}".rstrip())
    return 0


def _shown(value: object) -> str:
    """Return names with commas between; of a mapping those that hold, with what is said of them."""
    if isinstance(value, dict):
        return ", ".join(name if said is True else f"{name}: {said}" for name, said in value.items() if said) or "-"
    return ", ".join(value) if isinstance(value, list) else str(value)
