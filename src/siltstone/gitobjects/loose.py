"""Loose objects: one zlib file each, ``objects/xx/yyyy…`` (gitrepository-layout)."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from siltstone._native.inflate import inflate_exact
from siltstone.core.errors import BudgetExceeded, CorruptDataError
from siltstone.gitobjects.ids import HashAlgorithm, Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.small_files import read_small_file, read_start

_HEADER = re.compile(rb"(commit|tree|blob|tag) (0|[1-9][0-9]{0,18})\0")
_LONGEST_HEADER = 32  # "commit", a blank, 19 digits, NUL and room
_START_BYTES = 512  # of a file: its header is in there, however it was compressed
_FRAMING = 1 << 16  # a file may be longer than its content by the framing of deflate
_KINDS = {kind.label: kind for kind in Kind}


class LooseObjects:
    """The loose objects of one object folder; keeps no state, so threads share it."""

    __slots__ = ("_digits", "_folder", "_ledger", "_limit")

    def __init__(
        self, folder: Path, algorithm: HashAlgorithm, *, limit_bytes: int, ledger: CoverageLedger | None = None
    ) -> None:
        """*limit_bytes* bounds one object; folders that the system refuses to list go to *ledger*, or raise."""
        self._ledger = ledger
        self._folder, self._digits, self._limit = folder, algorithm.size * 2, limit_bytes

    def path_of(self, oid: ObjectId) -> Path:
        """Return where the object would lie."""
        name = oid.hex()
        return self._folder / name[:2] / name[2:]

    def __contains__(self, oid: ObjectId) -> bool:
        return self.path_of(oid).is_file()

    def iter_ids(self, first: int = 0, last: int = 255) -> Iterator[ObjectId]:
        """Yield the id of every loose object, ascending; only those whose first byte is from *first* to *last*."""
        for prefix in range(first, last + 1):
            try:
                names = sorted(os.listdir(self._folder / f"{prefix:02x}"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                if self._ledger is None:
                    raise
                self._ledger.add(Reason.UNREADABLE, os.fsencode(self._folder / f"{prefix:02x}"), str(error))
                continue
            for name in names:
                if len(name) == self._digits - 2 and re.fullmatch("[0-9a-f]+", name):
                    yield ObjectId(bytes.fromhex(f"{prefix:02x}{name}"))

    def read(self, oid: ObjectId) -> tuple[Kind, bytes] | None:
        """Return ``(kind, content)``, or None where there is no such file.

        Raises CorruptDataError where the file is damaged, BudgetExceeded where the object is larger than the limit.
        """
        path = self.path_of(oid)
        data = self._load(path)
        if data is None:
            return None
        try:
            kind, size, start = _parse_header(data)
            if size > self._limit:
                raise BudgetExceeded("object", limit_bytes=self._limit, needed_bytes=size)
            content, consumed = inflate_exact(data, start + size)
            if consumed != len(data):
                raise CorruptDataError("bytes follow the object", offset=consumed)
        except CorruptDataError as error:
            raise error.within(os.fspath(path)) from None
        return kind, content[start:]

    def header(self, oid: ObjectId) -> tuple[Kind, int] | None:
        """Return ``(kind, size)`` by the start of the file, or None where there is no such file."""
        path = self.path_of(oid)
        data = read_start(path, _START_BYTES)
        if data is None:
            return None
        try:
            kind, size, _ = _parse_header(data)
        except CorruptDataError as error:
            raise error.within(os.fspath(path)) from None
        return kind, size

    def _load(self, path: Path) -> bytes | None:
        limit = self._limit + (self._limit >> 8) + _FRAMING
        try:
            return read_small_file(path, limit)
        except CorruptDataError:
            size = os.lstat(path).st_size
            if size > limit:
                raise BudgetExceeded("object", limit_bytes=self._limit, needed_bytes=size) from None
            raise


def _parse_header(data: bytes) -> tuple[Kind, int, int]:
    """Return ``(kind, size, length of the header)``."""
    try:
        start = zlib.decompressobj().decompress(data[:_START_BYTES], _LONGEST_HEADER)
    except zlib.error:
        raise CorruptDataError("compressed data is damaged", offset=0) from None
    match = _HEADER.match(start)
    if match is None:
        raise CorruptDataError("object has no header of a known kind", offset=0)
    return _KINDS[match[1]], int(match[2]), match.end()
