"""Commit columns kernel alone. A change outside src/_native/commit_columns.pyx and its headers should not move these."""

from __future__ import annotations

import random
from array import array

from siltstone._native.commit_columns import CommitColumns

COMMITS = 50_000


class Parsing:
    """50,000 commits of 600 bytes, one in four a merge."""

    def setup(self) -> None:
        rng = random.Random(40_002)
        names = [rng.randbytes(20) for _ in range(COMMITS)]
        pieces, ends, total = [], array("q"), 0
        for i in range(COMMITS):
            parents = [names[j] for j in (i - 1, i - rng.randint(2, 40))[: 1 + (i % 4 == 0)] if j >= 0]
            lines = ["tree " + rng.randbytes(20).hex(), *("parent " + parent.hex() for parent in parents)]
            lines += [f"author A <a@example.com> {i} +0000", f"committer C <c@example.com> {10**9 + i} +0000", "", "m" * 400]
            pieces.append("\n".join(lines).encode())
            total += len(pieces[-1])
            ends.append(total)
        starts = array("q", [end - len(piece) for end, piece in zip(ends, pieces, strict=True)])
        self.block = (b"".join(pieces), starts, ends, b"".join(names))

    def time_add_block(self) -> None:
        CommitColumns(20).add_block(*self.block)

    def time_add_block_and_finish(self) -> None:
        columns = CommitColumns(20)
        columns.add_block(*self.block)
        columns.finish()

    def track_bytes_per_commit(self) -> float:
        columns = CommitColumns(20)
        columns.add_block(*self.block)
        return columns.memory_bytes / COMMITS

    track_bytes_per_commit.unit = "bytes"
