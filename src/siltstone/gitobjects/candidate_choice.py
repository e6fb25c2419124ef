"""The least candidate of a few blobs: by place of the commit in the order "oldest", then by path."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from siltstone._native.commit_order import find_ids
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.candidates import iter_candidates
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase


def first_candidates(
    db: ObjectDatabase, blobs: Collection[ObjectId], tips: Collection[ObjectId] | None, exclude: Collection[ObjectId], *,
    first_parent: bool = False, threads: int | None = None, progress: Progress = NO_PROGRESS,
) -> dict[ObjectId, tuple[ObjectId, bytes]]:  # fmt: skip
    """Return commit and path of the least candidate of each of *blobs*; blobs without one are left out."""
    history = CommitHistory.load(db, tips, exclude=exclude, first_parent=first_parent, progress=progress)
    table = b"".join(sorted(blobs))
    found: dict[ObjectId, tuple[int, bytes]] = {}
    for block in iter_candidates(db, history, threads=threads, progress=progress):
        asked = np.frombuffer(find_ids(table, block.blobs, db.algorithm.size), np.int64)
        for row in np.flatnonzero(asked >= 0).tolist():
            here = (int(block.commits[row]), block.path(row))
            best = found.setdefault(block.blob(row), here)
            if best[0] == here[0] and here[1] < best[1]:  # rows come in the order of commits
                found[block.blob(row)] = here
    return {blob: (history.oid(row), path) for blob, (row, path) in found.items()}
