"""``silt store``: keep files in a de-duplicating chunk store, write them out again, check it, and free what nobody needs."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siltstone.cli.outputs import STREAM, open_output, shown
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import ConfigError, CorruptDataError

if TYPE_CHECKING:
    from siltstone.content.manifest import StoredFile
    from siltstone.content.pipeline_report import PipelineReport
    from siltstone.content.store_writer import StoreWriter


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command, and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    put = _add_action(actions, "put", "store files, all or none; chunks that are there already are not stored again")
    put.add_argument("files", metavar="FILE", nargs="+", help="a file, or '-' for standard input")
    put.add_argument("--name", help="name in the store, for a single FILE (default: its last path component)")
    put.add_argument("--replace", action="store_true", help="replace files of the same name")
    put.add_argument("--profile", help="how to cut, for a new store (default: fastcdc-64k)")
    put.add_argument("--level", type=int, default=3, help="zstd level, 1 to 19 (default: 3)")
    put.add_argument("--workers", type=int, default=2, help="threads that hash and compress (default: 2)")
    put.add_argument("--timings", action="store_true", help="tell where the time went, and what would help")
    get = _add_action(actions, "get", "write a stored file out, every byte verified")
    get.add_argument("name", metavar="NAME", help="name in the store")
    get.add_argument("-o", "--output", metavar="FILE", help="where to (default: the name, here); '-' for standard output")
    get.add_argument("--force", action="store_true", help="replace an existing FILE")
    _add_action(actions, "list", "list the stored files by name")
    _add_action(actions, "stats", "tell how much is stored, and how much of it is shared")
    _add_action(actions, "verify", "read and check every chunk and every manifest; exit code 2 where something is damaged")
    delete = _add_action(actions, "delete", "remove names; 'gc' frees the chunks that no other file needs")
    delete.add_argument("names", metavar="NAME", nargs="+", help="name in the store")
    gc = _add_action(actions, "gc", "free the chunks that no file needs; waits for writers, and they for it")
    gc.add_argument("--waste", type=float, default=0.25, metavar="SHARE",
                    help="rewrite a pack where more than this share of it is free (default: 0.25)")
    gc.add_argument("--dry-run", action="store_true", help="change nothing, tell what would be freed")


def _add_action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    description = summary[0].upper() + summary[1:] + "."
    action: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=description)
    action.add_argument("--store", metavar="DIR", required=True, help="the folder of the store")
    action.add_argument("--json", action="store_true", help="print one JSON object")
    action.add_argument("--quiet", action="store_true", help="draw no progress")
    return action


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    actions = {"put": _put, "get": _get, "list": _list, "stats": _stats, "verify": _verify, "delete": _delete, "gc": _gc}
    return actions[arguments.action](arguments, terminal)


def _put(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.profiles import get_profile
    from siltstone.content.store import ChunkStore

    names = _names_for(arguments)
    for path in arguments.files:
        if path != STREAM and not stat.S_ISFIFO(os.stat(path).st_mode):
            with open(path, "rb"):  # what cannot be read shows before hours of work, and before a store is made
                pass
    profile = get_profile(arguments.profile) if arguments.profile else None
    progress = terminal.progress(quiet=arguments.quiet, weights={"store": 1.0})
    with ChunkStore.open(arguments.store, create=True, profile=profile) as store:
        progress.stage("store", sum(_size_of(path) for path in arguments.files))
        with store.writer(level=arguments.level, workers=arguments.workers, replace=arguments.replace,
                          progress=progress) as writer:
            stored = [_put_one(writer, path, name) for path, name in zip(arguments.files, names, strict=True)]
    progress.finish()
    summary = writer.summary()
    if arguments.json:
        counts = {"chunks": summary.chunks, "new_chunks": summary.new_chunks, "new_bytes": summary.new_bytes,
                  "packed_bytes": summary.packed_bytes}
        timings = {"timings": summary.report.as_dict()} if arguments.timings else {}
        files = [file.as_dict() for file in stored]
        terminal.write(json.dumps({"store": arguments.store, "files": files, **counts, **timings}))
    else:
        for file in stored:
            terminal.write(f"stored {shown(file.name)}  {file.size:,} bytes in {file.chunks:,} chunks")
        terminal.note(f"{summary.new_chunks:,} of {summary.chunks:,} chunks were new: {summary.new_bytes:,} bytes, "
                      f"packed to {summary.packed_bytes:,}")
        if arguments.timings:
            _show_timings(summary.report, terminal)
    return 0


def _put_one(writer: StoreWriter, path: str, name: str) -> StoredFile:
    return writer.put(name, sys.stdin.buffer if path == STREAM else path)


def _show_timings(report: PipelineReport, terminal: Terminal) -> None:
    terminal.note(f"{report.seconds:.2f} s with {report.workers} workers, {report.peak_bytes / (1 << 20):.0f} MiB held at most")
    terminal.note(f"{'stage':<10}{'busy s':>9}{'waits s':>9}{'share':>7}{'p50 ms':>9}{'p99 ms':>9}")
    for stage in report.stages:
        milliseconds = [1000 * stage.latency.get(name, 0.0) for name in ("p50", "p99")]
        terminal.note(f"{stage.name:<10}{stage.busy_seconds:>9.3f}{stage.wait_seconds:>9.3f}{stage.share:>7.0%}"
                      f"{milliseconds[0]:>9.2f}{milliseconds[1]:>9.2f}")
    terminal.note(report.suggestion)


def _names_for(arguments: argparse.Namespace) -> list[str]:
    """Return the name in the store of each FILE; what is wrong with one shows before hours of work."""
    from siltstone.content.manifest import check_name

    if arguments.name is not None and len(arguments.files) > 1:
        raise ConfigError("goes with a single FILE", field="name")
    if arguments.name is None and STREAM in arguments.files:
        raise ConfigError("standard input needs one: --name NAME", field="name")
    names: dict[str, str] = {}
    for path in arguments.files:
        name = arguments.name if arguments.name is not None else Path(path).name
        check_name(name)
        if name in names:
            raise ConfigError(f"{shown(names[name])} and {shown(path)} would have the same name", field="name")
        names[name] = path
    return [*names]


def _size_of(path: str) -> int:
    return 0 if path == STREAM else os.stat(path).st_size


def _get(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.store import ChunkStore

    if arguments.json and arguments.output == STREAM:
        raise ConfigError("standard output holds the file: leave --json out", field="json")
    progress = terminal.progress(quiet=arguments.quiet, weights={"restore": 1.0})
    with ChunkStore.open(arguments.store) as store:
        target = STREAM if arguments.output == STREAM else str(_target_of(arguments))
        with open_output(target, force=arguments.force) as file:
            stored = store.get(arguments.name, file, progress=progress)
    progress.finish()
    if arguments.json:
        terminal.write(json.dumps({"store": arguments.store, "output": target, **stored.as_dict()}))
    elif target != STREAM:
        terminal.write(f"wrote {shown(target)}  {stored.size:,} bytes")
    return 0


def _target_of(arguments: argparse.Namespace) -> Path:
    name = Path(arguments.name).name
    if arguments.output is None:
        if name in ("", "..") or "\0" in name:
            raise ConfigError("the name is no file name: choose one with -o", field="output")
        return Path(name)
    path = Path(arguments.output)
    return path / name if path.is_dir() else path


def _list(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.store import ChunkStore

    with ChunkStore.open(arguments.store) as store:
        files = sorted(store.iter_files(), key=lambda file: file.name)
        stats = store.stats()
    if arguments.json:
        listed = {"store": arguments.store, "files": [file.as_dict() for file in files], "stats": stats.as_dict()}
        terminal.write(json.dumps(listed))
        return 0
    for file in files:
        terminal.write(f"{file.size:>15,}  {file.root[:16]}  {shown(file.name)}")
    terminal.note(f"{stats.files:,} files, {stats.bytes:,} bytes; {stats.chunks:,} distinct chunks take "
                  f"{stats.stored_bytes:,} bytes in {stats.packs:,} packs")
    return 0


def _verify(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.store import ChunkStore

    progress = terminal.progress(quiet=arguments.quiet, weights={"verify": 1.0})
    with ChunkStore.open(arguments.store) as store:
        report = store.verify(progress=progress)
    progress.finish()
    if arguments.json:
        terminal.write(json.dumps({"store": arguments.store, **report.as_dict()}))
    else:
        for problem in report.problems:
            terminal.write(shown(problem))
        terminal.note(f"{report.files:,} files and {report.chunks:,} chunks checked, {len(report.problems):,} problems")
    return CorruptDataError.exit_code if report.problems else 0


def _stats(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.store import ChunkStore

    with ChunkStore.open(arguments.store) as store:
        stats, profile = store.stats(), store.profile
    if arguments.json:
        terminal.write(json.dumps({"store": arguments.store, "stats": stats.as_dict(), "profile": profile.as_dict()}))
        return 0
    terminal.write(f"{stats.files:,} files of {stats.bytes:,} bytes")
    terminal.write(f"{stats.chunks:,} distinct chunks of {stats.chunk_bytes:,} bytes: each byte is used "
                   f"{stats.bytes / max(1, stats.chunk_bytes):.2f} times")
    terminal.write(f"{stats.stored_bytes:,} bytes in {stats.packs:,} packs: {stats.stored_bytes / max(1, stats.bytes):.1%} "
                   "of the files")
    return 0


def _delete(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.store import ChunkStore

    with ChunkStore.open(arguments.store) as store:
        store.delete(*arguments.names)
    if arguments.json:
        terminal.write(json.dumps({"store": arguments.store, "deleted": arguments.names}))
    return 0


def _gc(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.store import ChunkStore

    progress = terminal.progress(quiet=arguments.quiet, weights={"gc": 1.0})
    with ChunkStore.open(arguments.store) as store:
        report = store.gc(waste=arguments.waste, dry_run=arguments.dry_run, progress=progress)
    progress.finish()
    if arguments.json:
        terminal.write(json.dumps({"store": arguments.store, **report.as_dict()}))
    else:
        for problem in report.kept:
            terminal.write(f"left alone: {shown(problem)}")
        would = "would free" if report.dry_run else "freed"
        terminal.write(f"{would} {report.bytes_freed:,} bytes: {report.chunks_removed:,} chunks; packs removed "
                       f"{report.packs_removed:,}, rewritten {report.packs_rewritten:,}")
    return CorruptDataError.exit_code if report.kept else 0
