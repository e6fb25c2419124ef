"""Tree diffs, trees whole and large ones spilled. Run: python benchmarks/peers/tree_modes.py REPO [MB [COMMITS]]

Compares the newest COMMITS (all unless given) with their first parents twice, each in a process of its own: with the
default budget and every tree in memory, and with MB (64) in all, where large trees go to the spill arena.  Prints CPU time,
peak memory and counters.  Ends with 1 where the changes differ or nothing was spilled and streamed.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

_WHOLE = 1 << 40  # bytes: no tree is larger


def run_one(repository: str, megabytes: int, count: int | None) -> dict[str, Any]:
    """Return what one budget costs, and a digest of all changes."""
    from siltstone.core.budget import MIB, Budget
    from siltstone.core.metrics import Metrics
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase
    from siltstone.gitobjects.tree_diff import TreeDiffer

    budget = Budget(total_bytes=megabytes * MIB) if megabytes else Budget()
    metrics, digest, changes = Metrics(), hashlib.sha256(), 0
    with ObjectDatabase.open(repository, budget=budget) as db:
        history = CommitHistory.load(db)
        rows = list(history.ordered_rows("date"))[:count]
        with TreeDiffer(db, stream_bytes=None if megabytes else _WHOLE, metrics=metrics) as differ:
            for row in rows:
                parents = history.parent_rows(row)
                for change in differ.diff(history.tree(parents[0]) if len(parents) else None, history.tree(row)):
                    sides = (change.old_oid or b"-") + b" " + (change.new_oid or b"-")
                    digest.update(b"%d %o %o %s %s\n" % (change.kind, change.old_mode, change.new_mode, sides, change.path))
                    changes += 1
        arena = db.spill
        spilled = (arena.spilled_bytes, arena.refused, arena.refusal) if megabytes and arena is not None else (0, 0, "")
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "changes": changes, "digest": digest.hexdigest(), "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": peak_megabytes(), "spilled_mb": spilled[0] >> 20, "refused": spilled[1], "refusal": spilled[2],
        **metrics.as_dict()["counts"],
    }


def peak_megabytes() -> int:
    """Return the peak of this process, mapped pages included."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> int:
    """Compare, or with --one be one of the two."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(run_one(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None)))
        return 0
    found = []
    for megabytes in ("0", sys.argv[2] if len(sys.argv) > 2 else "64"):
        words = [sys.executable, __file__, "--one", sys.argv[1], megabytes, *sys.argv[3:4]]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
        print("trees whole" if megabytes == "0" else f"{megabytes} MB in all", json.dumps(found[-1]))
    same = found[0]["digest"] == found[1]["digest"]
    print("all changes equal" if same else "CHANGES DIFFER")
    return 0 if same and found[1].get("trees.spilled") and found[1].get("trees.streamed") else 1


if __name__ == "__main__":
    sys.exit(main())
