"""Ids that trees name and a set lacks, the obvious way: one record after the other, and `in`."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def find_absent(known: Collection[bytes], trees: Sequence[bytes], id_size: int, *, subtrees: bool = False) -> bytes:
    """Return the sorted absent ids of entries that are no submodules, and no trees unless *subtrees*, end to end."""
    passed_over = (0o160000,) if subtrees else (0o040000, 0o160000)
    absent = set()
    for tree in trees:
        at = 0
        while at < len(tree):
            space, end = tree.find(b" ", at), tree.find(b"\0", at)
            name = tree[space + 1 : end]
            digits = tree[at:space]
            if not (at < space < end) or end + 1 + id_size > len(tree) or not name or b"/" in name:
                break
            if not digits or digits.strip(b"01234567") or int(digits, 8) >> 32:
                break
            oid = tree[end + 1 : end + 1 + id_size]
            if int(digits, 8) & 0o170000 not in passed_over and oid not in known:
                absent.add(oid)
            at = end + 1 + id_size
    return b"".join(sorted(absent))
