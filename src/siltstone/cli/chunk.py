"""``silt chunk``: where content-defined chunks end, what they hash to, and how much of the input is there twice."""

from __future__ import annotations

import argparse
import json
import os
import re
import stat
import sys
from array import array
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from siltstone.cli import render
from siltstone.cli.outputs import shown
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from siltstone.content.chunk_streams import ChunkBlock, ChunkReader
    from siltstone.content.chunk_summary import ChunkSummary
    from siltstone.content.profiles import Profile
    from siltstone.core.progress import Progress

_STREAM = "-"
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d+)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_SIZES = ("minimum", "target", "maximum")


class _Part(NamedTuple):
    """Chunks of one file that lie side by side; *digests* is empty where none were asked for."""

    offset: int
    ends: array[int]
    digests: list[bytes]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("files", metavar="FILE", nargs="*", help="a file, or '-' for standard input")
    parser.add_argument("--list-profiles", action="store_true", help="list the named profiles, and cut nothing")
    parser.add_argument("--profile", metavar="NAME", help="how to cut (default: fastcdc-64k)")
    cutting = parser.add_argument_group("profile", "each changes the one that --profile names; a SIZE is such as 65536 or 64K")
    for name in _SIZES:
        flag = {"minimum": "--min", "target": "--target", "maximum": "--max"}[name]
        more = "; without --min and --max these become a quarter of it and four times it" if name == "target" else ""
        cutting.add_argument(flag, dest=name, type=_size, metavar="SIZE", help=f"{name} size of a chunk{more}")
    cutting.add_argument("--normalization", type=int, metavar="N", help="0 to 3: how much sizes are drawn towards the target")
    cutting.add_argument("--seed", type=_number, metavar="N", help="changes the cuts; it hides nothing")
    cutting.add_argument("--algorithm", metavar="NAME", help="one of those that --list-profiles shows")
    parser.add_argument("--threads", type=int, default=1, metavar="N",
                        help="threads that hash, or that cut with --no-hash (default: 1)")
    parser.add_argument("--no-hash", action="store_true", help="cut only: no BLAKE3, no count of what is there twice")
    parser.add_argument("--kernel", metavar="NAME",
                        help="force a variant of the kernel, such as scalar; an unknown name lists those that run here")
    parser.add_argument("--json", action="store_true", help="print JSON Lines: an object for each chunk, the summary last")
    parser.add_argument("--quiet", action="store_true", help="no progress and no summary on stderr")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List the chunks, or the profiles, and return the exit code."""
    from siltstone.content.chunk_summary import ChunkSummary
    from siltstone.core.ordered_map import check_threads

    if arguments.list_profiles:
        return _list_profiles(arguments, terminal)
    if not arguments.files:
        raise ConfigError("name a FILE, or '-' for standard input", field="files")
    profile = _profile(arguments)
    check_threads(arguments.threads)
    total = sum(_size_of(path) for path in arguments.files)  # what is missing shows before hours of work
    progress, summary = terminal.progress(quiet=arguments.quiet, weights={"chunk": 1.0}), ChunkSummary()
    progress.stage("chunk", total)
    for path in arguments.files:
        with closing(_parts(path, profile, arguments, terminal)) as parts:
            _print_parts(parts, path, arguments, terminal, summary, progress)
    progress.finish()
    if arguments.json:
        terminal.write(json.dumps({"summary": {"profile": profile.as_dict(), **summary.as_dict()}}))
    if not arguments.quiet:
        for line in _describe(summary):
            terminal.note(line)
    return 0


def _parts(path: str, profile: Profile, arguments: argparse.Namespace, terminal: Terminal) -> Generator[_Part, None, None]:
    from siltstone.content.chunk_streams import ChunkReader, open_reader
    from siltstone.content.chunk_threads import iter_file_cuts
    from siltstone.content.kernels import available
    from siltstone.content.sources import source_of
    from siltstone.core.ordered_map import map_in_order

    kernel = arguments.kernel or terminal.kernel_among(available(profile.algorithm))
    if arguments.no_hash and arguments.threads > 1 and path != _STREAM and stat.S_ISREG(os.stat(path).st_mode):
        offset = 0
        with closing(iter_file_cuts(path, profile=profile, kernel=kernel, threads=arguments.threads)) as cuts:
            for ends in cuts:
                if ends:
                    yield _Part(offset, ends, [])
                    offset = ends[-1]
        return
    reader = (ChunkReader(source_of(sys.stdin.buffer), profile=profile, kernel=kernel) if path == _STREAM
              else open_reader(path, profile=profile, kernel=kernel))
    with reader:
        if arguments.no_hash:
            while block := reader.read_block():
                yield _Part(block.offset, block.ends, [])
        else:
            with closing(map_in_order(_hash_block, _kept_blocks(reader), threads=arguments.threads)) as parts:
                yield from parts


def _kept_blocks(reader: ChunkReader) -> Iterator[ChunkBlock]:
    """Yield blocks whose bytes last as long as they are held: the reader takes new memory while somebody looks at the old."""
    while block := reader.read_block():
        yield replace(block, data=block.data[:])


def _hash_block(block: ChunkBlock) -> _Part:
    from siltstone.content.hashing import digests_of

    with block.data:
        return _Part(block.offset, block.ends, digests_of(block))


def _print_parts(parts: Iterator[_Part], path: str, arguments: argparse.Namespace, terminal: Terminal,
                 summary: ChunkSummary, progress: Progress) -> None:
    name = json.dumps(path)
    label = f"  {shown(path)}" if len(arguments.files) > 1 else ""
    for part in parts:
        lines, start = [], part.offset
        for index, end in enumerate(part.ends):
            digest = part.digests[index] if part.digests else None
            summary.add(end - start, digest)
            if arguments.json:
                value = f'"{digest.hex()}"' if digest else "null"
                lines.append(f'{{"file": {name}, "offset": {start}, "size": {end - start}, "blake3": {value}}}')
            else:
                lines.append(f"{start:>15}  {end - start:>9}" + (f"  {digest.hex()}" if digest else "") + label)
            start = end
        terminal.write("\n".join(lines))
        progress.advance(start - part.offset)


def _describe(summary: ChunkSummary) -> Iterator[str]:
    yield (f"{render.number(summary.chunks, 'chunk')} of {summary.bytes:,} bytes: {summary.smallest:,} to {summary.largest:,}, "
           f"mean {summary.mean:,.0f}")
    rows = [(_binary(low), f"{count:,}", f"{100 * count / summary.chunks:.1f}%") for low, count in summary.histogram()]
    yield from render.table([("from", "chunks", ""), *rows] if rows else [], right=frozenset({0, 1, 2}), indent="  ")
    if summary.shared is not None:
        share = summary.shared.distinct_share
        about = "" if summary.shared.is_exact else "about "
        yield f"{about}{100 * share:.1f}% of the bytes are distinct: stored once they take 1/{1 / share:.2f} of the input"


def _binary(size: int) -> str:
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def _list_profiles(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.profiles import PROFILES

    described = [{"name": name, **profile.as_dict()} for name, profile in PROFILES.items()]
    if arguments.json:
        terminal.write(json.dumps({"profiles": described}))
        return 0
    rows = [(fields["name"], fields["algorithm"], *(f"{fields[size]:,}" for size in _SIZES), str(fields["table"])[:16])
            for fields in described]
    heading, *rest = render.table([("name", "algorithm", *_SIZES, "table"), *rows], right=frozenset({2, 3, 4}))
    terminal.write(terminal.style(heading, "bold"))
    for line in rest:
        terminal.write(line)
    return 0


def _profile(arguments: argparse.Namespace) -> Profile:
    """Return the named profile with what the options change."""
    from siltstone.content.algorithms import ALGORITHMS, default_normalization
    from siltstone.content.profiles import DEFAULT_PROFILE, get_profile

    base = get_profile(arguments.profile) if arguments.profile else DEFAULT_PROFILE
    names = (*_SIZES, "normalization", "seed", "algorithm")
    changes: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if "target" in changes:
        changes.setdefault("minimum", changes["target"] // 4)
        changes.setdefault("maximum", changes["target"] * 4)
    if changes.get("algorithm") in ALGORITHMS:  # what the profile had may not fit
        changes.setdefault("normalization", default_normalization(changes["algorithm"]))
    return replace(base, **changes) if changes else base


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a size such as 65536 or 64K, got {text!r}")
    return int(match[1]) * _UNITS[match[2].lower()]


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number such as 255 or 0xff, got {text!r}") from None


def _size_of(path: str) -> int:
    if path == _STREAM:
        return 0
    with open(path, "rb") if stat.S_ISREG((status := os.stat(path)).st_mode) else open(os.devnull, "rb"):
        return status.st_size
