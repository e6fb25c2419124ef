"""The files of a repository and their bytes, from the git index, from HEAD, or from a walk of the folder.

The three sources look the same to a caller, so a bare repository and a checkout are read by the same code.  Nothing outside
the work tree is ever opened: each step of a path is opened relative to the one before and no symlink is followed.  What is
not read goes to the ledger: submodules, LFS pointers, files over the budget ``file``, files that the system refuses.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, NotFoundError
from siltstone.gitobjects.folder_reader import FolderReader
from siltstone.gitobjects.git_index import IndexEntry, read_git_index
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.objects import parse_commit
from siltstone.gitobjects.trees import canonical_mode, is_submodule, is_symlink, is_tree, iter_tree_files

Source = Literal["index", "head", "walk"]
SOURCES: tuple[Source, ...] = ("index", "head", "walk")

_LFS_START = b"version https://git-lfs.github.com/spec/"
_LFS_LIMIT_BYTES = 1_024  # a pointer is shorter: the LFS specification


@dataclass(frozen=True, slots=True)
class WorkFile:
    """One file or symlink.

    *oid* is the blob that git has for exactly this content: always with the source ``head``, with ``index`` where the file
    was not touched since git looked at it, else None.  A checkout filter (line ends, LFS) may still make the bytes of a
    checkout differ from the blob.  *size* is the size in the work tree, None where only the blob is there.
    """

    path: bytes
    mode: int
    size: int | None
    oid: ObjectId | None


class WorkTree:
    """The files of one repository; a context manager.

    *source* is ``index`` (what git tracks), ``head`` (the commit of HEAD) or ``walk`` (the folder without ignored files,
    tracked ones included); None takes the index where there is a work tree, else HEAD.  Gaps go to *ledger*, else to that of
    the database; what a tree of HEAD lacks goes to the database's in any case.
    """

    def __init__(self, db: ObjectDatabase, source: Source | None = None, *, ledger: CoverageLedger | None = None) -> None:
        chosen = source or ("head" if db.work_tree is None else "index")
        if chosen not in SOURCES:
            raise ConfigError(f"expected one of {', '.join(SOURCES)}, got {chosen!r}", field="source")
        if chosen != "head" and db.work_tree is None:
            raise ConfigError(f"a bare repository has no {chosen}", field="source")
        self.source: Source = chosen
        self._db = db
        self._ledger = db.ledger if ledger is None else ledger
        self._files: list[WorkFile] | None = None
        self._folder = None
        if chosen != "head" and db.work_tree is not None:
            self._folder = FolderReader(db.work_tree, self._ledger)

    def __enter__(self) -> WorkTree:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder; closing twice is harmless."""
        if self._folder is not None:
            self._folder.close()

    def list_files(self) -> list[WorkFile]:
        """Return all files and symlinks, sorted by path; the first call looks, later ones repeat its answer.

        Submodules go to the ledger and are left out, and so are tracked files that are deleted on disk.  A file in a merge
        conflict is there once, without id.  Raises CorruptDataError or UnsupportedError where the git index cannot be read.
        """
        if self._files is None:
            found = self._list_head() if self._folder is None else self._list_folder(self._folder)
            self._files = sorted(found, key=lambda file: file.path)
        return list(self._files)

    def read(self, file: WorkFile) -> bytes | None:
        """Return the content of *file*, or None: a symlink has none of its own, any other reason is in the ledger."""
        if is_symlink(file.mode):
            return None
        if self._folder is None or file.size is None:
            data = self._read_blob(file)
        else:
            data = self._folder.read(file.path, self._db.budget.limit("file"))
        if data is not None and len(data) < _LFS_LIMIT_BYTES and data.startswith(_LFS_START):
            self._ledger.add(Reason.LFS_POINTER, file.path)
            return None
        return data

    def _read_blob(self, file: WorkFile) -> bytes | None:
        limit, ledger = self._db.budget.limit("file"), self._ledger
        if file.oid is None:
            ledger.add(Reason.MISSING, file.path, "neither on disk nor in the database")
            return None
        try:
            found = self._db.read(file.oid)
        except NotFoundError:
            ledger.add(self._db.absence(), file.path, f"blob {file.oid.hex()}")
            return None
        except CorruptDataError as error:
            ledger.add(Reason.CORRUPT, file.path, error.problem)
            return None
        except BudgetExceeded as error:
            ledger.add(Reason.OVERSIZE, file.path, f"{error.needed_bytes} bytes")
            return None
        if found.kind is not Kind.BLOB:
            ledger.add(Reason.CORRUPT, file.path, "named as a file, but its object is none")
            return None
        if len(found.data) > limit:
            ledger.add(Reason.OVERSIZE, file.path, f"{len(found.data)} bytes")
            return None
        return found.data

    def _list_head(self) -> Iterator[WorkFile]:
        head = self._db.head()
        if head is None:
            return
        tree = parse_commit(self._db.read(head).data).tree
        for file in iter_tree_files(self._db, tree):
            if is_submodule(file.mode):
                self._ledger.add(Reason.SUBMODULE, file.path)
            else:
                yield WorkFile(file.path, file.mode, None, file.oid)

    def _list_folder(self, folder: FolderReader) -> Iterator[WorkFile]:
        index = self._db.git_dir / "index"
        entries = read_git_index(index, self._db.algorithm, limit_bytes=self._db.budget.limit("index"))
        written_ns = index.stat().st_mtime_ns if entries else 0
        seen: set[bytes] = set()
        for entry in entries:
            if entry.path not in seen:  # the stages of a conflict share their path
                seen.add(entry.path)
                yield from self._tracked(folder, entry, written_ns)
        if self.source == "walk":
            excluded = self._db.common_dir / "info" / "exclude"
            modules = frozenset(entry.path for entry in entries if is_submodule(entry.mode))
            for path, status in folder.walk(excluded, modules):
                if path not in seen:
                    yield WorkFile(path, canonical_mode(status.st_mode), status.st_size, None)

    def _tracked(self, folder: FolderReader, entry: IndexEntry, written_ns: int) -> Iterator[WorkFile]:
        if is_tree(entry.mode):  # a folder outside the sparse checkout
            for file in iter_tree_files(self._db, entry.oid):
                if is_submodule(file.mode):
                    self._ledger.add(Reason.SUBMODULE, entry.path + file.path)
                else:
                    yield WorkFile(entry.path + file.path, file.mode, None, file.oid)
            return
        if is_submodule(entry.mode):
            self._ledger.add(Reason.SUBMODULE, entry.path)
            return
        status = folder.find_status(entry.path)
        if status is None:
            if entry.skip_worktree:
                yield WorkFile(entry.path, entry.mode, None, entry.oid)
        elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            oid = entry.oid if _is_untouched(entry, status, written_ns) else None
            mode = 0o120000 if stat.S_ISLNK(status.st_mode) else 0o100644 if is_symlink(entry.mode) else entry.mode
            yield WorkFile(entry.path, mode, status.st_size, oid)
        elif not stat.S_ISDIR(status.st_mode):
            self._ledger.add(Reason.UNREADABLE, entry.path, "neither a file nor a symlink")


def _is_untouched(entry: IndexEntry, status: os.stat_result, written_ns: int) -> bool:
    """Whether the file is as git saw it. One changed within the tick in which the index was written may look untouched
    ("racy git"), so a time that is not before the index's proves nothing."""
    return (
        entry.stage == 0
        and not entry.intent_to_add
        and status.st_mtime_ns < written_ns
        and entry.mtime_ns == status.st_mtime_ns
        and entry.ctime_ns == status.st_ctime_ns
        and entry.inode == status.st_ino & 0xFFFFFFFF
        and entry.size == status.st_size & 0xFFFFFFFF
        and is_symlink(entry.mode) == stat.S_ISLNK(status.st_mode)
    )
