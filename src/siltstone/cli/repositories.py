"""Opens the repository a command was given, with what git's environment adds to it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.cli.limits import budget_of
from siltstone.cli.terminal import Terminal

if TYPE_CHECKING:
    from siltstone.gitobjects.ids import ObjectId
    from siltstone.gitobjects.object_database import ObjectDatabase

_ALTERNATES = "GIT_ALTERNATE_OBJECT_DIRECTORIES"


def open_repository(path: Path, arguments: argparse.Namespace, terminal: Terminal) -> ObjectDatabase:
    """Return the objects of *path* within ``--max-memory-mb``, those of ``GIT_ALTERNATE_OBJECT_DIRECTORIES`` beside them."""
    from siltstone.gitobjects.alternates import split_alternates
    from siltstone.gitobjects.object_database import ObjectDatabase

    listed = os.fsencode(terminal.environment.get(_ALTERNATES, ""))
    alternates = [Path(os.fsdecode(name)) for name in split_alternates(listed, os.fsencode(os.pathsep))]
    return ObjectDatabase.open(path, budget=budget_of(arguments), alternates=alternates)


def find_commit(db: ObjectDatabase, name: str) -> ObjectId:
    """Return the commit that *name* leads to. Raises NotFoundError where there is none, as for the name of a file."""
    from siltstone.gitobjects.ids import Kind
    from siltstone.gitobjects.object_names import peel, resolve_name

    return peel(db, resolve_name(db, name), Kind.COMMIT)
