"""Candidates of a history: git and ours in turn. Run: python benchmarks/peers/history_candidates.py REPO [ROUNDS] [MERGES]

*MERGES* is first-parent or all-parents (default: both).  Prints medians of wall time and peak memory, the ratio, and
whether the sorted rows (commit, parent, change, mode, blob, path) are equal; then the same with ``--max-memory-mb 64``,
its peak, and its spill and streaming counters.  Ends with 1 where rows differ, 2 without git.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

GIT = ("log", "--all", "--raw", "--no-abbrev", "--no-renames", "--root", "--format=oneline", "--no-abbrev-commit")
MODES = {"first-parent": "--diff-merges=first-parent", "all-parents": "-m"}
_OURS = ("-m", "siltstone.cli.main", "history", "candidates", "--quiet", "--stats")
_HEAD = re.compile(rb"([0-9a-f]{40,64}) (?:\(from ([0-9a-f]{40,64})\) )?")


def iter_git_rows(output: Path, parents: dict[bytes, bytes]) -> Iterator[bytes]:
    """Yield git's rows as ours are: without deletions, gitlinks and unchanged ids, a change of type as a modification."""
    from siltstone.gitobjects.path_names import unquote_path

    commit = parent = b""
    with output.open("rb") as lines:
        for line in lines:
            if not line.startswith(b":"):
                found = _HEAD.match(line)
                if found:
                    commit, parent = found[1], found[2] or parents[found[1]]
                continue
            facts, _, path = line[1:].rstrip(b"\n").partition(b"\t")
            _, mode, old, new, letter = facts.split(b" ")
            if letter != b"D" and mode != b"160000" and old != new:
                change = b"add" if letter == b"A" else b"modify"
                yield b" ".join((commit, parent, change, mode, new, unquote_path(path)))


def first_parents(repository: str) -> dict[bytes, bytes]:
    """Return the first parent of every commit, ``-`` of a root."""
    words = ["git", "--no-replace-objects", "-C", repository, "rev-list", "--all", "--parents"]
    lines = subprocess.run(words, check=True, capture_output=True).stdout.splitlines()
    return {line.split()[0]: [*line.split(), b"-"][1] for line in lines}


def iter_our_rows(output: Path) -> Iterator[bytes]:
    """Yield our rows in the same shape."""
    with output.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            path = row["path"].encode() if "path" in row else base64.b64decode(row["path_b64"])
            words = (row["commit"], row["parent"] or "-", row["change"], row["mode"], row["blob"])
            yield b" ".join((*(word.encode() for word in words), path))


def run(words: list[str], output: Path) -> tuple[float, int, str]:
    """Run one command, its rows to a file; return wall seconds, VmHWM in bytes and what it said on stderr."""
    from measuring import peak_of

    start = time.perf_counter()
    with output.open("wb") as out, tempfile.TemporaryFile("w+") as notes:
        process = subprocess.Popen(words, stdout=out, stderr=notes, env={**os.environ, "GIT_NO_LAZY_FETCH": "1"})
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        notes.seek(0)
        said = notes.read()
    if process.returncode:
        sys.exit(f"{words[0]} ended with {process.returncode}: {said}")
    return seconds, peak, said


def main() -> int:
    """Compare, and print what came out."""
    if not shutil.which("git"):
        print("git is not installed: nothing to compare with")
        return 2
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    modes = sys.argv[3:4] or [*MODES]
    with tempfile.TemporaryDirectory() as folder:
        return max(compare(sys.argv[1], rounds, mode, Path(folder)) for mode in modes)


def compare(repository: str, rounds: int, mode: str, folder: Path) -> int:
    """Run both sides in turn, then ours in 64 MB."""
    theirs, ours, small = folder / "git", folder / "ours", folder / "small"
    git = ["git", "--no-replace-objects", "-C", repository, *GIT, MODES[mode]]
    silt = [sys.executable, *_OURS, "--repo", repository, "--merges", mode]
    times: dict[str, list[tuple[float, int, str]]] = {"git": [], "silt": [], "silt, 64 MB": []}
    for _ in range(rounds):
        times["git"].append(run(git, theirs))
        times["silt"].append(run(silt, ours))
        times["silt, 64 MB"].append(run([*silt, "--max-memory-mb", "64"], small))
    base = statistics.median(found[0] for found in times["git"])
    for name, runs in times.items():
        seconds, peak = statistics.median(found[0] for found in runs), max(found[1] for found in runs)
        print(f"{mode:13} {name:12} {seconds:7.2f} s {peak / 1e6:6.0f} MB  git is {base / seconds:5.2f} x")
    print("\n".join(line for line in times["silt, 64 MB"][-1][2].splitlines() if line.startswith("trees.")))
    equal = sorted(iter_git_rows(theirs, first_parents(repository))) == sorted(iter_our_rows(ours))
    same = subprocess.run(["cmp", str(ours), str(small)], check=False).returncode == 0
    print(f"{mode}: rows {'all equal' if equal else 'DIFFER'}; within 64 MB {'the same bytes' if same else 'OTHER BYTES'}")
    return 0 if equal and same else 1


if __name__ == "__main__":
    sys.exit(main())
