"""Which folders hold the objects of a repository: its own, then its alternates, each once (gitrepository-layout)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.small_files import read_small_file

_DEEPEST = 5  # alternates of alternates, as git
_MOST_FOLDERS = 1024
_MOST_BYTES = 1 << 20
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def find_object_folders(objects_dir: Path, ledger: CoverageLedger) -> list[Path]:
    """Return *objects_dir* and every folder its ``info/alternates`` lead to, nearest first.

    A folder is taken once, so a cycle ends. What does not exist, nests too deep or does not parse goes to the ledger.
    """
    first = Path(os.path.realpath(objects_dir))
    folders, seen, pending = [first], {first}, [(first, 0)]
    while pending:
        folder, depth = pending.pop(0)
        for target in _read_alternates(folder, ledger):
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
    for line in (text or b"").split(b"\n"):
        if not line or line.startswith(b"#"):
            continue
        name = _unquote(line) if line.startswith(b'"') else line
        if not name or b"\0" in name:
            ledger.add(Reason.CORRUPT, os.fsencode(path), "an alternate does not parse")
            continue
        yield Path(os.path.realpath(folder / os.fsdecode(name)))


def _unquote(line: bytes) -> bytes:
    """Return a C-quoted name (git's quote.c); empty where the quoting does not close."""
    out, at = bytearray(), 1
    while at < len(line):
        piece = line[at : at + 1]
        if piece == b'"':
            return bytes(out) if at == len(line) - 1 else b""
        if piece == b"\\":
            digits = line[at + 1 : at + 4]
            if len(digits) == 3 and digits.isdigit() and max(digits) < ord("8") and digits < b"400":
                out.append(int(digits, 8))
                at += 4
                continue
            at += 1
            piece = _ESCAPES.get(line[at : at + 1], line[at : at + 1])
        out += piece
        at += 1
    return b""
