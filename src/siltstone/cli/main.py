"""Entry point of ``silt``: finds the command, runs it, turns an error into one line and the documented exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from siltstone import __version__
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import Cancelled, ConfigError, SiltstoneError, describe, exit_code_of

# command -> (module with `configure(parser)` and `run(arguments, terminal) -> exit code`, one line of help)
COMMANDS = {
    "ingest": ("siltstone.cli.ingest", "read a repository through every layer and keep what was found"),
    "scan": ("siltstone.cli.scan", "search every blob of a repository's history for secrets"),
    "objects": ("siltstone.cli.objects", "count, print and verify the objects of a git repository"),
    "history": ("siltstone.cli.history", "list what each commit of a repository brought"),
    "index": ("siltstone.cli.index", "list the entities and relations of a folder's source code"),
    "query": ("siltstone.cli.query", "ask the graph: who implements, what breaks, where is the cycle"),
    "chunk": ("siltstone.cli.chunk", "list the content-defined chunks of files, with their hashes"),
    "store": ("siltstone.cli.store", "keep files in a de-duplicating chunk store, and restore them"),
    "hash": ("siltstone.cli.hash", "print BLAKE3 or SHA-256 of files, in any style, or check them"),
    "nar": ("siltstone.cli.nar", "pack, unpack, list and read NARs, the archives of Nix"),
    "narinfo": ("siltstone.cli.narinfo", "sign and verify what a binary cache says of a store path"),
    "compress": ("siltstone.cli.compress", "compress a file or stream into independent frames"),
    "decompress": ("siltstone.cli.compress", "decompress every frame of a file or stream, within limits"),
    "scip": ("siltstone.cli.scip", "show what a SCIP index holds"),
    "status": ("siltstone.cli.status", "show versions, kernels and the inflate backend"),
}

EPILOG = """\
exit codes: 0 done, 1 invalid input or usage, 2 data does not parse, 3 store or database unreachable, 4 file system,
5 budget reached, 6 incomplete under --require-complete, 10 findings present (silt scan), 130 interrupted"""


class _Parser(argparse.ArgumentParser):
    """Ends a wrong call with exit code 1, as documented; argparse alone would use 2."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; try '{self.prog} --help'", field="usage")


def build_parser(only: str | None = None) -> tuple[argparse.ArgumentParser, dict[str, ModuleType]]:
    """Return the parser and the loaded command modules; with *only* the other commands are named but not loaded."""
    parser = _Parser(prog="silt", description="Read repositories and artifacts layer by layer.", epilog=EPILOG,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"siltstone {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    modules: dict[str, ModuleType] = {}
    for name, (home, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".",
                                      epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
        if only in (None, name):
            modules[name] = import_module(home)
            modules[name].configure(command)
    return parser, modules


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``silt`` with *argv* (default: the process's own) and return the exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's algebra, never used here, starts a spinning thread a core
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), "")
    terminal = Terminal.of_process(os.environ, sys.stdout, sys.stderr)
    _listen(terminal)
    try:
        parser, modules = build_parser(only=chosen if chosen in COMMANDS else "")
        if not words:
            terminal.note(parser.format_help().rstrip())
            return ConfigError.exit_code
        arguments = parser.parse_args(words)
        code = int(modules[arguments.command].run(arguments, terminal))
        terminal.flush()
        return code
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        _abandon_stdout()
        return 0
    except (SiltstoneError, OSError, MemoryError, KeyboardInterrupt) as error:
        return _report(error, terminal, as_json="--json" in words)
    except Exception as error:  # noqa: BLE001 - a bug of ours still ends with one line, and a code that no other cause has
        return _report_bug(error, terminal)


def _listen(terminal: Terminal) -> None:
    """Let SIGINT and SIGTERM stop the work.

    While a foreign library works that swallows exceptions (a fetch) the first signal waits for its next callback, and the
    second ends the process: the next fetch sweeps what it left.
    """
    asked = 0

    def stop(_number: int, _frame: object) -> None:
        nonlocal asked
        asked += 1
        if not terminal.cancel():
            raise KeyboardInterrupt
        if asked > 1:
            os._exit(Cancelled.exit_code)

    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a background job ignores it, and we with it
        signal.signal(signal.SIGINT, stop)


def _abandon_stdout() -> None:
    """Let what waits for a reader that went away go nowhere, so that the interpreter ends without a complaint."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug(error: Exception, terminal: Terminal) -> int:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}" if traceback else "an unknown place"
    terminal.note(f"silt: internal error, please report it: {type(error).__name__} at {place}")
    return exit_code_of(error)


def _report(error: BaseException, terminal: Terminal, *, as_json: bool) -> int:
    shown = Cancelled() if isinstance(error, KeyboardInterrupt) else error
    code = exit_code_of(shown)
    terminal.end_progress()
    if as_json:
        plain = {"code": "memory" if isinstance(shown, MemoryError) else "os", "message": describe(shown)}
        fields = shown.as_dict() if isinstance(shown, SiltstoneError) else plain
        try:
            terminal.write(json.dumps({"error": {**fields, "exit_code": code}}))
            terminal.flush()
        except BrokenPipeError:  # the exit code still tells
            _abandon_stdout()
    terminal.note(f"silt: {describe(shown)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
