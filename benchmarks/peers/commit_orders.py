"""Walks over commits: git rev-list and ours. Run: python benchmarks/peers/commit_orders.py REPO [RANGES [ROUNDS]]

Proves first, then measures.  All commits, and RANGES random ``A..B`` (default 12), each with and without ``--first-parent``,
in topological and in date order: the same commits come out, and git's order and ours are both orders of the same rule, where
only commits of one second may change places (git takes those as its references came, ours goes by id).  The order "oldest"
is held to its definition.  Then user and system seconds of whole commands that print every commit, in turn, ROUNDS times.
Ends with 1 at the first difference, 2 without git.
"""

from __future__ import annotations

import heapq
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence

GIT_ORDERS = {"topological": "--topo-order", "date": "--date-order"}
ENVIRONMENT = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}


def git_words(repository: str, *words: str) -> list[str]:
    """Return the command; a user's settings have no say."""
    return ["git", "-C", repository, "--no-replace-objects", *words]


def run_git(repository: str, *words: str) -> list[str]:
    """Return the lines git prints."""
    done = subprocess.run(git_words(repository, *words), check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return done.stdout.splitlines()


def waits_of(rows: Iterable[str], parents: dict[str, list[str]]) -> tuple[set[str], dict[str, int]]:
    """Return the commits as a set, and how many children of each are among them."""
    chosen = set(rows)
    waits = dict.fromkeys(chosen, 0)
    for row in chosen:
        for parent in parents[row]:
            if parent in chosen:
                waits[parent] += 1
    return chosen, waits


def first_breach(rows: Sequence[str], parents: dict[str, list[str]], times: dict[str, int], *, by_line: bool) -> int:
    """Return the first place where *rows* leave the rule of the order, or -1; any of the newest ready commits may be next."""
    chosen, waits = waits_of(rows, parents)
    ready = [(-times[row], row) for row in chosen if not waits[row]]
    heapq.heapify(ready)
    fresh, taken, line = {row for _, row in ready}, set(), []
    for place, row in enumerate(rows):
        while ready and ready[0][1] in taken:
            heapq.heappop(ready)
        if line:
            if line.pop() != row:
                return place
        elif row not in fresh or row in taken or -ready[0][0] != times[row]:
            return place
        taken.add(row)
        for parent in parents[row]:
            if parent in chosen:
                waits[parent] -= 1
                if not waits[parent]:
                    if by_line:
                        line.append(parent)
                    else:
                        fresh.add(parent)
                        heapq.heappush(ready, (-times[parent], parent))
    return -1


def oldest_first(rows: Iterable[str], parents: dict[str, list[str]], times: dict[str, int]) -> list[str]:
    """Return *rows* by the definition of our order "oldest": parents first, else by time, then by id."""
    chosen = set(rows)
    waits = {row: sum(parent in chosen for parent in parents[row]) for row in chosen}
    children: dict[str, list[str]] = {}
    for row in chosen:
        for parent in parents[row]:
            children.setdefault(parent, []).append(row)
    ready = [(times[row], row) for row in chosen if not waits[row]]
    heapq.heapify(ready)
    found = []
    while ready:
        _, row = heapq.heappop(ready)
        found.append(row)
        for child in children.get(row, ()):
            waits[child] -= 1
            if not waits[child]:
                heapq.heappush(ready, (times[child], child))
    return found


def prove(repository: str, ranges: int) -> str | None:
    """Return what differs, or None."""
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.ids import parse_object_id
    from siltstone.gitobjects.object_database import ObjectDatabase

    lines = [line.split() for line in run_git(repository, "log", "--all", "--format=%H %ct %P")]
    parents = {row: named for row, _, *named in lines}
    times = {row: int(time) for row, time, *_ in lines}
    rng, names = random.Random(20), sorted(parents)
    picks = [None, *(rng.sample(names, 2) for _ in range(ranges if len(names) > 1 else 0))]
    exact = compared = 0
    with ObjectDatabase.open(repository) as db:
        for pick in picks:
            for first_parent in (False, True):
                tips = None if pick is None else [parse_object_id(pick[1])]
                exclude = [] if pick is None else [parse_object_id(pick[0])]
                history = CommitHistory.load(db, tips, exclude=exclude, first_parent=first_parent)
                words = [*["--first-parent"] * first_parent, "--all" if pick is None else f"{pick[0]}..{pick[1]}"]
                for order, flag in GIT_ORDERS.items():
                    theirs = run_git(repository, "rev-list", flag, *words)
                    ours = [history.oid(row).hex() for row in history.ordered_rows(order).tolist()]
                    exact, compared = exact + (ours == theirs), compared + 1
                    breaches = [first_breach(rows, parents, times, by_line=order == "topological") for rows in (theirs, ours)]
                    if sorted(ours) != sorted(theirs) or breaches != [-1, -1]:
                        return f"{order} {words}: {len(theirs)} and {len(ours)} commits, breaches at {breaches}"
                ours = [history.oid(row).hex() for row in history.ordered_rows("oldest").tolist()]
                if ours != oldest_first(ours, parents, times):
                    return f"oldest {words}"
    print(f"{len(names):,} commits: {compared} walks hold the same rule as git's, {exact} of them are equal line by line")
    return None


def cpu_seconds(words: Sequence[str]) -> float:
    """Return the user and system seconds of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(repository: str, rounds: int) -> None:
    """Print the medians of both for each order, and what loading and ordering alone cost us."""
    for order, flag in GIT_ORDERS.items():
        theirs, ours = [], []
        for _ in range(rounds):
            theirs.append(cpu_seconds(git_words(repository, "rev-list", "--all", flag)))
            ours.append(cpu_seconds([sys.executable, __file__, "--ours", repository, order]))
        ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
        print(f"{order:12} git {statistics.median(theirs):.2f} s, ours {statistics.median(ours):.2f} s, {ratio:.2f} x ours")
    subprocess.run([sys.executable, __file__, "--steps", repository], check=True)


def print_ours(repository: str, order: str) -> None:
    """Print every commit in *order*, as git does."""
    from siltstone.gitobjects.commits import CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase

    with ObjectDatabase.open(repository) as db:
        history = CommitHistory.load(db)
        for row in history.ordered_rows(order).tolist():
            print(history.oid(row).hex())


def print_steps(repository: str) -> None:
    """Print the CPU seconds of opening, loading and each order."""
    import time

    from siltstone.gitobjects.commits import ORDERS, CommitHistory
    from siltstone.gitobjects.object_database import ObjectDatabase

    start = time.process_time()
    with ObjectDatabase.open(repository) as db:
        opened = time.process_time()
        history = CommitHistory.load(db)
        loaded = time.process_time()
        print(f"open {opened - start:.2f} s, load {loaded - opened:.2f} s", end="")
        for order in ORDERS:
            before = time.process_time()
            history.ordered_rows(order)
            print(f", {order} {time.process_time() - before:.3f} s", end="")
        print(f"; {db.budget.reserved('history') / max(1, len(history.times)):.0f} bytes a commit, "
              f"{history.graph_commits:,} commits by a graph")


def main() -> int:
    """Prove and measure, or one of the steps that measuring runs."""
    if sys.argv[1] == "--ours":
        print_ours(sys.argv[2], sys.argv[3])
        return 0
    if sys.argv[1] == "--steps":
        print_steps(sys.argv[2])
        return 0
    if not shutil.which("git"):
        print("git is not installed: nothing to compare with")
        return 2
    difference = prove(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 12)
    if difference is not None:
        print("DIFFERENT:", difference)
        return 1
    measure(sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
