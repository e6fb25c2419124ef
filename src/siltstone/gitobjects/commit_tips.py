"""Where a walk over commits starts: tips peeled to commits, each read at most once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

_TAG_CHAIN_LIMIT = 64  # a tag of a tag of a tag
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
        oid = tip
        for _ in range(_TAG_CHAIN_LIMIT):
            try:
                found = self._db.find(oid)
            except (CorruptDataError, BudgetExceeded) as error:
                reason = Reason.CORRUPT if isinstance(error, CorruptDataError) else Reason.OVERSIZE
                self._db.ledger.add(reason, oid.hex(), str(error))
                return None
            if found is None:
                if not quiet:
                    self._db.ledger.add(Reason.MISSING, oid.hex(), "named by a ref or a tag")
                return None
            if found.kind is Kind.COMMIT:
                return oid
            target = _TAG_TARGET.match(found.data) if found.kind is Kind.TAG else None
            if target is None:
                return None
            oid = ObjectId(bytes.fromhex(target[1].decode()))
        return None
