"""What stands in for what: grafts give a commit other parents, replace references give an object another content.

Both are views on history (gitrepository-layout "info/grafts", git-replace). Objects are always read as they are; who follows
history asks here, since that is what git shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import HashAlgorithm, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.small_files import read_small_file

_MOST_GRAFT_BYTES = 1 << 28
_MOST_REPLACEMENTS_IN_A_ROW = 4  # a replacement may be replaced; as git
_REPLACE = b"refs/replace/"


def read_grafts(common_dir: Path, algorithm: HashAlgorithm, ledger: CoverageLedger) -> dict[ObjectId, tuple[ObjectId, ...]]:
    """Return the parents that ``info/grafts`` gives to commits; the first line about a commit counts.

    A line that does not parse goes to the ledger. A shallow boundary outranks a graft.
    """
    path = common_dir / "info" / "grafts"
    try:
        text = read_small_file(path, _MOST_GRAFT_BYTES) or b""
    except CorruptDataError as error:
        ledger.add(Reason.CORRUPT, os.fsencode(path), error.problem)
        return {}
    grafts: dict[ObjectId, tuple[ObjectId, ...]] = {}
    for number, line in enumerate(text.split(b"\n"), 1):
        words = re.split(rb"\s", line.rstrip())
        if words == [b""] or line.startswith(b"#"):
            continue
        ids = [_parse_id(word, algorithm) for word in words]
        known = [oid for oid in ids if oid is not None]
        if len(known) < len(ids):
            ledger.add(Reason.CORRUPT, os.fsencode(path), f"line {number} is not a list of commits")
        else:
            grafts.setdefault(known[0], tuple(known[1:]))
    return grafts


def find_replacements(
    refs: Mapping[bytes, ObjectId], algorithm: HashAlgorithm, ledger: CoverageLedger
) -> dict[ObjectId, ObjectId]:
    """Return what replaces what by ``refs/replace/<id>``, each led to its end.

    A name that is no object id, and a chain longer than git follows, go to the ledger.
    """
    direct: dict[ObjectId, ObjectId] = {}
    for name, oid in refs.items():
        if name.startswith(_REPLACE):
            replaced = _parse_id(name[len(_REPLACE) :], algorithm)
            if replaced is None:
                ledger.add(Reason.CORRUPT, name, "a replace reference is named by an object id")
            else:
                direct[replaced] = oid
    found = {}
    for replaced in direct:
        oid, steps = replaced, 0
        while oid in direct and steps <= _MOST_REPLACEMENTS_IN_A_ROW:
            oid, steps = direct[oid], steps + 1
        if steps > _MOST_REPLACEMENTS_IN_A_ROW:
            ledger.add(Reason.CORRUPT, _REPLACE + replaced.hex().encode(), "replacements lead too far or in a circle")
        else:
            found[replaced] = oid
    return found


def _parse_id(text: bytes, algorithm: HashAlgorithm) -> ObjectId | None:
    try:
        digest = bytes.fromhex(text.decode("ascii")) if len(text) == 2 * algorithm.size else b""
    except ValueError:
        return None
    return ObjectId(digest) if len(digest) == algorithm.size else None
