"""Records and differences of trees that may be damaged or out of order, from whole bytes: what every window must give."""

from __future__ import annotations

from collections.abc import Iterator

from siltstone.core.errors import CorruptDataError
from tests.reference.tree_entries import Entry, canonical, parse_record, sort_key

Change = tuple[bytes, int, int, bytes | None, bytes | None]


def iter_records(data: bytes, id_size: int) -> Iterator[Entry]:
    offset = 0
    while offset < len(data):
        entry, offset = parse_record(data, offset, id_size)
        yield entry


def iter_changes(old: bytes, new: bytes, id_size: int) -> Iterator[Change]:
    """A merge walk that takes the new side first; a fault where both have the same rest ends it without an error."""
    sides = {"old tree": old, "new tree": new}
    places = {"old tree": 0, "new tree": 0}
    waiting: dict[str, Entry | None] = {"old tree": None, "new tree": None}
    while True:
        for side in ("new tree", "old tree"):
            data, place = sides[side], places[side]
            if waiting[side] is not None or place == len(data):
                continue
            try:
                waiting[side], places[side] = parse_record(data, place, id_size)
            except CorruptDataError as error:
                if side == "new tree" and waiting["old tree"] is None and old[places["old tree"] :] == data[place:]:
                    return
                raise error.within(side) from None
        before, after = waiting["old tree"], waiting["new tree"]
        if before is None and after is None:
            return
        left = after is None or (before is not None and sort_key(before) <= sort_key(after))
        right = before is None or (after is not None and sort_key(after) <= sort_key(before))
        waiting["old tree"] = None if left else before
        waiting["new tree"] = None if right else after
        yield from difference(before if left else None, after if right else None)


def difference(before: Entry | None, after: Entry | None) -> Iterator[Change]:
    """Yield the change from one entry to another of its name, if it is one."""
    named = after or before
    assert named is not None
    modes = [0 if entry is None else canonical(entry[0]) for entry in (before, after)]
    ids = [None if entry is None else entry[2] for entry in (before, after)]
    if modes[0] != modes[1] or ids[0] != ids[1]:
        yield named[1], modes[0], modes[1], ids[0], ids[1]
