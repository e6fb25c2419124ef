"""Where findings come from, and which blobs the history names that the repository does not hold.

Both need every tree, so they share one walk: attribution reads the trees, and on the way each entry is checked against the
set of ids that exist.  Only where something is absent are the trees walked again, to tell what a commit can reach (missing,
as git says) from what nothing uses any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from siltstone._native.absent_ids import KnownIds
from siltstone.core.errors import UnsupportedError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.detection.prefetch import iterate_ahead
from siltstone.gitobjects.attribution import Context, attribute
from siltstone.gitobjects.ids import HashAlgorithm, Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_database import ObjectDatabase


class _Source:
    """An object database as attribution sees it, with another ledger, whose tree walks are watched."""

    def __init__(self, database: ObjectDatabase, ledger: CoverageLedger, known: KnownIds | None) -> None:
        self._database, self._known = database, known
        self.algorithm: HashAlgorithm = database.algorithm
        self.budget = database.budget
        self.ledger = ledger
        self.read = database.read
        self.refs = database.refs
        self.head = database.head
        self.shallow_commits = database.shallow_commits

    def walk_objects(self, kinds: Collection[Kind]) -> Iterator[Any]:
        """Yield blocks, decoded ahead in a thread of their own."""
        for block in iterate_ahead(self._database.walk_objects(kinds)):
            if self._known is not None and Kind.TREE in kinds:
                self._known.check_trees(block.data, block.starts, block.ends)
            yield block


def trace_history(
    database: ObjectDatabase, blobs: Collection[ObjectId], known: KnownIds, *, progress: Progress = NO_PROGRESS
) -> dict[ObjectId, Context]:
    """Return where each of *blobs* first appeared, and note in the ledger what the history lacks.

    Missing commits, trees and blobs are those that a reference reaches; a shallow boundary is noted as such.  *known* holds
    the ids of all objects.  Blobs that no commit reaches are not in the result.
    """
    nothing = ObjectId(bytes(database.algorithm.size))  # an id no object has: the walk is due even without a finding
    try:
        contexts = attribute(_Source(database, database.ledger, known), {*blobs, nothing}, progress=progress)
    except UnsupportedError as error:  # references that we cannot read: every blob was searched all the same
        database.ledger.add(Reason.UNSUPPORTED, "references", str(error))
        return {}
    absent = known.absent()
    size = database.algorithm.size
    names = [ObjectId(absent[at : at + size]) for at in range(0, len(absent), size)]
    if names:
        told = CoverageLedger()  # the walk before said it already
        for blob, context in attribute(_Source(database, told, None), names, progress=progress).items():
            path = context.path.decode("utf-8", "backslashreplace")
            database.ledger.add(Reason.MISSING, blob.hex(), f"blob, {path} in {context.commit.hex()}")
    return contexts
