"""Where a walk over commits starts: tips peeled to commits, each read at most once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

_TAG_TARGET = re.compile(rb"object ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n")


def all_tips(db: ObjectDatabase) -> list[ObjectId]:
    """Return what every reference and the HEAD of every worktree name, ascending (``git rev-list --all``)."""
    return sorted({*db.refs().values(), *db.heads().values()})


class TipReader:
    """Peels tips to commits. A tip that cannot be read goes to the ledger, once, however often it is asked for."""

    def __init__(self, db: ObjectDatabase) -> None:
        self._db = db
        self._peeled: dict[ObjectId, ObjectId | None] = {}

    def commits(
        self, tips: Collection[ObjectId], is_commit: Callable[[bytes], bytes | bytearray], *, quiet: bool = False
    ) -> list[ObjectId]:
        """Return the commits that *tips* lead to, ascending, one that leads to none left out.

        *is_commit* gives a byte for each id of many, not 0 where it is known to be a commit: these are not read.
        A tip that is missing is not told of where *quiet*.
        """
        asked = sorted(set(tips))
        known = is_commit(b"".join(asked))
        commits = {oid for oid, there in zip(asked, known, strict=True) if there}
        for oid, there in zip(asked, known, strict=True):
            if there:
                continue
            if oid not in self._peeled:
                self._peeled[oid] = self._peel(oid, quiet=quiet)
            commit = self._peeled[oid]
            if commit is not None:
                commits.add(commit)
        return sorted(commits)

    def _peel(self, tip: ObjectId, *, quiet: bool) -> ObjectId | None:
        """Return the commit that a tip leads to through tags, or None."""
        oid, met = tip, set[ObjectId]()
        named_by: ObjectId | None = None
        while oid not in met:
            met.add(oid)
            try:
                found = self._db.find(oid)
            except (CorruptDataError, BudgetExceeded) as error:
                reason = Reason.CORRUPT if isinstance(error, CorruptDataError) else Reason.OVERSIZE
                self._db.ledger.add(reason, oid.hex(), str(error))
                return None
            if found is None:
                if not quiet:
                    self._db.ledger.add(self._db.absence(named_by), oid.hex(), "named by a ref or a tag")
                return None
            if found.kind is Kind.COMMIT:
                return oid
            if found.kind is not Kind.TAG:
                return None
            target = _TAG_TARGET.match(found.data)
            if target is None:
                self._db.ledger.add(Reason.CORRUPT, oid.hex(), "tag names no object")
                return None
            named_by, oid = oid, ObjectId(bytes.fromhex(target[1].decode()))
        self._db.ledger.add(Reason.CORRUPT, tip.hex(), "tags lead in a circle")
        return None
