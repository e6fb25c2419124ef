"""One object as people and programs read it: a tree as the lines of ``git ls-tree``, anything as JSON."""

from __future__ import annotations

import base64
from typing import Any

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.objects import GitObject
from siltstone.gitobjects.path_names import path_fields, quote_path
from siltstone.gitobjects.trees import TreeEntry, canonical_mode, is_submodule, is_tree, parse_tree


def pretty_content(found: GitObject) -> bytes:
    """Return the content as ``git cat-file -p`` prints it: a tree as lines, anything else as it is.

    Raises CorruptDataError, with the id, where a tree does not parse.
    """
    if found.kind is not Kind.TREE:
        return found.data
    return b"".join(
        b"%06o %s %s\t%s\n" % (canonical_mode(entry.mode), _type_of(entry), entry.oid.hex().encode(), quote_path(entry.name))
        for entry in _entries(found)
    )


def object_fields(found: GitObject) -> dict[str, Any]:
    """Return ``object``, ``type``, ``size`` and the content: ``entries`` of a tree, else ``content`` where it is UTF-8 and
    ``content_b64`` where it is not."""
    fields: dict[str, Any] = {"object": found.oid.hex(), "type": found.kind.name.lower(), "size": len(found.data)}
    if found.kind is Kind.TREE:
        fields["entries"] = [
            {"mode": f"{canonical_mode(entry.mode):06o}", "type": _type_of(entry).decode(), "object": entry.oid.hex(),
             **path_fields(entry.name)}
            for entry in _entries(found)
        ]
        return fields
    try:
        fields["content"] = found.data.decode("utf-8")
    except UnicodeDecodeError:
        fields["content_b64"] = base64.b64encode(found.data).decode("ascii")
    return fields


def _entries(found: GitObject) -> list[TreeEntry]:
    try:
        return parse_tree(found.data, len(found.oid))
    except CorruptDataError as error:
        raise error.within(f"tree {found.oid.hex()}") from None


def _type_of(entry: TreeEntry) -> bytes:
    if is_tree(entry.mode):
        return b"tree"
    return b"commit" if is_submodule(entry.mode) else b"blob"
