"""Reverse indexes, ``pack-*.rev`` (gitformat-pack): which object of the index comes first in the pack, which second.

An accelerator: it saves sorting. Nothing of it is believed: an order is used only where it makes the offsets of the index
ascend, and then it is the one that sorting gives.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.small_files import require_regular

_HEADER = {20: b"RIDX\0\0\0\1\0\0\0\1", 32: b"RIDX\0\0\0\1\0\0\0\2"}  # signature, version 1, hash function


def read_reverse_index(
    path: Path, offsets: npt.NDArray[np.uint64], id_size: int, pack_checksum: bytes
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]] | None:
    """Return the order of *offsets* (by position among the names) and the offsets in it, or None where there is no file.

    Raises CorruptDataError where the file belongs to another pack or its order is not that of the offsets.
    """
    source, count = os.fspath(path), len(offsets)
    try:
        require_regular(path)
        file = WindowedFile(path)
    except FileNotFoundError:
        return None
    with file:
        header = _HEADER[id_size]
        trailer_at = len(header) + 4 * count
        if file.size != trailer_at + 2 * id_size:
            raise CorruptDataError(f"reverse index of {count} objects has a wrong size", source=source, offset=file.size)
        if file.read_at(0, len(header)) != header:
            raise CorruptDataError("not a reverse index of version 1 for these ids", source=source, offset=0)
        if file.read_at(trailer_at, id_size) != pack_checksum:
            raise CorruptDataError("reverse index belongs to another pack", source=source, offset=trailer_at)
        order = np.frombuffer(file.read_at(len(header), 4 * count), ">u4").astype(np.uint32)
    if count and int(order.max()) >= count:
        raise CorruptDataError("reverse index points outside the index", source=source, offset=len(header))
    ascending = offsets[order]
    if np.any(ascending[1:] <= ascending[:-1]):
        raise CorruptDataError("reverse index is not in the order of the pack", source=source, offset=len(header))
    return order, ascending
