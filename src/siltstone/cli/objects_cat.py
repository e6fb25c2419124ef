"""``silt objects cat``: contents, types and sizes of objects, as ``git cat-file`` tells them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from siltstone.cli import render
from siltstone.cli.outputs import STREAM, open_output
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError

if TYPE_CHECKING:
    from siltstone.gitobjects.ids import Kind
    from siltstone.gitobjects.object_database import ObjectDatabase
    from siltstone.gitobjects.objects import GitObject

_LONGEST_NAME = 1 << 16  # bytes of one line of standard input


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the action."""
    parser.add_argument("names", metavar="OBJECT", nargs="*",
                        help="an id, a short id, a reference, REV~2, REV^{tree}, REV:path")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--format", choices=("raw", "pretty", "type", "size"), default="raw",
                      help="content as it is, content with trees as lines, type, or size in bytes (default: raw)")
    for letter, chosen in (("-p", "pretty"), ("-t", "type"), ("-s", "size")):
        what.add_argument(letter, dest="format", action="store_const", const=chosen, help=f"the same as --format {chosen}")
    what.add_argument("-e", dest="exists", action="store_true", help="print nothing; exit code 1 where an OBJECT is absent")
    what.add_argument("--batch", action="store_true",
                      help="read names from standard input; print 'ID TYPE SIZE', the content and a line end for each")
    what.add_argument("--batch-check", action="store_true", help="the same without the contents")
    what.add_argument("--batch-all-objects", action="store_true", help="as --batch, of every object, in the order of the packs")


def run(db: ObjectDatabase, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print what was asked for and return the exit code."""
    batch = arguments.batch or arguments.batch_check or arguments.batch_all_objects
    if batch and (arguments.names or arguments.json):
        raise ConfigError("a batch takes no OBJECT and prints no JSON", field="batch")
    if not batch and not arguments.names:
        raise ConfigError("an OBJECT is needed", field="object")
    if arguments.batch_all_objects:
        return _print_all(db, terminal)
    if batch:
        with open_output(STREAM, force=True) as out:
            for line in _iter_lines(sys.stdin.buffer):
                _answer(db, line, out, with_content=arguments.batch)
        return 0
    if arguments.exists:
        for _ in _iter_headers(db, arguments.names):  # NotFoundError ends it with exit code 1
            pass
        return 0
    if arguments.json:
        return _print_json(_iter_found(db, arguments.names), arguments.names, terminal)
    with open_output(STREAM, force=True) as out:
        for text in _iter_texts(db, arguments.names, arguments.format):
            out.write(text)
    return 0


def _iter_found(db: ObjectDatabase, names: list[str]) -> Iterator[GitObject]:
    from siltstone.gitobjects.object_names import resolve_name

    return (db.read(resolve_name(db, name)) for name in names)


def _iter_headers(db: ObjectDatabase, names: list[str]) -> Iterator[tuple[Kind, int]]:
    from siltstone.gitobjects.object_names import resolve_name

    return (db.header(resolve_name(db, name)) for name in names)


def _iter_texts(db: ObjectDatabase, names: list[str], chosen: str) -> Iterator[bytes]:
    from siltstone.gitobjects.object_text import pretty_content

    if chosen == "type":
        return (kind.label + b"\n" for kind, _ in _iter_headers(db, names))
    if chosen == "size":
        return (b"%d\n" % size for _, size in _iter_headers(db, names))
    return (pretty_content(found) if chosen == "pretty" else found.data for found in _iter_found(db, names))


def _print_json(found: Iterator[GitObject], names: list[str], terminal: Terminal) -> int:
    from siltstone.gitobjects.object_text import object_fields

    objects = [{"name": name, **object_fields(item)} for name, item in zip(names, found, strict=True)]
    terminal.write(json.dumps({"objects": objects}))
    return 0


def _iter_lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_NAME):
        if len(line) == _LONGEST_NAME:
            raise ConfigError(f"a line is longer than {_LONGEST_NAME} bytes", field="batch")
        yield line.removesuffix(b"\n")


def _answer(db: ObjectDatabase, name: bytes, out: BinaryIO, *, with_content: bool) -> None:
    """Answer one name at once, so that a program may ask for the next by what it got."""
    from siltstone.gitobjects.object_names import resolve_name

    try:
        oid = resolve_name(db, name)
        found = db.read(oid) if with_content else None
        kind, size = db.header(oid) if found is None else (found.kind, len(found.data))
    except NotFoundError:
        out.write(name + b" missing\n")
    except ConfigError:
        out.write(name + b" ambiguous\n")
    else:
        out.write(_heading(oid, kind.label, size))
        if found is not None:
            out.write(found.data)
            out.write(b"\n")
    out.flush()


def _heading(oid: bytes, label: bytes, size: int) -> bytes:
    return b"%s %s %d\n" % (oid.hex().encode(), label, size)


def _print_all(db: ObjectDatabase, terminal: Terminal) -> int:
    """Print every object; one that could not be read is told and means exit code 2, what a pointer points to is no object."""
    from siltstone.gitobjects.ids import Kind
    from siltstone.gitobjects.ledger import Reason

    with open_output(STREAM, force=True) as out:
        for block in db.walk_objects(tuple(Kind)):
            for index in range(len(block)):
                content = block.content(index)
                out.write(_heading(block.oid(index), block.kind(index).label, len(content)))
                out.write(content)
                out.write(b"\n")
    counts = {str(reason): count for reason, count in db.ledger.counts().items() if reason is not Reason.LFS_POINTER}
    if counts:
        terminal.note(f"INCOMPLETE: not every object could be read: {render.counts(counts)}")
    return CorruptDataError.exit_code if counts else 0
