"""Commit order kernel alone. A change outside src/_native/commit_order.pyx and its headers should not move these."""

from __future__ import annotations

import random
from array import array

from siltstone._native.commit_order import find_ids, mark_reached, order_rows

COMMITS = 200_000


class Orders:
    """200,000 commits in rows of random order, one in four a merge of a branch of up to 40 commits."""

    params = ([0, 1, 2],)
    param_names = ("order",)

    def setup(self, order: int) -> None:
        rng = random.Random(40_003)
        places = rng.sample(range(COMMITS), COMMITS)  # age -> row
        named: list[list[int]] = [[] for _ in range(COMMITS)]
        ages = [0] * COMMITS
        for age, row in enumerate(places):
            ages[row] = age
            named[row] = [places[other] for other in (age - 1, age - rng.randint(2, 40))[: 1 + (age % 4 == 0)] if other >= 0]
        self.parents, self.starts = array("q"), array("q", [0])
        for parents in named:
            self.parents.extend(parents)
            self.starts.append(len(self.parents))
        self.times, self.chosen = array("q", ages), b"\1" * COMMITS
        self.tip = array("q", [places[-1]])
        self.ids = b"".join(sorted(rng.randbytes(20) for _ in range(COMMITS)))

    def time_order_rows(self, order: int) -> None:
        order_rows(order, self.times, self.parents, self.starts, self.chosen)

    def time_mark_reached(self, order: int) -> None:
        mark_reached(bytearray(COMMITS), self.tip, self.parents, self.starts)

    def time_find_ids(self, order: int) -> None:
        find_ids(self.ids, self.ids, 20)
