"""Tree record kernel alone. A change outside src/_native/tree_entries.pyx and its headers should not move these."""

from __future__ import annotations

import random

from siltstone._native import tree_entries


def make_tree(rng: random.Random, count: int) -> bytes:
    """Return a sorted tree of *count* files."""
    return b"".join(b"100644 file%06d.c\0" % i + rng.randbytes(20) for i in range(count))


class TreeRecords:
    params = ([100, 10_000],)
    param_names = ("entries",)

    def setup(self, entries: int) -> None:
        rng = random.Random(40_000)
        self.old = make_tree(rng, entries)
        middle = len(self.old) // 2
        self.new = self.old[:middle] + self.old[middle:].replace(b"file00", b"file0_", 1)
        self.ids = tree_entries.IdSet(20)
        self.ids.take_new(self.old)

    def time_parse(self, entries: int) -> None:
        tree_entries.parse_entries(self.old, 20)

    def time_diff_of_one_change(self, entries: int) -> None:
        tree_entries.diff_entries(self.old, self.new, 20)

    def time_take_new_of_a_seen_tree(self, entries: int) -> None:
        self.ids.take_new(self.old)

    def time_fill_a_set(self, entries: int) -> None:
        tree_entries.IdSet(20).take_new(self.old)

    def peakmem_parse(self, entries: int) -> None:
        tree_entries.parse_entries(self.old, 20)
