"""What people type for an object: ids, short ids, references, ``name~2``, ``name^{tree}``, ``name:path`` (gitrevisions).

Left out, with an error that says so: what needs a reflog (``@{…}``), the index (``:path``) or a search (``:/text``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from siltstone._native.tree_entries import parse_entries
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError, SiltstoneError, UnsupportedError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.objects import GitObject, parse_commit, parse_tag

_FEWEST_DIGITS = 4  # as git
_MOST_CANDIDATES = 20  # told in an error
_MOST_STEPS = 1 << 20  # of one name: ~N walks N commits
_MOST_DIGITS = 10  # of a number in a name
_STEP = re.compile(rb"\^\{(\w*)\}|\^(\d*)|~(\d*)")
_DESCRIBED = re.compile(rb".+-\d+-g([0-9a-fA-F]{4,64})")  # what `git describe` prints
_RULES = (b"%s", b"refs/%s", b"refs/tags/%s", b"refs/heads/%s", b"refs/remotes/%s", b"refs/remotes/%s/HEAD")
_TYPES = {b"commit": Kind.COMMIT, b"tree": Kind.TREE, b"blob": Kind.BLOB, b"tag": Kind.TAG}
_COMMITTISH = frozenset({Kind.COMMIT, Kind.TAG})
_TREEISH = frozenset({Kind.COMMIT, Kind.TAG, Kind.TREE})
_LISTED = (Kind.TAG, Kind.COMMIT, Kind.TREE, Kind.BLOB)  # in the order in which git lists candidates


def resolve_name(db: ObjectDatabase, name: str | bytes) -> ObjectId:
    """Return the object that *name* means; a full id need not exist.

    Raises NotFoundError where nothing has that name, ConfigError where a short id fits several objects (they are listed),
    UnsupportedError for a way of naming that is not handled here.
    """
    text = os.fsencode(name)
    revision, colon, path = _split_path(text)
    if colon and not revision:
        raise UnsupportedError("names by the index or by a message are not supported", source=_shown(text))
    if not colon:
        return _resolve_revision(db, text)
    tree = peel(db, _resolve_revision(db, revision, _TREEISH), Kind.TREE)
    return _find_path(db, tree, path, text)


def peel(db: ObjectDatabase, oid: ObjectId, kind: Kind | None) -> ObjectId:
    """Return what the object leads to: through tags to the first that is none (*kind* None), or to one of *kind*.

    A commit leads to its tree. Raises NotFoundError where it never gets there.
    """
    return _peeled(db, oid, kind).oid


def find_abbreviated(db: ObjectDatabase, digits: str) -> list[ObjectId]:
    """Return every object whose id starts with these hexadecimal *digits*, ascending."""
    low = ObjectId(bytes.fromhex(digits + "0" * (2 * db.algorithm.size - len(digits))))
    high = ObjectId(bytes.fromhex(digits + "f" * (2 * db.algorithm.size - len(digits))))
    return sorted(db.ids_between(low, high))


def _shown(text: bytes) -> str:
    return text[:200].decode("utf-8", "backslashreplace")


def _split_path(text: bytes) -> tuple[bytes, bool, bytes]:
    """Return what stands before the first colon outside braces, whether there is one, and what follows."""
    depth = 0
    for at, byte in enumerate(text):
        depth += (byte == ord("{")) - (byte == ord("}"))
        if byte == ord(":") and depth <= 0:
            return text[:at], True, text[at + 1 :]
    return text, False, b""


def _resolve_revision(db: ObjectDatabase, text: bytes, wanted: Collection[Kind] = ()) -> ObjectId:
    cut = min((at for at in (text.find(b"^"), text.find(b"~")) if at >= 0), default=len(text))
    base, steps = text[:cut], text[cut:]
    oid = _resolve_base(db, base, _hint(steps, wanted), text)
    at = 0
    while at < len(steps):
        step = _STEP.match(steps, at)
        if step is None or (step[1] and step[1] not in _TYPES and step[1] != b"object"):
            raise UnsupportedError("this way to name an object is not supported", source=_shown(text))
        oid = _take_step(db, oid, step, text)
        at = step.end()
    return oid


def _hint(steps: bytes, wanted: Collection[Kind]) -> Collection[Kind]:
    """Return of which kinds a short id is, judged by what is asked of it; none: of any."""
    step = _STEP.match(steps)
    if step is None:
        return wanted
    if step[1] is None or step[1] == b"commit":
        return _COMMITTISH
    if step[1] in (b"tree", b"blob", b"tag"):
        kind = _TYPES[step[1]]
        return _TREEISH if kind is Kind.TREE else {kind, Kind.TAG}
    return ()


def _resolve_base(db: ObjectDatabase, base: bytes, hint: Collection[Kind], text: bytes) -> ObjectId:
    if b"@{" in base:
        raise UnsupportedError("names by a reflog are not supported", source=_shown(text))
    if re.fullmatch(rb"[0-9a-fA-F]{%d}" % (2 * db.algorithm.size), base):
        return ObjectId(bytes.fromhex(base.decode()))
    found = _find_reference(db, b"HEAD" if base == b"@" else base)
    if found is not None:
        return found
    described = _DESCRIBED.fullmatch(base)
    digits = described[1] if described else base
    if _FEWEST_DIGITS <= len(digits) < 2 * db.algorithm.size and re.fullmatch(rb"[0-9a-fA-F]+", digits):
        return _choose(db, digits.decode().lower(), _COMMITTISH if described else hint)
    raise NotFoundError("no object has this name", name=_shown(text))


def _find_reference(db: ObjectDatabase, name: bytes) -> ObjectId | None:
    """Return what a reference leads to, by git's rules for short names; the first rule that fits wins."""
    if name == b"HEAD":
        return db.head()
    references = db.refs()
    for rule in _RULES:
        found = references.get(rule % name)
        if found is not None:
            return found
    return None


