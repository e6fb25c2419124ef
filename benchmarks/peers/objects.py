"""Counting and verifying objects: git and ours in turn. Run: python benchmarks/peers/objects.py REPO [ROUNDS]

Counting: ``silt objects stats`` and ``git cat-file --batch-check`` of all objects with type, size and base; the counts by kind
must be equal.  Verifying: ``silt objects verify``, which hashes every object and reads every file to its end, and
``git verify-pack`` of every pack, which does that for packs.  Ends with 1 where counts differ or either finds a fault, 2
without git.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

SILT = (sys.executable, "-m", "siltstone.cli.main", "objects")
CHECK = "--batch-check=%(objecttype) %(objectsize) %(deltabase)"


def counts_of_git(output: bytes) -> dict[str, tuple[int, int, int]]:
    """Return objects, bytes and deltas by kind."""
    found: dict[str, tuple[int, int, int]] = {}
    for line in output.splitlines():
        kind, size, base = line.split()
        objects, content, deltas = found.get(kind.decode(), (0, 0, 0))
        found[kind.decode()] = (objects + 1, content + int(size), deltas + bool(base.strip(b"0")))
    return found


def counts_of_ours(output: bytes) -> dict[str, tuple[int, int, int]]:
    """Return the same of ``silt objects stats --json``."""
    kinds = json.loads(output)["kinds"].items()
    return {kind: (told["objects"], told["content_bytes"], told["deltas"]) for kind, told in kinds if told["objects"]}


def main() -> int:
    """Compare and print what came out."""
    from measuring import alternate, measure, report

    if not shutil.which("git"):
        print("git is not installed: nothing to compare with")
        return 2
    repository, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    asked = ["git", "-C", repository, "rev-parse", "--git-path", "objects/pack"]
    folder = Path(repository) / subprocess.run(asked, check=True, capture_output=True).stdout.decode().strip()
    packs = [str(path.resolve()) for path in sorted(folder.glob("*.idx"))]
    counted = alternate(
        {
            "git cat-file --batch-check": lambda: measure(
                ["git", "-C", repository, "cat-file", "--batch-all-objects", "--unordered", CHECK]),
            "silt objects stats": lambda: measure([*SILT, "stats", "--json", "--quiet", "--repo", repository]),
        },
        rounds=rounds,
    )
    report(counted)
    theirs, ours = (runs[0].output for runs in counted.values())
    same = counts_of_git(theirs) == counts_of_ours(ours)
    print(f"counts by kind: {'equal' if same else 'THEY DIFFER'}")
    verified = alternate(
        {
            "git verify-pack": lambda: measure(["git", "-C", repository, "verify-pack", *packs]),
            "silt objects verify": lambda: measure([*SILT, "verify", "--quiet", "--repo", repository]),
        },
        rounds=rounds,
    )
    report(verified)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
