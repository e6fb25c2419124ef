"""What a NAR holds, without unpacking it: listings as Nix makes them, and the contents of one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from siltstone.content.nar import BLOCK_BYTES, file_of, iter_nar
from siltstone.content.nar_format import NarDirectory, NarDirectoryEnd, NarFile, NarLimits, NarSymlink, shown
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, NotFoundError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from siltstone.content.nar import NarSource

NarNode = NarDirectory | NarFile | NarSymlink


def normalise_path(path: str | bytes) -> bytes:
    """Return *path* as events write it: no slash at its ends, no empty and no ``.`` steps; ``/`` is the root, ``b""``."""
    return b"/".join(step for step in os.fsencode(path).split(b"/") if step not in (b"", b"."))


def list_nar(
    source: NarSource, path: str | bytes = b"", *, recursive: bool = True,
    limits: NarLimits | None = None,
) -> Iterator[NarNode]:
    """Yield the node at *path* and what lies below it, in the order of the archive.

    Without *recursive* only the node and, of a directory, its entries.  The whole archive is checked, but in a file that
    can seek, long contents are passed over.  Raises NotFoundError where *path* is not there, CorruptDataError.
    """
    wanted = normalise_path(path)
    below = wanted + b"/" if wanted else b""
    found = False
    for event in iter_nar(source, limits=limits, contents=False):
        if isinstance(event, (NarDirectoryEnd, memoryview)):
            continue
        if event.path == wanted:
            found = True
        elif not event.path.startswith(below) or (not recursive and b"/" in event.path[len(below):]):
            continue
        yield event
    if not found:
        raise NotFoundError("not in the archive", name=shown(b"/" + wanted))


def nar_tree(nodes: Iterable[NarNode], *, limit_entries: int = 1_000_000) -> dict[str, Any]:
    """Return *nodes*, as `list_nar` yields them, as the nested object that ``nix nar ls --json`` prints and caches serve.

    Bytes of a name that are no UTF-8 become lone surrogates.  Directories whose entries were not listed have none.
    Raises BudgetExceeded beyond *limit_entries*: the object takes about 500 bytes for each.
    """
    root: dict[str, Any] = {}
    base = 0
    entries_at: dict[bytes, dict[str, Any]] = {}
    for number, node in enumerate(nodes, 1):
        if number > limit_entries:
            raise BudgetExceeded("nar listing", limit_bytes=limit_entries, needed_bytes=number, unit="entries")
        shape = _shape_of(node)
        if not root:
            root, base = shape, len(node.path)
        else:
            parent, _, name = node.path.rpartition(b"/")
            entries_at[parent if len(parent) > base else node.path[:base]][os.fsdecode(name)] = shape
        if isinstance(node, NarDirectory):
            entries_at[node.path] = shape["entries"]
    return root


def _shape_of(node: NarNode) -> dict[str, Any]:
    if isinstance(node, NarDirectory):
        return {"type": "directory", "entries": {}}
    if isinstance(node, NarSymlink):
        return {"type": "symlink", "target": os.fsdecode(node.target)}
    shape: dict[str, Any] = {"type": "regular", "size": node.size}
    if node.executable:
        shape["executable"] = True
    shape["narOffset"] = node.offset
    return shape


def cat_nar(
    source: NarSource, path: str | bytes, *, limits: NarLimits | None = None
) -> Iterator[ReadableBuffer]:
    """Yield the contents of the file at *path*, in pieces; links in the archive are not followed.

    The whole archive is checked: before the first piece in a file that can seek, else while and after they are yielded.
    Raises NotFoundError where *path* is not there, ConfigError where it is no file, CorruptDataError.
    """
    wanted = normalise_path(path)
    file = file_of(source)
    if file is not None and file.seekable():
        start = file.tell()
        node = _find(list_nar(file, wanted, recursive=False, limits=limits), wanted)
        file.seek(start + node.offset)
        yield from _read_exactly(file, node.size)
        return
    taking = found = False
    for event in iter_nar(source, limits=limits):
        if isinstance(event, memoryview):
            if taking:
                yield event
        elif taking := event.path == wanted and not isinstance(event, NarDirectoryEnd):
            found = bool(_find((event,), wanted))
    if not found:
        raise NotFoundError("not in the archive", name=shown(b"/" + wanted))


def _find(nodes: Iterable[NarNode], wanted: bytes) -> NarFile:
    found = None
    for node in nodes:  # to the end, so that the whole archive is checked; entries of a directory are not kept
        found = node if node.path == wanted else found
    assert found is not None, "a node that is not there is a NotFoundError before"
    if isinstance(found, NarFile):
        return found
    kind = "directory" if isinstance(found, NarDirectory) else f"symbolic link to '{shown(found.target)}'"
    raise ConfigError(f"{shown(b'/' + wanted)} is a {kind}, not a file", field="path")


def _read_exactly(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = file.read(min(size, BLOCK_BYTES))
        if not piece:
            raise CorruptDataError("the archive shrank while it was read", offset=file.tell())
        size -= len(piece)
        yield piece
