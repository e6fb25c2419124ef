"""``silt nar``: pack a path into a NAR, unpack one, list what it holds, print one of its files."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siltstone.cli import render
from siltstone.cli.outputs import STREAM, open_input, open_output, shown
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from siltstone.content.nar_format import NarLimits
    from siltstone.content.nar_listing import NarNode
    from siltstone.content.nar_pack import NarSummary

_MODES = {"directory": "dr-xr-xr-x", "symlink": "lrwxrwxrwx", "regular": "-r--r--r--", "executable": "-r-xr-xr-x"}

_OBJECT_ENTRIES = 1_000_000  # what one JSON object may hold where nothing is asked for


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command, and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    pack = _add_action(actions, "pack", "write a file, a link or a folder as a NAR, and tell its hash")
    pack.add_argument("path", metavar="PATH", help="what to pack; a link is packed as a link")
    pack.add_argument("-o", "--output", metavar="FILE", default=STREAM, help="where to (default: standard output)")
    pack.add_argument("--force", action="store_true", help="replace an existing FILE")
    pack.add_argument("--case-hack", action="store_true", help="remove the suffixes that --collisions rename gave")
    _add_limits(pack)
    unpack = _add_action(actions, "unpack", "make files from a NAR, all or none")
    _add_archive(unpack)
    unpack.add_argument("target", metavar="TARGET", help="what to make; it must not exist")
    unpack.add_argument("--hash", metavar="HASH", help="refuse an archive with another SHA-256, in any style (sha256:…, SRI)")
    unpack.add_argument("--canonical", action="store_true", help="modes 0444 and 0555 and a time of 1, as in a Nix store")
    unpack.add_argument("--collisions", choices=("target", "refuse", "rename"), default="target",
                        help="names that differ only in case or normal form: what TARGET's file system says (default), "
                             "refuse them, or rename them as Nix's use-case-hack")
    _add_limits(unpack)
    listing = _add_action(actions, "ls", "list what a NAR holds; --json as `nix nar ls`")
    _add_archive(listing)
    listing.add_argument("path", metavar="PATH", nargs="?", default="/", help="what to list (default: the root)")
    listing.add_argument("-R", "--recursive", action="store_true", help="list everything below PATH")
    listing.add_argument("-l", "--long", action="store_true", help="show modes, sizes and offsets of contents")
    _add_limits(listing)
    cat = _add_action(actions, "cat", "print a file of a NAR; links are not followed")
    _add_archive(cat)
    cat.add_argument("path", metavar="PATH", help="the file in the archive")
    cat.add_argument("-o", "--output", metavar="FILE", default=STREAM, help="where to (default: standard output)")
    cat.add_argument("--force", action="store_true", help="replace an existing FILE")
    _add_limits(cat)


def _add_action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    action.add_argument("--json", action="store_true", help="print one JSON object")
    action.add_argument("--quiet", action="store_true", help="draw no progress")
    return action


def _add_archive(action: argparse.ArgumentParser) -> None:
    action.add_argument("archive", metavar="NAR", help="a NAR, also compressed (zstd, xz, bzip2, lz4); '-' for standard input")


def _add_limits(action: argparse.ArgumentParser) -> None:
    action.add_argument("--limit-entries", type=int, metavar="N",
                        help="stop at more (default: 10,000,000; for `ls --json` 1,000,000)")
    action.add_argument("--limit-bytes", type=int, metavar="N", help="stop at more bytes of contents (default: 256 GiB)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    return {"pack": _pack, "unpack": _unpack, "ls": _list, "cat": _cat}[arguments.action](arguments, terminal)


def _pack(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.nar_pack import pack_nar

    if arguments.json and arguments.output == STREAM:
        raise ConfigError("standard output holds the archive: choose a file with -o", field="json")
    os.lstat(arguments.path)  # what is missing shows before a file is made
    if arguments.output != STREAM and _lies_in(arguments.output, arguments.path):
        raise ConfigError("it lies in PATH, so the archive would hold a part of itself", field="output")
    progress = terminal.progress(quiet=arguments.quiet, weights={"pack": 1.0})
    progress.stage("pack")
    with open_output(arguments.output, force=arguments.force) as file:
        summary = pack_nar(arguments.path, file.write, case_hack=arguments.case_hack, limits=_limits(arguments),
                           progress=progress)
    progress.finish()
    _tell(arguments, terminal, summary, {"path": arguments.path, "output": arguments.output})
    return 0


def _lies_in(output: str, path: str) -> bool:
    """Return whether a new file *output* would be below the directory *path*; links on the way are followed."""
    if os.path.islink(path) or not os.path.isdir(path):
        return False
    folder, root = Path(output).parent.resolve(), Path(path).resolve()
    return folder == root or root in folder.parents


def _unpack(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.hash_text import parse_hash
    from siltstone.content.nar_source import open_nar
    from siltstone.content.nar_unpack import unpack_nar

    expected = parse_hash(arguments.hash, "sha256").digest if arguments.hash else None
    progress = terminal.progress(quiet=arguments.quiet, weights={"unpack": 1.0})
    with open_input(arguments.archive) as (file, size):
        progress.stage("unpack", size)
        summary = unpack_nar(open_nar(file), arguments.target, limits=_limits(arguments), canonical=arguments.canonical,
                             collisions=arguments.collisions, sha256=expected, progress=progress)
    progress.finish()
    _tell(arguments, terminal, summary, {"archive": arguments.archive, "target": arguments.target})
    return 0


def _tell(arguments: argparse.Namespace, terminal: Terminal, summary: NarSummary, places: dict[str, str]) -> None:
    if arguments.json:
        terminal.write(json.dumps({**places, **summary.as_dict()}))
    elif not arguments.quiet:
        held = ", ".join((render.number(summary.files, "file"), render.number(summary.symlinks, "link"),
                          f"{summary.directories:,} director{'y' if summary.directories == 1 else 'ies'}"))
        terminal.note(f"{summary.nar_hash}  {summary.sri}  {summary.size:,} bytes: {held}")


def _list(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.nar_listing import list_nar, nar_tree, normalise_path
    from siltstone.content.nar_source import open_nar

    with open_input(arguments.archive) as (file, _):
        nodes = list_nar(open_nar(file), arguments.path, recursive=arguments.recursive, limits=_limits(arguments))
        if arguments.json:
            terminal.write(json.dumps(nar_tree(nodes, limit_entries=arguments.limit_entries or _OBJECT_ENTRIES)))
            return 0
        for line in _lines(nodes, normalise_path(arguments.path), long=arguments.long):
            terminal.write(line)
    return 0


def _lines(nodes: Iterable[NarNode], base: bytes, *, long: bool) -> Iterator[str]:
    """Yield a line for each node but for the listed directory itself, whose entries are meant."""
    from siltstone.content.nar_format import NarDirectory, NarFile, NarSymlink

    for node in nodes:
        if node.path == base and isinstance(node, NarDirectory):
            continue
        name = "." + shown(os.fsdecode(b"/" + node.path[len(base):].lstrip(b"/")))
        if node.path == base:
            name = shown(os.fsdecode(b"/" + base))
        if not long:
            yield name
        elif isinstance(node, NarFile):
            kind = "executable" if node.executable else "regular"
            yield f"{_MODES[kind]} {node.size:>15} {node.offset:>15} {name}"
        elif isinstance(node, NarSymlink):
            yield f"{_MODES['symlink']} {0:>15} {'-':>15} {name} -> {shown(os.fsdecode(node.target))}"
        else:
            yield f"{_MODES['directory']} {0:>15} {'-':>15} {name}"


def _cat(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.nar_listing import cat_nar
    from siltstone.content.nar_source import open_nar

    if arguments.json and arguments.output == STREAM:
        raise ConfigError("standard output holds the file: choose another with -o", field="json")
    size = 0
    with open_input(arguments.archive) as (file, _), open_output(arguments.output, force=arguments.force) as out:
        for piece in cat_nar(open_nar(file), arguments.path, limits=_limits(arguments)):
            size += out.write(piece)
    if arguments.json:
        places = {"archive": arguments.archive, "path": arguments.path, "output": arguments.output}
        terminal.write(json.dumps({**places, "size": size}))
    return 0


def _limits(arguments: argparse.Namespace) -> NarLimits:
    from siltstone.content.nar_format import NarLimits

    given = {"entries": arguments.limit_entries, "contents_bytes": arguments.limit_bytes}
    return NarLimits(**{name: value for name, value in given.items() if value is not None})
