"""References: loose files, ``packed-refs``, symbolic ones, HEAD of every worktree (gitrepository-layout, git-pack-refs).

Names are bytes. A reference that does not parse goes to the ledger and is left out, as git does, warning. Formats other than
files (reftable) are read by the installed git.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.git_program import list_references
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.repository import Repository
from siltstone.gitobjects.small_files import read_small_file

_MOST_SYMBOLIC_STEPS = 5  # as git
_MOST_NESTING = 64  # folders below refs/
_MOST_PACKED_BYTES = 1 << 30
_MOST_SHALLOW_BYTES = 1 << 28
_MOST_WORKTREES = 4096
_NEVER_IN_NAMES = re.compile(rb"[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{")
_PER_WORKTREE = (b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/")


class References:
    """The references of one repository, read anew at each call."""

    def __init__(self, repository: Repository, ledger: CoverageLedger) -> None:
        self._repository, self._ledger = repository, ledger
        self._digits = repository.algorithm.size * 2

    def all(self) -> dict[bytes, ObjectId]:
        """Return every reference below ``refs/`` with its object, sorted by name; symbolic ones are followed.

        Raises UnsupportedError where they are kept as reftable and no git is installed that reads it.
        """
        if not self._are_files:
            listed = self._listed(self._repository.git_dir)
            return {name: oid for name, oid in sorted(listed.items()) if name.startswith(b"refs/")}
        loose = list(self._loose())  # before the packed ones: who packs references writes those, then removes these
        found = self._packed()
        packed = dict(found)
        for name, text in loose:
            oid = self._resolve_text(text, _MOST_SYMBOLIC_STEPS, packed=packed)
            if oid is not None:
                found[name] = oid
                continue
            found.pop(name, None)
            if not text.startswith(b"ref:"):  # a symbolic reference may lead to a branch that is not born yet
                self._ledger.add(Reason.CORRUPT, name, "reference is not an object id")
        return dict(sorted(found.items()))

    def head(self) -> ObjectId | None:
        """Return the commit of HEAD, or None where its branch is not born.

        Raises CorruptDataError where HEAD is neither an object id nor a reference, UnsupportedError as `all` does.
        """
        return self._head_in(self._repository.git_dir)

    def heads(self) -> dict[bytes, ObjectId]:
        """Return HEAD of this worktree and of all others, by git's names for them, ``worktrees/<name>/HEAD``; what is not
        born is left out. Together with `all` they are where ``git rev-list --all`` starts."""
        repository = self._repository
        folders = {b"HEAD": repository.git_dir}
        if repository.git_dir != repository.common_dir:
            folders[b"main-worktree/HEAD"] = repository.common_dir
        for folder in self._worktree_folders():
            if folder != repository.git_dir:
                folders[b"worktrees/" + os.fsencode(folder.name) + b"/HEAD"] = folder
        found = {}
        for name, folder in folders.items():
            try:
                oid = self._head_in(folder)
            except CorruptDataError as error:
                if name == b"HEAD":
                    raise
                self._ledger.add(Reason.CORRUPT, name, error.problem)
                continue
            if oid is not None:
                found[name] = oid
        return found

    def _worktree_folders(self) -> list[Path]:
        """Return the folders that linked worktrees have in the common one, by name."""
        root = self._repository.common_dir / "worktrees"
        try:
            with os.scandir(root) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        if len(names) > _MOST_WORKTREES:
            self._ledger.add(Reason.UNSUPPORTED, os.fspath(root), f"more than {_MOST_WORKTREES} worktrees")
        return [root / name for name in names[:_MOST_WORKTREES] if (root / name / "HEAD").is_file()]

    def _head_in(self, git_dir: Path) -> ObjectId | None:
        if not self._are_files:
            return self._listed(git_dir).get(b"HEAD")
        text = self._read(b"HEAD", git_dir)
        if text is None:
            raise CorruptDataError("HEAD is missing", source=os.fspath(git_dir))
        oid = self._resolve_text(text, _MOST_SYMBOLIC_STEPS, git_dir)
        if oid is None and not text.startswith(b"ref:"):
            raise CorruptDataError("HEAD is not a reference", source=os.fspath(git_dir / "HEAD"))
        return oid

    def shallow_commits(self) -> frozenset[ObjectId]:
        """Return the commits whose parents a shallow clone cut off."""
        path = self._repository.common_dir / "shallow"
        text = read_small_file(path, _MOST_SHALLOW_BYTES) or b""
        commits = set()
        for number, line in enumerate(text.splitlines(), 1):
            oid = self._parse_id(line)
            if oid is None:
                raise CorruptDataError(f"line {number} is not an object id", source=os.fspath(path))
            commits.add(oid)
        return frozenset(commits)

    @property
    def _are_files(self) -> bool:
        return self._repository.ref_storage == "files"

    def _listed(self, git_dir: Path) -> dict[bytes, ObjectId]:
        """Return what git lists, for formats other than files."""
        found = {}
        for name, digits in list_references(git_dir, self._repository.ref_storage).items():
            oid = self._parse_id(digits)
            if oid is None:
                self._ledger.add(Reason.CORRUPT, name, "reference is not an object id")
            else:
                found[name] = oid
        return found

    def _parse_id(self, text: bytes) -> ObjectId | None:
        if len(text) != self._digits:
            return None
        try:
            digest = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            return None
        return ObjectId(digest) if len(digest) * 2 == self._digits and any(digest) else None  # zero: git's "none"

    def _resolve_text(
        self, text: bytes, steps: int, git_dir: Path | None = None, packed: dict[bytes, ObjectId] | None = None
    ) -> ObjectId | None:
        """Return the object behind the content of a reference file, or None; *packed* are read at need where not given."""
        for _ in range(steps):
            if not text.startswith(b"ref:"):
                return None if text[self._digits : self._digits + 1].strip() else self._parse_id(text[: self._digits])
            name = text[4:].strip()
            if not _is_safe(name):
                return None
            target = self._read(name, git_dir)
            if target is None:
                return (self._packed() if packed is None else packed).get(name)
            text = target
        return None

    def _read(self, name: bytes, git_dir: Path | None = None) -> bytes | None:
        """Return the content of the loose reference *name*; what belongs to a worktree comes from *git_dir*, ours if None."""
        repository = self._repository
        private = not name.startswith(b"refs/") or name.startswith(_PER_WORKTREE)
        path = ((git_dir or repository.git_dir) if private else repository.common_dir) / os.fsdecode(name)
        try:
            if path.is_symlink():  # how git before 2005 and core.preferSymlinkRefs write "ref:"
                target = os.fsencode(os.readlink(path))
                if target.startswith(b"refs/"):
                    return b"ref: " + target
            return read_small_file(path)
        except CorruptDataError as error:
            self._ledger.add(Reason.CORRUPT, name, str(error))
            return None

    def _loose(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield ``(name, content)`` of every loose reference below ``refs/``."""
        repository = self._repository
        yield from self._loose_below(repository.common_dir, b"refs")
        if repository.git_dir != repository.common_dir:
            for prefix in _PER_WORKTREE:
                yield from self._loose_below(repository.git_dir, prefix.rstrip(b"/"))

    def _loose_below(self, root: Path, top: bytes) -> Iterator[tuple[bytes, bytes]]:
        linked = root == self._repository.common_dir and self._repository.git_dir != root
        pending = [(top, 0)]
        while pending:
            folder, depth = pending.pop()
            try:
                entries = sorted(os.scandir(os.fsencode(root) + b"/" + folder), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                if entry.name.startswith(b"."):
                    continue
                name = folder + b"/" + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if depth < _MOST_NESTING and not (linked and (name + b"/").startswith(_PER_WORKTREE)):
                        pending.append((name, depth + 1))
                elif not name.endswith(b".lock"):
                    text = self._read(name)
                    if text is not None and not _is_well_formed(name):
                        self._ledger.add(Reason.CORRUPT, name, "a reference cannot have this name")
                    elif text is not None:
                        yield name, text

    def _packed(self) -> dict[bytes, ObjectId]:
        """Return the references of ``packed-refs``; peeled lines and comments are passed over."""
        path = self._repository.common_dir / "packed-refs"
        text = read_small_file(path, _MOST_PACKED_BYTES)
        found: dict[bytes, ObjectId] = {}
        for number, line in enumerate((text or b"").split(b"\n"), 1):
            if not line or line[:1] in (b"#", b"^"):
                continue
            oid = self._parse_id(line[: self._digits])
            name = line[self._digits + 1 :].rstrip(b"\r")
            if oid is None or line[self._digits : self._digits + 1] != b" " or not _is_well_formed(name):
                self._ledger.add(Reason.CORRUPT, os.fspath(path), f"line {number} does not parse")
                continue
            found[name] = oid
        return found


def _is_well_formed(name: bytes) -> bool:
    """Whether a reference below ``refs/`` may be called so (git-check-ref-format)."""
    parts = name.split(b"/")
    if parts[0] != b"refs" or len(parts) < 2 or _NEVER_IN_NAMES.search(name) or name.endswith(b"."):
        return False
    return all(part and not part.startswith(b".") and not part.endswith(b".lock") for part in parts)


def _is_safe(name: bytes) -> bool:
    """Whether a symbolic reference may be followed: inside the repository, no steps upwards."""
    parts = name.split(b"/")
    return bool(name) and not name.startswith(b"/") and b".." not in parts and b"" not in parts and b"\0" not in name
