"""``silt hash``: digests of files in any style, or a check of files against digests written before."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siltstone.cli.terminal import Terminal
from siltstone.core.budget import MIB
from siltstone.core.errors import (
    BudgetExceeded,
    Cancelled,
    ConfigError,
    CorruptDataError,
    SiltstoneError,
    describe,
    exit_code_of,
)
from siltstone.core.ordered_map import THREADS_AT_MOST
from siltstone.core.progress import Progress

if TYPE_CHECKING:
    from siltstone.content.hash_cache import HashCache

_STREAM = "-"
_STYLES = {"hex": "base16", "nix32": "nix32", "sri": "sri", "base64": "base64"}
_SUM_FILE_LIMIT_BYTES = 256 * MIB  # two million lines
_BATCH_FILES = 100_000  # hashed before the next ones are looked at


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("files", metavar="FILE", nargs="*", help="files; none or '-' is standard input")
    parser.add_argument("--algorithm", choices=("blake3", "sha256"), default="blake3", help="hash function (default: blake3)")
    parser.add_argument("--format", choices=tuple(_STYLES), default="hex",
                        help="hex as b3sum and sha256sum, or base64, Nix's base 32, SRI (default: hex)")
    parser.add_argument("--check", action="store_true",
                        help="read lines 'DIGEST  NAME' from FILE, in any format, and check those files; exit code 2 where "
                             "one differs; --quiet leaves out the lines of those that do not")
    parser.add_argument("--threads", type=int, default=0, metavar="N",
                        help="at most N threads, for several files (default: all that are free)")
    parser.add_argument("--cache", metavar="CACHE", help="remember digests in this file, and read no file again that did not "
                                                         "change by its size, times and place")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="draw no progress")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    if arguments.check and arguments.cache:
        raise ConfigError("a check reads every file: leave --cache out", field="cache")
    if not 0 <= arguments.threads <= THREADS_AT_MOST:
        raise ConfigError(f"expected 0 to {THREADS_AT_MOST}, got {arguments.threads}", field="threads")
    names = arguments.files or [_STREAM]
    return _check(names, arguments, terminal) if arguments.check else _hash(names, arguments, terminal)


def _hash(names: Sequence[str], arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.hash_cache_file import load_hash_cache, save_hash_cache
    from siltstone.content.hash_text import Hash, format_hash
    from siltstone.content.sum_file import format_sum_line

    cache, note = load_hash_cache(Path(arguments.cache)) if arguments.cache else (None, "")
    if note:
        terminal.note(f"silt: {note}")
    found = list(_digests(names, arguments, terminal, cache))
    if cache is not None:
        save_hash_cache(cache, Path(arguments.cache))
    rows: list[dict[str, Any]] = []
    code = 0
    for name, digest in zip(names, found, strict=True):
        if isinstance(digest, Exception):
            code = code or exit_code_of(digest)
            rows.append({"name": name, "error": _fields(digest)})
            terminal.note(f"silt: {describe(digest)}")
            continue
        digits = format_hash(Hash(arguments.algorithm, digest), _STYLES[arguments.format], prefix=arguments.format == "sri")
        rows.append({"name": name, "digest": digits})
        if not arguments.json:
            terminal.write(format_sum_line(digits, name))
    if arguments.json:
        failed = sum("error" in row for row in rows)
        shown = {"algorithm": arguments.algorithm, "format": arguments.format, "files": rows, "failed": failed}
        terminal.write(json.dumps(shown | ({"cache": cache.stats().as_dict()} if cache is not None else {})))
    return code


def _digests(names: Sequence[str], arguments: argparse.Namespace, terminal: Terminal,
             cache: HashCache | None) -> Iterator[bytes | Exception]:
    """Yield the digest of each file, or what stopped it, in order."""
    from siltstone.content.batch_hashing import hash_batch
    from siltstone.content.hash_files import hash_file
    from siltstone.content.hash_threads import AUTOMATIC

    threads = replace(AUTOMATIC[arguments.algorithm], maximum=arguments.threads)
    progress = terminal.progress(quiet=arguments.quiet, weights={"hash": 1.0})
    if len(names) == 1 and names[0] != _STREAM:
        progress.stage("hash", _size_of(names[0]))  # a single file is counted in bytes
        try:
            yield hash_file(names[0], algorithm=arguments.algorithm, cache=cache, progress=progress)
        except Cancelled:
            raise
        except (SiltstoneError, OSError) as error:
            yield error
    else:
        batch = hash_batch([name for name in names if name != _STREAM], algorithm=arguments.algorithm, threads=threads,
                           cache=cache, progress=progress)
        place = 0
        for name in names:
            if name == _STREAM:
                yield _hash_stdin(arguments.algorithm, progress)
            else:
                yield batch.digests[place] or batch.errors[place]
                place += 1
    progress.finish()


def _hash_stdin(algorithm: str, progress: Progress) -> bytes | Exception:
    from siltstone.content.hash_files import hash_stream

    progress.stage("hash")
    try:
        return hash_stream(sys.stdin.buffer, algorithm=algorithm, progress=progress)
    except OSError as error:
        return error


def _size_of(name: str) -> int:
    try:
        status = os.stat(name)
    except OSError:
        return 0  # opening it will say why
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _fields(error: Exception) -> dict[str, Any]:
    fields = error.as_dict() if isinstance(error, SiltstoneError) else {"code": "os", "message": describe(error)}
    return {**fields, "exit_code": exit_code_of(error)}


@dataclass(slots=True)
class _Checked:
    """One line of a sum file: what it says, and what was found."""

    name: str
    digest: bytes = b""
    found: bytes | Exception | None = None

    @property
    def status(self) -> str:
        """What to say of it: OK, or why not."""
        if isinstance(self.found, CorruptDataError) and not self.digest:
            return "FAILED line"
        if isinstance(self.found, Exception):
            return "FAILED open or read"
        return "OK" if self.found == self.digest else "FAILED"


def _check(names: Sequence[str], arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.sum_file import escape_name

    rows = [row for name in names for row in _lines_of(name, arguments.algorithm)]
    asked = [row for row in rows if row.digest]
    for start in range(0, len(asked), _BATCH_FILES):
        part = asked[start:start + _BATCH_FILES]
        for row, digest in zip(part, _digests([row.name for row in part], arguments, terminal, None), strict=True):
            row.found = digest
    for row in rows:
        if isinstance(row.found, Exception):
            terminal.note(f"silt: {describe(row.found)}")
        if not arguments.json and (row.status != "OK" or not arguments.quiet):
            terminal.write(f"{escape_name(row.name)}: {row.status}")
    failed = [row for row in rows if row.status != "OK"]
    if arguments.json:
        shown = [{"name": row.name, "ok": row.status == "OK",
                  **({"error": _fields(row.found)} if isinstance(row.found, Exception) else {})} for row in rows]
        terminal.write(json.dumps({"algorithm": arguments.algorithm, "files": shown, "failed": len(failed)}))
    elif failed:
        terminal.note(f"silt: {len(failed):,} of {len(rows):,} files do not fit their digests")
    if any(row.status in ("FAILED", "FAILED line") for row in failed) or not rows:
        return CorruptDataError.exit_code
    return next((exit_code_of(row.found) for row in failed if isinstance(row.found, Exception)), 0)


def _lines_of(source: str, algorithm: str) -> Iterator[_Checked]:
    """Yield what each line of a sum file says; a line that says nothing useful is a failure with its number."""
    from siltstone.content.hash_text import parse_hash
    from siltstone.content.sum_file import parse_sum_line

    for number, line in enumerate(_read_sum_file(source).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            digits, name = parse_sum_line(line)
            yield _Checked(name, parse_hash(digits, algorithm).digest)
        except CorruptDataError as error:
            yield _Checked(f"{source}:{number}", found=error.within(f"{source}, line {number}"))


def _read_sum_file(source: str) -> bytes:
    if source == _STREAM:
        data = sys.stdin.buffer.read(_SUM_FILE_LIMIT_BYTES + 1)
    else:
        with open(source, "rb") as file:
            data = file.read(_SUM_FILE_LIMIT_BYTES + 1)
    if len(data) > _SUM_FILE_LIMIT_BYTES:
        raise BudgetExceeded("sum file", limit_bytes=_SUM_FILE_LIMIT_BYTES, needed_bytes=len(data))
    return data
