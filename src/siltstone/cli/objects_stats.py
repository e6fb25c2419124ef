"""``silt objects stats``: how many objects a repository holds, how large they are, how they are packed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.cli import render
from siltstone.cli.outputs import shown
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import CorruptDataError

if TYPE_CHECKING:
    from siltstone.gitobjects.object_database import ObjectDatabase
    from siltstone.gitobjects.object_stats import ObjectStats

_WEIGHTS = {"count": 1.0}
_MOST_FILES = 10  # told one by one; --json tells all


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("--chains", action="store_true", help="tell how many objects there are at each length of a delta chain")


def run(db: ObjectDatabase, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the counts and return the exit code: 2 where something could not be read."""
    from siltstone.gitobjects.object_stats import count_objects

    progress = terminal.progress(weights=_WEIGHTS, quiet=arguments.quiet)
    stats = count_objects(db, progress=progress)
    progress.finish()
    if arguments.json:
        terminal.write(json.dumps(stats.as_dict()))
    else:
        for line in _describe(stats, chains=arguments.chains):
            terminal.write(line)
    if stats.ledger.complete:
        return 0
    counts = {str(reason): count for reason, count in stats.ledger.counts().items()}
    terminal.note(f"INCOMPLETE: not everything could be read: {render.counts(counts)}")
    for gap in stats.ledger.examples():
        terminal.note(f"  {gap.reason}: {gap.what} {gap.detail}".rstrip())
    return CorruptDataError.exit_code


def _describe(stats: ObjectStats, *, chains: bool) -> Iterator[str]:
    rows = [("kind", "objects", "content", "on disk", "deltas")]
    rows += [
        (name, f"{told.objects:,}", render.size(told.content_bytes), render.size(told.disk_bytes), f"{told.deltas:,}")
        for name, told in [*((kind.name.lower(), told) for kind, told in stats.kinds.items()), ("all", stats.total)]
    ]
    yield from render.table(rows, right=frozenset({1, 2, 3, 4}))
    yield ""
    packed = sum(pack.objects for pack in stats.packs)
    longest = max((pack.longest_chain for pack in stats.packs), default=0)
    places = [
        ("packs", f"{len(stats.packs):,} with {packed:,} objects in {render.size(sum(p.disk_bytes for p in stats.packs))}, "
                  f"delta chains up to {longest:,}, {_mean(stats):.1f} in the mean"),
        ("loose", f"{stats.loose_objects:,} in {render.size(stats.loose_bytes)}, {stats.loose_also_packed:,} packed as well"),
        ("copies", f"{stats.repeated:,} of objects that another source holds"),
        ("folders", ", ".join(shown(str(path)) for path in stats.folders)),
        ("format", ", ".join([stats.algorithm, *(["partial clone"] if stats.partial else []),
                              *(["shallow clone"] if stats.shallow else [])])),
    ]
    yield from render.table(places)
    yield from _files("faster by", [path for path, _ in stats.accelerators])
    yield from _files("garbage", stats.garbage)
    if chains:
        yield ""
        counted = [(str(length), f"{count:,}") for length, count in sorted(stats.chains.items())]
        yield from render.table([("chain", "objects"), *counted], right=frozenset({0, 1}))


def _mean(stats: ObjectStats) -> float:
    return sum(length * count for length, count in stats.chains.items()) / max(1, sum(pack.objects for pack in stats.packs))


def _files(heading: str, paths: list[Path]) -> Iterator[str]:
    for path in paths[:_MOST_FILES]:
        yield f"{heading:9}{shown(str(path))}"
    if len(paths) > _MOST_FILES:
        yield f"{heading:9}{len(paths) - _MOST_FILES:,} more"
