"""Parsed commits set aside in a file without a name, while the walk that finds them needs the memory itself."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from siltstone._native.commit_columns import CommitColumns
from siltstone.core.errors import CorruptDataError

_COUNTS = 3  # integers before each part: commits, ids that were only named, parents


class CommitSpool:
    """Takes parts of a history one after the other and gives them all back once; a context manager.

    Costs some 80 bytes of disk a commit where temporary files go. The file has no name: nothing of it outlives the process.
    """

    def __init__(self, id_size: int) -> None:
        self._id_size = id_size
        self._file = tempfile.TemporaryFile(buffering=1 << 16)  # noqa: SIM115 (closed by the context manager below)
        self._parts = 0

    def __enter__(self) -> CommitSpool:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def put(self, part: CommitColumns) -> None:
        """Write the commits of *part*, which is empty afterwards."""
        oids, trees, times, parents, starts, missing = part.finish()
        links = np.frombuffer(parents, np.int64)
        count = len(times) // 8
        links = np.where(links < 0, count - 3 - links, links)  # the ids only named follow those of the commits
        counts = np.array([count, len(missing) // self._id_size, len(links)], np.int64)
        for piece in (counts, oids, missing, trees, times, links, starts):
            self._file.write(piece)
        self._parts += 1

    def drain(self, columns: CommitColumns) -> None:
        """Enter every commit into *columns*. Raises BudgetExceeded where they hold no more."""
        self._file.seek(0)
        for _ in range(self._parts):
            commits, named, links = self._integers(_COUNTS).tolist()
            oids = self._read((commits + named) * self._id_size)
            trees = self._read(commits * self._id_size)
            columns.add_rows(oids, trees, self._integers(commits), self._integers(links), self._integers(commits + 1))

    def _integers(self, count: int) -> npt.NDArray[np.int64]:
        return np.frombuffer(self._read(8 * count), np.int64)

    def _read(self, size: int) -> Any:
        data = self._file.read(size)
        if len(data) != size:
            raise CorruptDataError("a temporary file was cut short", offset=self._file.tell())
        return data
