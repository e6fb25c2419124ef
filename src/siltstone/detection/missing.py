"""Where findings come from, and which blobs the history names that the repository does not hold.

Both need every tree, so they share one walk: attribution reads the trees, and on the way each entry is checked against the
set of ids that exist.  An absent blob is attributed too: only one that a commit reaches is missing, as git says; what
nothing uses any more may be gone.
"""

from __future__ import annotations

from collections.abc import Collection

from siltstone._native.absent_ids import KnownIds
from siltstone.core.errors import UnsupportedError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.attribution import Context, attribute
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase


def trace_history(
    database: ObjectDatabase, blobs: Collection[ObjectId], known: KnownIds, *, progress: Progress = NO_PROGRESS
) -> dict[ObjectId, Context]:
    """Return where each of *blobs* first appeared, and note in the ledger what the history lacks.

    Missing commits, trees and blobs are those that a reference reaches; what a partial clone left out is noted as promised, a
    shallow boundary as such.  *known* holds the ids of all objects.  Blobs that no commit reaches are not in the result.
    """
    size = database.algorithm.size
    absent: set[ObjectId] = set()

    def discover(block: ObjectBlock) -> list[ObjectId]:
        packed = known.check_trees(block.data, block.starts, block.ends)
        fresh = [ObjectId(packed[at : at + size]) for at in range(0, len(packed), size)]
        absent.update(fresh)
        return [oid for oid in fresh if oid != nothing]

    nothing = ObjectId(bytes(size))  # an id that is never found: the walk then goes through all of the history
    try:
        contexts = attribute(database, {*blobs, nothing}, discover=discover, progress=progress)
    except UnsupportedError as error:  # references that we cannot read: every blob was searched all the same
        database.ledger.add(Reason.UNSUPPORTED, "references", str(error))
        return {}
    for blob in sorted(absent & contexts.keys()):
        context = contexts.pop(blob)
        path = context.path.decode("utf-8", "backslashreplace")
        database.ledger.add(database.absence(context.commit), blob.hex(), f"blob, {path} in {context.commit.hex()}")
    return contexts
