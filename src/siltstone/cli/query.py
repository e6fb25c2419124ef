"""``silt query``: who implements it, what breaks with it, where is a cycle."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from siltstone.cli.terminal import Terminal
from siltstone.codeindex.entities import EdgeKind, EntityKind
from siltstone.codeindex.keys import format_key
from siltstone.core.errors import ConfigError, NotFoundError
from siltstone.graph.model import Cycles, EntityRow, Hit, Reach
from siltstone.graph.queries import BLAST_KINDS, DEFAULT_DEPTH, NO_LIMIT, Graph
from siltstone.graph.schema import DATABASE_NAME

_LIMIT = 1_000  # hits that are printed unless --limit says otherwise
_SHOWN_MEMBERS = 8  # of a cycle beside its path; --json shows all
_SHOWN_CANDIDATES = 30


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the questions and their options."""
    questions = parser.add_subparsers(dest="question", metavar="QUESTION", required=True)
    implements = questions.add_parser("implements", help="who implements or extends NAME")
    implements.add_argument("--transitive", action="store_true", help="also who extends those, at any distance")
    blast = questions.add_parser("blast-radius", help="what a change of NAME may break")
    blast.add_argument("--depth", type=_count, default=DEFAULT_DEPTH, metavar="N",
                       help=f"edges to follow (default {DEFAULT_DEPTH})")
    blast.add_argument("--kind", action="append", choices=[kind.label for kind in BLAST_KINDS],
                       help="follow only this kind of edge; may be given several times (default: all of these)")
    cycles = questions.add_parser("cycles", help="import cycles between files, or cycles over another kind of edge")
    cycles.add_argument("--kind", default=EdgeKind.IMPORTS.label, choices=[kind.label for kind in EdgeKind],
                        help="the kind of edge (default imports)")
    what = "a name or its end, a path or its end, PATH::NAME, or a key"
    cycles.add_argument("name", metavar="NAME", nargs="?", help=f"only cycles through it: {what}")
    for question in (implements, blast, cycles):
        if question is not cycles:
            question.add_argument("name", metavar="NAME", help=what)
        question.add_argument("--in", dest="within", default="", metavar="PATH", help="NAME stands in this file or folder")
    for question in (implements, blast):
        question.add_argument("--limit", type=_count, default=_LIMIT, metavar="N",
                              help=f"entities to print (default {_LIMIT:,})")
    for question in (implements, blast, cycles):
        place = question.add_mutually_exclusive_group()
        place.add_argument("--repo", type=Path, default=Path(), metavar="PATH", help="work tree, or a folder in it")
        place.add_argument("--output", type=Path, metavar="DIR", help="the folder that `silt ingest --output` filled")
        question.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Answer the question and return the exit code."""
    with Graph.open(_database(arguments)) as graph:
        if arguments.question == "cycles" and arguments.name is None:
            return _answer_cycles(graph, None, arguments, terminal)
        found = graph.resolve(arguments.name, within=arguments.within)
        if len(found) > 1:
            return _report_ambiguous(arguments, terminal, found)
        if not found:
            raise _unknown(graph, arguments)
        if arguments.question == "cycles":
            return _answer_cycles(graph, found[0], arguments, terminal)
        reach = _ask(graph, found[0], arguments)
        _print(terminal, arguments, graph, {"entity": found[0].as_dict(), **reach.as_dict()},
               _reach_lines(found[0], reach, arguments, terminal))
        return 0


def _answer_cycles(graph: Graph, entity: EntityRow | None, arguments: argparse.Namespace, terminal: Terminal) -> int:
    cycles = graph.cycles(EdgeKind[arguments.kind.upper()])
    if entity is not None:
        cycles = cycles.through(entity)
    _print(terminal, arguments, graph, cycles.as_dict(), _cycle_lines(cycles, terminal))
    return 0


def _database(arguments: argparse.Namespace) -> Path:
    output: Path | None = arguments.output
    if output is None:
        repository: Path = arguments.repo
        return repository
    return output / DATABASE_NAME if output.name != DATABASE_NAME else output


def _ask(graph: Graph, entity: EntityRow, arguments: argparse.Namespace) -> Reach:
    if arguments.question == "implements":
        return graph.implements(entity, transitive=arguments.transitive, limit=arguments.limit)
    kinds = [EdgeKind[name.upper()] for name in arguments.kind] if arguments.kind else BLAST_KINDS
    return graph.blast_radius(entity, kinds=kinds, depth=arguments.depth, limit=arguments.limit)


def _print(
    terminal: Terminal, arguments: argparse.Namespace, graph: Graph, answer: dict[str, Any], lines: Iterable[str]
) -> None:
    if arguments.json:
        terminal.write(json.dumps({"question": arguments.question, "graph": graph.digest, **answer}))
        return
    for line in lines:
        terminal.write(line)


def _unknown(graph: Graph, arguments: argparse.Namespace) -> NotFoundError:
    elsewhere = graph.resolve(arguments.name) if arguments.within else []
    if elsewhere:
        return NotFoundError(f"not in {arguments.within}, but in {elsewhere[0].place}", name=arguments.name)
    near = ", ".join(printable(name) for name in graph.suggest(arguments.name))
    return NotFoundError("no entity of that name" + (f" (did you mean {near}?)" if near else ""), name=arguments.name)


def _report_ambiguous(arguments: argparse.Namespace, terminal: Terminal, found: Sequence[EntityRow]) -> int:
    """List what the name may mean; the code is that of a wrong call."""
    code = ConfigError.exit_code
    message = f"{arguments.name} may mean {len(found):,} entities: give a key, PATH::NAME, or --in PATH"
    if arguments.json:
        candidates = [row.as_dict() for row in found]
        terminal.write(json.dumps({"error": {
            "code": "ambiguous", "message": message, "candidates": candidates, "exit_code": code,
        }}))
    else:
        for row in found[:_SHOWN_CANDIDATES]:
            terminal.note(f"  {format_key(row.key)}  {_place(row)}  {_title(row)}")
        if len(found) > _SHOWN_CANDIDATES:
            terminal.note(f"  … and {len(found) - _SHOWN_CANDIDATES:,} more")
    terminal.note(f"silt: {message}")
    return code


def _reach_lines(entity: EntityRow, reach: Reach, arguments: argparse.Namespace, terminal: Terminal) -> Iterable[str]:
    members = len(reach.seeds) - 1
    counted = f"  with {members:,} member{'s' * (members != 1)}" if members else ""
    yield terminal.style(_title(entity), "bold") + f"  {_place(entity)}{counted}"
    for distance, hits in groupby(reach.hits, key=lambda hit: hit.distance):
        group = sorted(hits, key=lambda hit: (hit.entity.path, hit.entity.line, hit.entity.name, hit.entity.key))
        yield ""
        yield terminal.style(f"distance {distance}", "cyan")
        width = min(60, max(len(_place(hit.entity)) for hit in group))
        yield from (_hit_line(hit, width, terminal) for hit in group)
    yield ""
    files = len({hit.entity.path for hit in reach.hits})
    verb = "implement or extend it" if arguments.question == "implements" else "may break"
    yield f"{len(reach.hits):,} {'entities' if len(reach.hits) != 1 else 'entity'} in {files:,} file{'s' * (files != 1)} {verb}"
    if reach.cut:
        yield terminal.style(f"cut by --limit: {reach.cut:,} more at the last distance, and what lies behind them", "yellow")
    if reach.deeper and arguments.question == "blast-radius":
        yield terminal.style(f"cut by --depth: there is more than {arguments.depth} edges away", "yellow")
    elif reach.deeper:
        yield "more at a distance: add --transitive"


def _hit_line(hit: Hit, width: int, terminal: Terminal) -> str:
    line = f" in line {hit.via_line}" if hit.via_line else ""
    use = f"{hit.via.label} {printable(hit.parent.name)}{line}"
    return f"  {_place(hit.entity):{width}}  {_title(hit.entity)}  {terminal.style(use, 'dim')}"


def _cycle_lines(cycles: Cycles, terminal: Terminal) -> Iterable[str]:
    for cycle in cycles.cycles:
        yield terminal.style(f"{len(cycle.members)} in a cycle", "bold")
        for row in (*cycle.path, cycle.path[0]):
            yield f"  → {_place(row)}{_titled(row)}"
        on_path = {row.key for row in cycle.path}
        others = [row for row in cycle.members if row.key not in on_path]
        if others:
            names = ", ".join(printable(row.name) for row in others[:_SHOWN_MEMBERS])
            more = f" and {len(others) - _SHOWN_MEMBERS:,} more" if len(others) > _SHOWN_MEMBERS else ""
            yield f"  also: {names}{more}"
        yield ""
    for row in cycles.loops:
        yield f"to itself: {_place(row)}{_titled(row)}"
    count, label = len(cycles.cycles), cycles.kind.label
    yield f"{count:,} cycle{'s' * (count != 1)} over {label}, {len(cycles.loops):,} to themselves"


def _titled(row: EntityRow) -> str:
    return "" if row.kind is EntityKind.FILE else f"  {_title(row)}"


def _title(row: EntityRow) -> str:
    return f"{row.kind.label} {printable(row.name)}"


def _place(row: EntityRow) -> str:
    return printable(row.place)


def printable(text: str) -> str:
    """Return *text* with escapes for what a terminal would obey: names come from the repository."""
    return text if text.isprintable() else "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= NO_LIMIT:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {NO_LIMIT:,}, got {text!r}")
    return value
