"""``silt compress`` and ``silt decompress``: one file or stream, as users of zstd and xz expect, and within limits."""

from __future__ import annotations

import argparse
import json
import os
import stat
from collections.abc import Callable, Generator
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.cli.outputs import STREAM, open_input, open_output, shown
from siltstone.cli.terminal import Terminal
from siltstone.core.budget import GIB, MIB
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from siltstone.content.dictionaries import CompressionDictionary
    from siltstone.core.progress import Progress

_CODECS = ("zstd", "lz4", "xz", "bzip2", "none")  # the names of content.codec_table, which help need not load
_LIMIT_BYTES = 64 * GIB
_THREADS_AT_MOST = 256


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command *parser* is for: its name ends with the command."""
    packing = parser.prog.endswith(" compress")
    parser.add_argument("file", metavar="FILE", help="the file, which is kept; '-' for standard input")
    where = "FILE with the suffix of the codec" if packing else "FILE without its suffix"
    parser.add_argument("-o", "--output", metavar="FILE", help=f"where to (default: {where}); '-' for standard output")
    parser.add_argument("-k", "--keep", action="store_true", help="accepted as other tools do: FILE is always kept")
    parser.add_argument("-f", "--force", action="store_true", help="replace an existing output")
    parser.add_argument("--dictionary", metavar="FILE", help="a zstd dictionary")
    parser.add_argument("-T", "--threads", type=int, default=1, help="how many threads work (default: 1)")
    if packing:
        parser.add_argument("--codec", choices=_CODECS, help="default: by the suffix of the output, else zstd")
        parser.add_argument("--level", type=int, help="default: zstd 3, lz4 0, xz 6, bzip2 9")
        parser.add_argument("--frame-size", type=int, metavar="BYTES", default=16 * MIB,
                            help="content of one independent frame; 0 for a single one (default: 16 MiB)")
        parser.add_argument("--no-check", action="store_true", help="leave the checksum out")
    else:
        parser.add_argument("--codec", choices=("auto", *_CODECS), default="auto", help="default: told by the first bytes")
        parser.add_argument("--limit-bytes", type=int, default=_LIMIT_BYTES,
                            help="stop with exit code 5 where there would be more content (default: 64 GiB)")
        parser.add_argument("--limit-ratio", type=float, help="stop where content is so many times the input")
        parser.add_argument("--window-bytes", type=int, default=128 * MIB, help="history a frame may need (default: 128 MiB)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="draw no progress")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    if not 1 <= arguments.threads <= _THREADS_AT_MOST:
        raise ConfigError(f"expected 1 to {_THREADS_AT_MOST}, got {arguments.threads}", field="threads")
    from siltstone.content.codec_table import find_codec

    packing = arguments.command == "compress"
    target, codec = _target_of(arguments, packing=packing)
    if target == STREAM and arguments.json:
        raise ConfigError("standard output holds the data: leave --json out", field="json")
    progress = terminal.progress(quiet=arguments.quiet, weights={arguments.command: 1.0})
    with open_input(arguments.file) as (source, size):
        counter = _Counter(source, progress)
        progress.stage(arguments.command, size)
        pieces = _packed(arguments, counter.read, codec) if packing else _unpacked(arguments, counter.read)
        written = _write(pieces, target, arguments)
    progress.finish()
    if arguments.json:
        told = {"file": arguments.file, "output": target, "read_bytes": counter.count, "written_bytes": written}
        terminal.write(json.dumps({**told, "codec": find_codec(counter.head) if codec == "auto" else codec}))
    elif target != STREAM:
        small, large = (written, counter.count) if packing else (counter.count, written)
        share = f" ({100 * small / large:.1f} %)" if large else ""
        terminal.write(f"{shown(arguments.file)}: {counter.count:,} => {written:,} bytes{share}, {shown(target)}")
    return 0


def _target_of(arguments: argparse.Namespace, *, packing: bool) -> tuple[str, str]:
    """Return where the output goes and the codec."""
    from siltstone.content.codec_table import SUFFIXES, codec_named

    codec = arguments.codec
    if packing and codec is None:
        codec = SUFFIXES.get(Path(arguments.output or "").suffix, "zstd")
    if arguments.output is not None:
        return arguments.output, codec
    if arguments.file == STREAM:
        return STREAM, codec
    path = Path(arguments.file)
    if packing:
        suffix = codec_named(codec).SUFFIX
        if not suffix:
            raise ConfigError("the codec has no suffix: choose a name with -o", field="output")
        return f"{arguments.file}{suffix}", codec
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{shown(arguments.file)} has none of the suffixes {', '.join(SUFFIXES)}: choose a name with -o",
                          field="output")
    return str(path.with_suffix("")), codec


def _packed(arguments: argparse.Namespace, read: Callable[[int], bytes], codec: str) -> Generator[bytes, None, None]:
    from siltstone.content.parallel_frames import iter_frames

    dictionary = _dictionary_of(arguments)
    if arguments.frame_size == 0:
        if arguments.threads > 1:
            raise ConfigError("a single frame is written by one thread: leave --frame-size 0 out", field="threads")
        return _single_frame(arguments, read, codec, dictionary)
    return iter_frames(read, codec, level=arguments.level, frame_bytes=arguments.frame_size, threads=arguments.threads,
                       checksum=not arguments.no_check, dictionary=dictionary)


def _single_frame(arguments: argparse.Namespace, read: Callable[[int], bytes], codec: str,
                  dictionary: CompressionDictionary | None) -> Generator[bytes, None, None]:
    from siltstone.content.codec_table import check_level, codec_named

    chosen = codec_named(codec, dictionary=dictionary)
    encoder = chosen.new_encoder(check_level(chosen, arguments.level), checksum=not arguments.no_check)

    def pieces() -> Generator[bytes, None, None]:
        while data := read(MIB):
            yield encoder.encode(data)
        yield encoder.finish()

    return pieces()


def _unpacked(arguments: argparse.Namespace, read: Callable[[int], bytes]) -> Generator[bytes, None, None]:
    from siltstone.content.frame_sequence import FrameLimits
    from siltstone.content.parallel_frames import iter_decompressed

    limits = FrameLimits(limit_bytes=arguments.limit_bytes, limit_ratio=arguments.limit_ratio,
                         window_bytes=arguments.window_bytes)
    return iter_decompressed(read, codec=arguments.codec, limits=limits, threads=arguments.threads, source=arguments.file,
                             dictionary=_dictionary_of(arguments))


def _dictionary_of(arguments: argparse.Namespace) -> CompressionDictionary | None:
    from siltstone.content.dictionaries import load_dictionary

    if arguments.dictionary is None:
        return None
    level = getattr(arguments, "level", None)
    return load_dictionary(Path(arguments.dictionary), level=3 if level is None else level)


class _Counter:
    """Reads and tells the progress how far it is; a wish to stop shows here, between two pieces."""

    def __init__(self, file: BufferedReader, progress: Progress) -> None:
        self._file, self._progress = file, progress
        self.count = 0
        self.head = b""  # what a codec is told from

    def read(self, size: int) -> bytes:
        data = self._file.read1(size)  # one system call: a signal is seen after it, where `read` would go on waiting
        self.count += len(data)
        if len(self.head) < 6:
            self.head += data[: 6 - len(self.head)]
        self._progress.advance(len(data))
        return data


def _write(pieces: Generator[bytes, None, None], target: str, arguments: argparse.Namespace) -> int:
    """Write *pieces* and return their bytes; whatever happens, no thread works on afterwards."""
    written = 0
    with closing(pieces), open_output(target, force=arguments.force, mode=_mode_of(arguments.file)) as file:
        for piece in pieces:
            file.write(piece)
            written += len(piece)
    return written


def _mode_of(source: str) -> int:
    """Return the mode that the output gets, which is the source's, as with the tools of the codecs."""
    mode = 0 if source == STREAM else os.stat(source).st_mode
    return stat.S_IMODE(mode) & 0o777 if stat.S_ISREG(mode) else 0o644
