"""``silt index``: the entities and relations of a folder or repository, as a summary or as lines of JSON."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from siltstone.codeindex.build import SourceFile
    from siltstone.codeindex.summary import IndexSummary
    from siltstone.gitobjects.ledger import CoverageLedger

_WEIGHTS = {"extract": 60, "resolve": 20, "write": 20}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("path", metavar="PATH", type=Path, nargs="?", default=Path("."),
                        help="a work tree, a bare repository (its HEAD), or a plain folder (default: here)")
    parser.add_argument("--scip", type=Path, metavar="FILE", help="a SCIP index (default: index.scip at the root, if any)")
    parser.add_argument("--repo-id", metavar="ID", help="first field of every key (default: the name of the folder)")
    parser.add_argument("--format", choices=("summary", "ndjson"), default="summary", help="what to print")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    parser.add_argument("--workers", type=int, metavar="N", help="extracting processes (default: one a CPU)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Index, print, and return the exit code."""
    from siltstone.codeindex.build import index_repository
    from siltstone.codeindex.entities import MemorySink
    from siltstone.codeindex.sinks import NdjsonSink
    from siltstone.gitobjects.ledger import CoverageLedger

    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigError(f"at least 1, got {arguments.workers}", field="--workers")
    if not arguments.path.exists():
        raise NotFoundError("no such folder", name=str(arguments.path))
    lines = arguments.format == "ndjson" and not arguments.json
    ledger = CoverageLedger()
    with _opened(arguments.path.resolve(), ledger) as (root, files, read):
        found_scip = root / "index.scip"
        summary = index_repository(
            files, read, NdjsonSink(terminal.write) if lines else MemorySink(), repo_id=arguments.repo_id or root.name,
            scip=arguments.scip or (found_scip if found_scip.is_file() else None),
            workers=arguments.workers or os.cpu_count() or 1, ledger=ledger,
            progress=terminal.progress(weights=_WEIGHTS, quiet=arguments.quiet),
        )
    terminal.end_progress()
    if arguments.json:
        terminal.write(json.dumps({**summary.as_dict(), "coverage": ledger.as_dict()}))
    elif not lines:
        for line in _describe(summary, ledger):
            terminal.write(line)
    return 0


Read = Callable[["SourceFile"], bytes | None]


@contextmanager
def _opened(root: Path, ledger: CoverageLedger) -> Iterator[tuple[Path, list[SourceFile], Read]]:
    """Give the root, its files and how to read them: what git tracks, or in a plain folder what no .gitignore excludes."""
    from siltstone.codeindex.build import SourceFile
    from siltstone.gitobjects.folder_reader import FolderReader
    from siltstone.gitobjects.object_database import ObjectDatabase
    from siltstone.gitobjects.worktree import WorkTree

    try:
        database = ObjectDatabase.open(root, ledger=ledger)
    except NotFoundError:
        folder = FolderReader(root, ledger)
        try:
            sizes = {path: status.st_size for path, status in folder.walk(root / ".git" / "info" / "exclude", frozenset())}
            yield root, [SourceFile(*one) for one in sizes.items()], lambda file: folder.read(file.path, _FILE_LIMIT)
        finally:
            folder.close()
        return
    with database, WorkTree(database) as tree:
        files = {file.path: file for file in tree.list_files()}
        top = database.work_tree or database.git_dir
        yield top, [SourceFile(file.path, file.size) for file in files.values()], lambda file: tree.read(files[file.path])


_FILE_LIMIT = 32 << 20  # bytes of one file, as the budget "file"


def _describe(summary: IndexSummary, ledger: CoverageLedger) -> Iterator[str]:
    uses = summary.resolved + summary.unresolved
    languages = {name: count for name, count in summary.languages.items() if name}
    rows = [
        ("files", f"{summary.files:,}  {render.counts(languages)}"),
        ("entities", f"{summary.entities:,}  {render.counts(summary.entities_by_kind)}"),
        ("relations", f"{summary.edges:,}  {render.counts(summary.edges_by_kind)}"),
        ("resolved", f"{summary.resolved:,} of {uses:,} uses of names"),
        ("unresolved", render.counts(summary.unresolved_by_kind)),
        ("scip", f"{summary.files_from_scip:,} files"),
        ("syntax errors", f"{summary.files_with_syntax_errors:,} files, used as far as they parse"),
    ]
    yield from render.table(rows)
    for reason, count in ledger.counts().items():
        yield f"not read: {count:,} {reason}"
