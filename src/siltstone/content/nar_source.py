"""NARs as they come from a cache: plain, or compressed by a codec that the first bytes tell."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from siltstone.content.codec_table import AUTO, find_codec
from siltstone.content.frame_sequence import FrameLimits, FrameSequence
from siltstone.content.nar_format import MAGIC, is_nar

if TYPE_CHECKING:
    from siltstone.content.nar import NarSource


def open_nar(file: BinaryIO, *, limits: FrameLimits | None = None) -> NarSource:
    """Return what every function here takes as a source, from a *file* that holds a NAR or a compressed one.

    A plain NAR stays the file, so that long contents can be passed over; of a compressed one the decoded pieces come, within
    *limits* (default: none but the window, as nothing is kept).  What is neither is returned as it is, for the reader to
    refuse.  Files that cannot seek are read by their first bytes once, and handed on whole.
    """
    if file.seekable():
        start = file.tell()
        head = file.read(len(MAGIC))
        file.seek(start)
    else:
        head, file = _peek(file)
    if is_nar(head) or find_codec(head) is None:
        return file
    return FrameSequence(file.read, AUTO, limits or FrameLimits(limit_bytes=None)).iter_content()


class _Ahead(io.RawIOBase):
    """A stream whose first bytes were read before."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)


def _peek(file: BinaryIO) -> tuple[bytes, BinaryIO]:
    head = b""
    while len(head) < len(MAGIC) and (more := file.read(len(MAGIC) - len(head))):
        head += more
    return head, cast("BinaryIO", _Ahead(head, file))
