"""What commits bring, the obvious way: whole trees, recursion, dictionaries. Twin of ``siltstone._native.candidates``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.reference.tree_entries import parse_entries

_TREE, _LINK, _GITLINK, _FILE = 0o040000, 0o120000, 0o160000, 0o100000
ADD, MODIFY = 1, 2

Row = tuple[int, int, int, int, int, bytes, bytes]


def canonical(mode: int) -> int:
    """Return the mode git shows."""
    kind = mode & 0o170000
    if kind == _FILE:
        return 0o100755 if mode & 0o100 else 0o100644
    return kind if kind in (_TREE, _LINK) else _GITLINK


def _entries(trees: Mapping[bytes, bytes], oid: bytes | None, id_size: int) -> dict[tuple[bytes, bool], tuple[int, bytes]]:
    if oid is None:
        return {}
    found = parse_entries(trees[oid], id_size)
    return {(name, canonical(mode) == _TREE): (canonical(mode), entry) for mode, name, entry in found}


def changes(
    trees: Mapping[bytes, bytes], old: bytes | None, new: bytes, id_size: int, prefix: bytes = b""
) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield ``(change, mode, blob, path)`` in git's order."""
    if old == new:
        return
    before, after = _entries(trees, old, id_size), _entries(trees, new, id_size)
    for key in sorted(after, key=lambda key: key[0] + b"/" * key[1]):
        mode, oid = after[key]
        was = before.get(key)
        if was is not None and was[1] == oid:
            continue
        if key[1]:
            yield from changes(trees, was[1] if was else None, oid, id_size, prefix + key[0] + b"/")
        elif mode != _GITLINK:
            yield MODIFY if was else ADD, mode, oid, prefix + key[0]


def candidate_rows(
    trees: Mapping[bytes, bytes], roots: Sequence[bytes], parents: Sequence[Sequence[int]], commits: Sequence[int],
    *, all_parents: bool, id_size: int,
) -> list[Row]:  # fmt: skip
    """Return ``(commit, parent, index, change, mode, blob, path)`` of each row; a parent below 0 cannot be followed."""
    rows: list[Row] = []
    for commit in commits:
        pairs = list(enumerate(parents[commit])) if all_parents else list(enumerate(parents[commit][:1]))
        followed = [(index, parent) for index, parent in pairs if parent >= 0] or [(0, -1)]
        for index, parent in followed:
            old = None if parent < 0 else roots[parent]
            rows += [
                (commit, parent, index, change, mode, blob, path)
                for change, mode, blob, path in changes(trees, old, roots[commit], id_size)
            ]
    return rows