def _choose(db: ObjectDatabase, digits: str, hint: Collection[Kind]) -> ObjectId:
    """Return the one object that the short id *digits* means."""
    found = find_abbreviated(db, digits)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError("no object has this short id", name=digits)
    kinds = {oid: _kind_of(db, oid) for oid in found[: _MOST_CANDIDATES * 10]}
    fitting = [oid for oid, kind in kinds.items() if kind in hint]
    if len(fitting) == 1 and len(kinds) == len(found):
        return fitting[0]
    listed = sorted(kinds, key=lambda oid: (_LISTED.index(kinds[oid] or Kind.BLOB), oid))[:_MOST_CANDIDATES]
    names = ", ".join(f"{oid.hex()} {kind.name.lower() if (kind := kinds[oid]) else 'unreadable'}" for oid in listed)
    more = f" and {len(found) - len(listed):,} more" if len(found) > len(listed) else ""
    raise ConfigError(f"the short id {digits} is ambiguous, it may be {names}{more}", field="object")


def _kind_of(db: ObjectDatabase, oid: ObjectId) -> Kind | None:
    try:
        return db.header(oid)[0]
    except SiltstoneError:  # damaged or too large: a candidate all the same
        return None


def _take_step(db: ObjectDatabase, oid: ObjectId, step: re.Match[bytes], text: bytes) -> ObjectId:
    label, parent, generations = step.groups()
    if label is not None:
        if label == b"object":
            return db.read(oid).oid
        return peel(db, oid, _TYPES[label] if label else None)
    asked = parent if parent is not None else generations
    if len(asked.lstrip(b"0")) > _MOST_DIGITS:
        raise NotFoundError("no commit has so many parents" if parent else "no commit that far back", name=_shown(text))
    value = int(asked[-_MOST_DIGITS:] or b"1")
    number, count = (1, value) if parent is None else (value, min(value, 1))
    if count > _MOST_STEPS:
        raise NotFoundError("no commit that far back", name=_shown(text))
    oid, shallow, grafts = peel(db, oid, Kind.COMMIT), db.shallow_commits(), db.grafts()
    for _ in range(count):
        parents = () if oid in shallow else grafts.get(oid)
        if parents is None:
            parents = parse_commit(db.read(oid).data).parents
        if number > len(parents):
            raise NotFoundError(f"commit {oid.hex()} has no parent {number}", name=_shown(text))
        oid = peel(db, parents[number - 1], Kind.COMMIT)
    return oid


def _peeled(db: ObjectDatabase, oid: ObjectId, kind: Kind | None) -> GitObject:
    met: set[ObjectId] = set()  # tags lead in a circle only where their content is not what their ids say
    while oid not in met:
        met.add(oid)
        found = db.read(oid)
        if found.kind is kind or (kind is None and found.kind is not Kind.TAG):
            return found
        if found.kind is Kind.TAG:
            oid = parse_tag(found.data).target
        elif found.kind is Kind.COMMIT and kind is Kind.TREE:
            oid = parse_commit(found.data).tree
        else:
            break
    wanted = "object" if kind is None else kind.name.lower()
    raise NotFoundError(f"leads to no {wanted}", name=oid.hex())


def _find_path(db: ObjectDatabase, tree: ObjectId, path: bytes, text: bytes) -> ObjectId:
    """Return what lies at *path* below *tree*; the empty path is the tree itself."""
    oid, kind = tree, 0o040000
    names = path.removesuffix(b"/").split(b"/") if path else []
    for depth, name in enumerate(names):
        content = db.read(oid) if kind == 0o040000 else None
        if content is None or content.kind is not Kind.TREE:
            raise NotFoundError(f"{_shown(b'/'.join(names[:depth]))} is no folder there", name=_shown(text))
        try:
            entries = parse_entries(content.data, db.algorithm.size)
        except CorruptDataError as error:
            raise error.within(f"tree {oid.hex()}") from None
        found = next(((mode, target) for mode, entry, target in entries if entry == name), None)
        if found is None:
            raise NotFoundError(f"no {_shown(path)} there", name=_shown(text))
        kind, oid = found[0] & 0o170000, ObjectId(found[1])
    if path.endswith(b"/") and kind != 0o040000:
        raise NotFoundError(f"{_shown(path)} is no folder", name=_shown(text))
    return oid
