"""What a commit and a tag say (git's commit and tag object format); trees have a module of their own.

Identities and messages stay bytes: git promises no encoding. A wrong time or identity is tolerated as git tolerates it;
a line that names another object must be right.
"""

from __future__ import annotations

from dataclasses import dataclass

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import Kind, ObjectId

_LABELS = {kind.label: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class GitObject:
    """One decoded object; *data* is its content without the header."""

    oid: ObjectId
    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and when: *identity* is ``name <mail>``; *time* counts seconds since 1970 (0 where unreadable); *zone* is as
    written, ``+0200``."""

    identity: bytes
    time: int
    zone: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; *encoding* is empty where the message claims none (UTF-8)."""

    tree: ObjectId
    parents: tuple[ObjectId, ...]
    author: bytes
    author_time: int
    author_zone: bytes
    committer: bytes
    committer_time: int
    committer_zone: bytes
    encoding: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag; *tagger* is empty where there is none (tags of 2005)."""

    target: ObjectId
    kind: Kind
    name: bytes
    tagger: bytes
    tagger_time: int
    message: bytes


def parse_commit(data: bytes) -> Commit:
    """Return the commit in *data*. Raises CorruptDataError where its tree or a parent is not an object id."""
    header, message = _split(data)
    lines = header.split(b"\n")
    tree = _id_of(lines[0], b"tree ", 0)
    offset = len(lines[0]) + 1
    parents = []
    at = 1
    while at < len(lines) and lines[at].startswith(b"parent "):
        parents.append(_id_of(lines[at], b"parent ", offset, len(tree)))
        offset += len(lines[at]) + 1
        at += 1
    fields = _fields(lines[at:])
    author, committer = _signature(fields.get(b"author", b"")), _signature(fields.get(b"committer", b""))
    return Commit(
        tree, tuple(parents), author.identity, author.time, author.zone, committer.identity, committer.time,
        committer.zone, fields.get(b"encoding", b""), message,
    )  # fmt: skip


def parse_tag(data: bytes) -> Tag:
    """Return the tag in *data*. Raises CorruptDataError where its target, type or name is missing."""
    header, message = _split(data)
    lines = header.split(b"\n")
    target = _id_of(lines[0], b"object ", 0)
    fields = _fields(lines[1:])
    label = fields.get(b"type", b"")
    if label not in _LABELS:
        raise CorruptDataError("tag has no known type", offset=len(lines[0]) + 1)
    if b"tag" not in fields:
        raise CorruptDataError("tag has no name", offset=len(lines[0]) + 1)
    tagger = _signature(fields.get(b"tagger", b""))
    return Tag(target, _LABELS[label], fields[b"tag"], tagger.identity, tagger.time, message)


def parse_signature(line: bytes) -> Signature:
    """Return the identity, time and zone of an ``author``, ``committer`` or ``tagger`` value; never fails."""
    return _signature(line)


def _split(data: bytes) -> tuple[bytes, bytes]:
    header, _, message = data.partition(b"\n\n")
    return header.removesuffix(b"\n"), message


def _id_of(line: bytes, label: bytes, offset: int, size: int = 0) -> ObjectId:
    """Return the object id after *label*; *size* is what it must have, 0 for either algorithm."""
    text = line[len(label):]
    try:
        digest = bytes.fromhex(text.decode("ascii")) if line.startswith(label) and len(text) in (40, 64) else b""
    except ValueError:
        digest = b""
    if not digest or b" " in text or (size and len(digest) != size):
        raise CorruptDataError(f"expected '{label.decode()}' and an object id", offset=offset)
    return ObjectId(digest)


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """Return the first value of each header; continued lines (signatures) are joined by line ends."""
    fields: dict[bytes, bytes] = {}
    name = b""
    for line in lines:
        if line[:1] == b" ":
            if name:
                fields[name] += b"\n" + line[1:]
            continue
        name, _, value = line.partition(b" ")
        if name in fields:
            name = b""
        else:
            fields[name] = value
    return fields


def _signature(line: bytes) -> Signature:
    close = line.rfind(b">")
    if close < 0:
        return Signature(line.strip(), 0, b"")
    words = line[close + 1 :].split()
    time = int(words[0]) if words and words[0].isdigit() and len(words[0]) <= 19 else 0
    zone = words[1] if len(words) > 1 else b""
    return Signature(line[: close + 1], time, zone)
