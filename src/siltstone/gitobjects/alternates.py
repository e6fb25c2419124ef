"""Which folders hold the objects of a repository: its own, then its alternates, each once (gitrepository-layout)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.small_files import read_small_file

_DEEPEST = 6  # alternates of alternates, as git
_MOST_FOLDERS = 1024
_MOST_BYTES = 1 << 20
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v",
            b"\\": b"\\", b'"': b'"'}


def find_object_folders(objects_dir: Path, ledger: CoverageLedger, extra: Sequence[Path] = ()) -> list[Path]:
    """Return *objects_dir*, the *extra* folders, and every folder their ``info/alternates`` lead to, nearest first.

    A folder is taken once, so a cycle ends. What does not exist, nests too deep or does not parse goes to the ledger.
    """
    first = Path(os.path.realpath(objects_dir))
    folders, seen, pending = [first], {first}, [(first, 0)]
    while pending:
        folder, depth = pending.pop(0)
        more = [Path(os.path.realpath(path)) for path in extra] if folder == first else []
        for target in [*more, *_read_alternates(folder, ledger)]:
            if target in seen:
                continue
            if depth >= _DEEPEST or len(folders) >= _MOST_FOLDERS:
                ledger.add(Reason.UNSUPPORTED, os.fsencode(target), "alternates are nested too deep")
                continue
            if not target.is_dir():
                ledger.add(Reason.MISSING, os.fsencode(target), f"alternate of {folder}")
                continue
            seen.add(target)
            folders.append(target)
            pending.append((target, depth + 1))
    return folders


def _read_alternates(folder: Path, ledger: CoverageLedger) -> Iterator[Path]:
    """Yield the folders named in ``info/alternates``, relative ones from *folder*."""
    path = folder / "info" / "alternates"
    try:
        text = read_small_file(path, _MOST_BYTES)
    except CorruptDataError as error:
        ledger.add(Reason.CORRUPT, os.fsencode(path), str(error))
        return
    for name in split_alternates(text or b"", b"\n"):
        if b"\0" in name:
            ledger.add(Reason.CORRUPT, os.fsencode(path), "an alternate does not parse")
            continue
        yield Path(os.path.realpath(folder / os.fsdecode(name)))


def split_alternates(text: bytes, separator: bytes) -> Iterator[bytes]:
    """Yield the folders in a list as git writes it: comments left out, quoted ones without quotes and escapes.

    *separator* ends a line of ``info/alternates``, or stands between the folders of ``GIT_ALTERNATE_OBJECT_DIRECTORIES``.
    """
    at = 0
    while at < len(text):
        stop = text.find(separator, at)
        stop = len(text) if stop < 0 else stop
        name, after = _unquote(text, at) if text[at : at + 1] == b'"' else (b"", at)
        if after == at:  # not quoted, or the quoting does not close: then it is taken as it stands, as git does
            name, after = text[at:stop], stop
        if name and text[at:at + 1] != b"#":
            yield name
        at = after + 1


def _unquote(text: bytes, start: int) -> tuple[bytes, int]:
    """Return the C-quoted name at *start* (git's quote.c) and where what follows it starts; nothing and *start* where the
    quoting does not close."""
    out, at = bytearray(), start + 1
    while at < len(text):
        piece = text[at : at + 1]
        if piece == b'"':
            return bytes(out), at + 1
        if piece == b"\\":
            digits = text[at + 1 : at + 4]
            if len(digits) == 3 and digits.isdigit() and max(digits) < ord("8") and digits < b"400":
                out.append(int(digits, 8))
                at += 4
                continue
            at += 1
            piece = _ESCAPES.get(text[at : at + 1], b"")
            if not piece:
                break
        out += piece
        at += 1
    return b"", start
