"""Who brought a blob: ours for 1 and for 100 random blobs, each answer against the minimum over git's full list of changes.

Usage: attribution.py REPOSITORY [ROUNDS [SEED]] [--max-memory-mb N].  Ours runs in a process of its own and opens the
repository each time; N bounds its budget (all names together).  The list is that of ``git log --raw`` against first parents;
the minimum is by place of the commit (parents first, else oldest), then path.  Prints medians, VmHWM and CPU seconds of each
process of ours, and how many answers differ; ends with 1 where one does, 2 without git.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import time
from pathlib import Path

GIT = ("log", "--all", "--raw", "--no-abbrev", "--no-renames", "--root", "--diff-merges=first-parent", "--format=%H")
COUNTS = (1, 100)


def places_of_commits(repository: str) -> dict[bytes, int]:
    """Return the place of each commit in the order ``oldest``, by its id in hexadecimal."""
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase

    with ObjectDatabase.open(repository) as db:
        history = CommitHistory.load(db)
        return {history.oid(int(row)).hex().encode(): at for at, row in enumerate(history.ordered_rows("oldest"))}


def first_changes(output: bytes, places: dict[bytes, int]) -> dict[bytes, tuple[int, bytes, bytes]]:
    """Return ``(place, path, commit)`` of the smallest addition or modification that brought each blob."""
    from siltstone.gitobjects.path_names import unquote_path

    found: dict[bytes, tuple[int, bytes, bytes]] = {}
    commit = b""
    for line in output.split(b"\n"):
        if not line.startswith(b":"):
            commit = line or commit
            continue
        head, path = line.split(b"\t", 1)
        _, mode, old, new, letter = head.split(b" ")
        if letter != b"D" and mode != b"160000" and old != new:
            change = (places[commit], unquote_path(path), commit)
            found[new] = min(found.get(new, change), change)
    return found


def attribute_words(repository: str, blobs: list[bytes], max_memory_mb: int | None) -> None:
    """Print blob, commit and path of each of *blobs*, as we find them; on stderr what it took."""
    from siltstone.core.budget import MIB, Budget
    from siltstone.core.memory import peak_resident_bytes
    from siltstone.gitobjects.attribution import attribute
    from siltstone.gitobjects.ids import ObjectId
    from siltstone.gitobjects.object_database import ObjectDatabase

    budget = Budget(total_bytes=max_memory_mb and max_memory_mb * MIB)
    with ObjectDatabase.open(repository, budget=budget) as db:
        for blob, context in attribute(db, [ObjectId(bytes.fromhex(blob.decode())) for blob in blobs]).items():
            sys.stdout.buffer.write(b"%s %s %s\0" % (blob.hex().encode(), context.commit.hex().encode(), context.path))
    peak, cpu = peak_resident_bytes() / 1e6, time.process_time()
    print(f"  {len(blobs):3} blobs: VmHWM {peak:.0f} MB, {cpu:.2f} s CPU", file=sys.stderr)


def compare(repository: str, rounds: int, seed: int, max_memory_mb: int | None) -> int:
    """Run git once and ours in turn; return how many answers differ."""
    from measuring import alternate, measure, report

    git = measure(["git", "--git-dir", repository, *GIT])
    expected = first_changes(git.output, places_of_commits(repository))
    print(f"git log --raw {git.seconds:.2f} s, {len(expected):,} blobs; {os.cpu_count()} cores")
    picks = {count: random.Random(seed).sample(sorted(expected), min(count, len(expected))) for count in COUNTS}
    us = [sys.executable, str(Path(__file__).resolve()), "--ours", repository, f"--max-memory-mb={max_memory_mb or 0}"]
    words = {f"siltstone, {count} blobs": [*us, *(blob.decode() for blob in blobs)] for count, blobs in picks.items()}
    runs = alternate({name: (lambda one=one: measure(one)) for name, one in words.items()}, rounds=rounds)
    report(runs)
    wrong = 0
    for blobs, measured in zip(picks.values(), runs.values(), strict=True):
        for run in measured:
            rows = dict(row.split(b" ", 1) for row in run.output.split(b"\0")[:-1])
            wrong += sum(rows.get(blob) != b"%s %s" % (expected[blob][2], expected[blob][1]) for blob in blobs)
    print(f"answers that differ: {wrong}")
    return wrong


def main() -> int:
    """Compare, or with --ours print our answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--max-memory-mb", type=int, default=0)
    parser.add_argument("repository")
    parser.add_argument("rest", nargs="*")
    arguments = parser.parse_intermixed_args()
    limit = arguments.max_memory_mb or None
    if arguments.ours:
        attribute_words(arguments.repository, [word.encode() for word in arguments.rest], limit)
        return 0
    if not shutil.which("git"):
        print("attribution.py needs git")
        return 2
    os.environ["GIT_NO_LAZY_FETCH"] = "1"
    from siltstone.gitobjects.object_database import ObjectDatabase

    with ObjectDatabase.open(arguments.repository) as db:
        git_dir = str(db.git_dir)
    rounds, seed = (int(word) for word in (*arguments.rest[:2], *("3", "4")[len(arguments.rest[:2]) :]))
    return 1 if compare(git_dir, rounds, seed, limit) else 0


if __name__ == "__main__":
    sys.exit(main())
