"""The commits of a history by their place in the order "oldest": id and root tree, in memory or set aside in a file."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Collection
from typing import IO

import numpy as np
import numpy.typing as npt

from siltstone.core.budget import Reservation
from siltstone.core.errors import CorruptDataError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.commits import CommitHistory
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase


class CommitPlaces:
    """Root trees and ids of the chosen commits; first the trees of excluded first parents. A context manager.

    Takes 40 bytes a commit (SHA-1), reserved from the budget "history" or set aside where temporary files go.
    """

    def __init__(
        self, db: ObjectDatabase, tips: Collection[ObjectId] | None, exclude: Collection[ObjectId], *,
        first_parent: bool = False, aside: bool = False, progress: Progress = NO_PROGRESS,
    ) -> None:  # fmt: skip
        """Load the history that `CommitHistory.load` describes, and keep no more of it than said."""
        history = CommitHistory.load(db, tips, exclude=exclude, first_parent=first_parent, progress=progress)
        rows = history.ordered_rows("oldest")
        borders = _borders(history, rows) if exclude else rows[:0]
        self._id_size = db.algorithm.size
        self._held = Reservation(db.budget, "history")
        self.borders, self.count = len(borders), len(rows)
        self._file: IO[bytes] = tempfile.TemporaryFile() if aside else io.BytesIO()  # noqa: SIM115 (closed with this object)
        self._held.set(0 if aside else (self.borders + 2 * self.count) * self._id_size)
        self._file.write(history.root_trees(borders))
        self._file.write(history.root_trees(rows))
        self._file.write(np.frombuffer(history.oids, np.uint8).reshape(-1, self._id_size)[rows].tobytes())

    def __enter__(self) -> CommitPlaces:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()
        self._held.set(0)

    def roots(self) -> bytes:
        """Return the root trees end to end: those of excluded parents, then those of the commits in order."""
        return self._read(0, self.borders + self.count)

    def commit(self, place: int) -> ObjectId:
        """Return the commit at *place*."""
        return ObjectId(self._read(self.borders + self.count + place, 1))

    def tree(self, place: int) -> ObjectId:
        """Return the root tree of the commit at *place*."""
        return ObjectId(self._read(self.borders + place, 1))

    def _read(self, first: int, count: int) -> bytes:
        self._file.seek(first * self._id_size)
        data = self._file.read(count * self._id_size)
        if len(data) != count * self._id_size:
            raise CorruptDataError("a temporary file was cut short", offset=first * self._id_size)
        return data


def _borders(history: CommitHistory, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first parents of *rows* that were not chosen."""
    having = rows[history.parent_starts[rows] < history.parent_starts[rows + 1]]
    parents = history.parents[history.parent_starts[having]]
    followed = np.unique(parents[parents >= 0])
    return followed[~history.included[followed]]
