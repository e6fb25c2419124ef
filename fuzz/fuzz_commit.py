"""Commits: any bytes give tree, parents and time as the plain twin reads them, or CorruptDataError at the same place."""

from __future__ import annotations

import sys
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutation import run

from siltstone._native.commit_columns import CommitColumns, parse_commit_links
from siltstone.core.errors import CorruptDataError
from tests.reference import commit_columns as reference

WHO = b"A <a@example.com> 1700000000 +0100\n"
SEEDS = [
    b"tree %s\n%sauthor %scommitter %s\nmessage\n" % (b"ab" * size, b"".join(
        b"parent %s\n" % (digit * 2 * size) for digit in (b"1", b"2", b"3")[:count]), WHO, WHO)
    for size in (20, 32) for count in range(4)
]


def check(data: bytes) -> None:
    """Parse with both, for both sizes of id; damage of both ends the try as refused."""
    for size in (20, 32):
        failure: CorruptDataError | None = None
        columns = CommitColumns(size)
        told = columns.add_block(data, array("q", [0]), array("q", [len(data)]), bytes(size))
        try:
            expected = reference.parse_commit_links(data, size)
        except CorruptDataError as error:
            failure, expected = error, None
        assert told == ([] if failure is None else [(0, failure.problem)])
        if expected is None or failure is not None:
            continue
        assert parse_commit_links(data, size) == expected
        tree, parents, time = expected
        oids, trees, times, links, _, missing = columns.finish()
        assert (oids, trees, memoryview(times).cast("q")[0]) == (bytes(size), tree, time)
        assert len(links) // 8 == len(parents) // size
        assert {missing[at : at + size] for at in range(0, len(missing), size)} | {oids} >= {
            parents[at : at + size] for at in range(0, len(parents), size)}
        return
    if failure is not None:
        raise failure


if __name__ == "__main__":
    sys.exit(run(check, SEEDS))
