"""Decode every object of a repository: ``git cat-file --batch-all-objects`` and the walk, in turns, and compare them.

Usage: decode_objects.py REPOSITORY [ROUNDS].  Prints medians and their ratio; exits 1 where a single object differs, 2
where git is missing.
"""

from __future__ import annotations

import hashlib
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase

LABELS = {kind.label: kind for kind in Kind}


def git_command(git_dir: Path) -> list[str]:
    return ["git", "--git-dir", str(git_dir), "cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"]


def time_git(git_dir: Path) -> float:
    """Seconds git takes to write every object to nowhere."""
    start = time.perf_counter()
    subprocess.run(git_command(git_dir), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def time_walk(git_dir: Path, kinds: list[Kind]) -> tuple[float, int, int]:
    """Seconds, objects and bytes of a walk."""
    start = time.perf_counter()
    count = size = 0
    with ObjectDatabase.open(git_dir) as database:
        for block in database.walk_objects(kinds):
            count += len(block)
            size += block.size
    return time.perf_counter() - start, count, size


def digests_of_walk(git_dir: Path) -> dict[bytes, bytes]:
    """A digest of kind and content of every object the walk gives."""
    found = {}
    with ObjectDatabase.open(git_dir) as database:
        for block in database.walk_objects(list(Kind)):
            for i in range(len(block)):
                found[bytes(block.oid(i))] = digest(block.kind(i), block.content(i))
    return found


def digest(kind: Kind, content: bytes | memoryview) -> bytes:
    value = hashlib.blake2b(bytes([kind]), digest_size=12)
    value.update(content)
    return value.digest()


def compare(git_dir: Path) -> int:
    """Return how many objects differ, are missing on either side, or come twice."""
    ours = digests_of_walk(git_dir)
    wrong = 0
    with subprocess.Popen(git_command(git_dir), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        while line := child.stdout.readline():
            name, label, size = line.split()
            content = child.stdout.read(int(size) + 1)[:-1]
            wrong += ours.pop(ObjectId(bytes.fromhex(name.decode())), b"") != digest(LABELS[label], content)
    return wrong + len(ours)


def main() -> int:
    """Run the comparison."""
    if shutil.which("git") is None or len(sys.argv) < 2:
        print("usage: decode_objects.py REPOSITORY [ROUNDS]; needs git")
        return 2
    with ObjectDatabase.open(sys.argv[1]) as database:
        git_dir = database.git_dir
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    theirs, ours, blobs = [], [], []
    for _ in range(rounds):
        theirs.append(time_git(git_dir))
        ours.append(time_walk(git_dir, list(Kind)))
        blobs.append(time_walk(git_dir, [Kind.BLOB]))
    seconds = statistics.median(run[0] for run in ours)
    blob_seconds = statistics.median(run[0] for run in blobs)
    print(f"git cat-file     {statistics.median(theirs):7.2f} s   every object")
    print(f"siltstone walk   {seconds:7.2f} s   {ours[0][1]:,} objects, {ours[0][2] / 1e9:.2f} GB")
    print(f"siltstone walk   {blob_seconds:7.2f} s   {blobs[0][1]:,} blobs, {blobs[0][2] / 1e9:.2f} GB")
    print(f"ratio            {statistics.median(theirs) / seconds:7.2f} x")
    wrong = compare(git_dir)
    print(f"objects that differ: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
