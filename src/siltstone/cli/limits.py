"""What ``--max-memory-mb`` means, in every command that has it: one bound for everything that grows with the input."""

from __future__ import annotations

import argparse

from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import ConfigError

_OPTION = "--max-memory-mb"
_FEWEST_MB = 16  # below this not even one block of objects and its bases fit beside the tables of a small repository


def add_memory_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--max-memory-mb`` to a command."""
    parser.add_argument(_OPTION, type=int, metavar="N",
                        help="a bound in MiB for all that grows with the repository together, beside about 60 for the program")


def budget_of(arguments: argparse.Namespace) -> Budget:
    """Return the budget that the command was given; without the option every name has its own default.

    Raises ConfigError where the bound is too small to work in.
    """
    limit_mb: int | None = arguments.max_memory_mb
    if limit_mb is None:
        return Budget()
    if limit_mb < _FEWEST_MB:
        raise ConfigError(f"at least {_FEWEST_MB} are needed, got {limit_mb}", field=_OPTION)
    return Budget(total_bytes=limit_mb * MIB)
