"""Tree diffs of all non-merge commits: git and ours in turn. Run: python benchmarks/peers/tree_diffs.py REPO [ROUNDS]

Both print each commit and its changed paths in git's raw format to a pipe; ours starts with an empty cache each time, as git
does.  Prints medians, the ratio, and whether every row is equal.  Ends with 1 where rows differ, 2 without git.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

GIT = ("log", "--all", "--raw", "--no-abbrev", "--no-renames", "--root", "--format=%H")


def iter_lines(repository: str) -> Iterator[bytes]:
    """Yield our rows as git prints them."""
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase
    from siltstone.gitobjects.path_names import quote_path
    from siltstone.gitobjects.tree_diff import ChangeKind, TreeDiffer

    with ObjectDatabase.open(repository) as db:
        none = "0" * (2 * db.algorithm.size)
        history, differ = CommitHistory.load(db), TreeDiffer(db)
        for row in history.ordered_rows("date"):
            parents = history.parent_rows(row)
            yield history.oid(row).hex().encode() + b"\n"
            if len(parents) > 1:
                continue
            old = history.tree(parents[0]) if parents else None
            for change in differ.diff(old, history.tree(row)):
                typed = change.old_mode >> 12 != change.new_mode >> 12
                letter = "T" if change.kind is ChangeKind.MODIFY and typed else change.kind.name[0]
                sides = " ".join(oid.hex() if oid else none for oid in (change.old_oid, change.new_oid))
                head = f":{change.old_mode:06o} {change.new_mode:06o} {sides} {letter}\t"
                yield head.encode() + quote_path(change.path) + b"\n"


def rows_by_commit(output: bytes) -> dict[bytes, list[bytes]]:
    """Return the rows below each commit."""
    found: dict[bytes, list[bytes]] = {}
    rows: list[bytes] = []
    for line in output.split(b"\n"):
        if line.startswith(b":"):
            rows.append(line)
        elif line:
            rows = found.setdefault(line, [])
    return found


def compare(repository: str, rounds: int) -> int:
    """Run both in turn and print what came out."""
    from measuring import alternate, measure, report

    ours_words = [sys.executable, str(Path(__file__).resolve()), "--ours", repository]
    runs = alternate(
        {
            "git log --all --raw": lambda: measure(["git", "-C", repository, *GIT]),
            "siltstone TreeDiffer": lambda: measure(ours_words),
        },
        rounds=rounds,
    )
    report(runs)
    theirs, ours = (rows_by_commit(found[0].output) for found in runs.values())
    count = sum(map(len, ours.values()))
    print(f"{len(ours):,} commits, {count:,} rows, {'all equal' if theirs == ours else 'ROWS DIFFER'}")
    return 0 if theirs == ours else 1


def main() -> int:
    """Compare, or with --ours print our rows."""
    if sys.argv[1:2] == ["--ours"]:
        sys.stdout.buffer.writelines(iter_lines(sys.argv[2]))
        return 0
    if not shutil.which("git"):
        print("git is not installed: nothing to compare with")
        return 2
    return compare(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)


if __name__ == "__main__":
    sys.exit(main())
