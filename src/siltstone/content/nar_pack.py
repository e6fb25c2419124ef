"""From files to a NAR: lazily, in constant memory, the same bytes for the same tree.

Only what a NAR can say is kept: kind, contents, link target, and the executable bit of the owner.  Every step below the
root is opened relative to its directory and never through a link, so a tree that changes meanwhile cannot lead outside.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from siltstone.content.hash_text import Hash, format_hash
from siltstone.content.nar_format import DEPTH_LIMIT, NarLimits, shown
from siltstone.content.nar_writer import NarWriter
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError
from siltstone.core.progress import NO_PROGRESS, Progress

CASE_HACK_SUFFIX = b"~nix~case~hack~"  # DO NOT CHANGE: Nix writes it on file systems that ignore case

_WHOLE_BYTES = 256 * KIB  # a file up to this size is read by one call
_PIECE_BYTES = 1 * MIB
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe that took the file's place must not block


_ONCE = (None,)  # one step without more to come


@dataclass(frozen=True, slots=True, kw_only=True)
class NarSummary:
    """What went through: *size* bytes of NAR, its SHA-256, and what it holds."""

    size: int
    sha256: bytes
    files: int
    directories: int
    symlinks: int
    contents_bytes: int

    @property
    def nar_hash(self) -> str:
        """The hash as Nix writes it in a narinfo: ``sha256:`` and 52 digits of base 32."""
        return format_hash(Hash("sha256", self.sha256), "nix32")

    @property
    def sri(self) -> str:
        """The hash as Nix writes it in expressions and ``--json``: ``sha256-`` and base 64."""
        return format_hash(Hash("sha256", self.sha256), "sri")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, the hash in both styles."""
        return {
            "nar_size": self.size, "nar_hash": self.nar_hash, "nar_hash_sri": self.sri, "files": self.files,
            "directories": self.directories, "symlinks": self.symlinks, "contents_bytes": self.contents_bytes,
        }


@dataclass(slots=True)
class _Level:
    """One open directory and the names in it that are still to come."""

    descriptor: int
    path: bytes
    entries: deque[tuple[bytes, bytes, int]]  # name in the archive, name on disk, kind as in a mode


class _Packer:
    """Walks one tree with an explicit stack; at most `DEPTH_LIMIT` descriptors are open."""

    def __init__(self, writer: NarWriter, root: bytes, *, case_hack: bool, limits: NarLimits, progress: Progress) -> None:
        self.writer, self.root, self.case_hack, self.limits, self.progress = writer, root, case_hack, limits, progress
        self.files = self.directories = self.symlinks = self.contents_bytes = 0
        self._entries = 1  # the root
        self._levels: list[_Level] = []

    def close(self) -> None:
        while self._levels:
            os.close(self._levels.pop().descriptor)

    def steps(self) -> Iterator[None]:
        """Do the work; yield after each step that may have filled the writer."""
        kind = stat.S_IFMT(os.stat(self.root, follow_symlinks=False).st_mode)
        yield from self._node(b"", self.root, kind, None)
        while self._levels:
            level = self._levels[-1]
            if level.entries:
                yield from self._node(*level.entries.popleft(), level)
            else:
                self.writer.end_directory()
                os.close(self._levels.pop().descriptor)
        self.writer.finish()
        yield

    def _node(self, name: bytes, real: bytes, kind: int, level: _Level | None) -> Iterable[None]:
        parent = level.descriptor if level else None
        path = level.path + b"/" + real if level else real
        if kind == stat.S_IFREG:
            return self._file(name, real, parent, path)
        if kind == stat.S_IFDIR:
            self._enter(name, real, parent, path)
        elif kind == stat.S_IFLNK:
            self.symlinks += 1
            self.writer.symlink(name, target=os.readlink(real, dir_fd=parent))
        else:
            raise UnsupportedError("a NAR holds files, directories and symbolic links only", source=shown(path))
        return _ONCE

    def _enter(self, name: bytes, real: bytes, parent: int | None, path: bytes) -> None:
        if len(self._levels) >= DEPTH_LIMIT:
            raise UnsupportedError(f"a NAR holds {DEPTH_LIMIT - 1} nested directories at most", source=shown(path))
        descriptor = os.open(real, _DIRECTORY, dir_fd=parent)
        try:
            entries = self._entries_of(descriptor, path)
            if entries and len(self._levels) >= DEPTH_LIMIT - 1:
                raise UnsupportedError(f"a NAR holds {DEPTH_LIMIT - 1} nested directories at most", source=shown(path))
        except BaseException:
            os.close(descriptor)
            raise
        self._levels.append(_Level(descriptor, path, deque(entries)))
        self.directories += 1
        self.writer.directory(name)

    def _entries_of(self, descriptor: int, path: bytes) -> list[tuple[bytes, bytes, int]]:
        with os.scandir(descriptor) as found:
            most = self.limits.entries - self._entries
            entries = [(os.fsencode(entry.name), _kind_of(entry)) for entry in islice(found, most + 1)]
        self._entries += len(entries)
        if self._entries > self.limits.entries:
            raise BudgetExceeded("nar entries", limit_bytes=self.limits.entries, needed_bytes=self._entries, unit="entries")
        if not self.case_hack:
            return sorted((name, name, kind) for name, kind in entries)
        plain = sorted((name.partition(CASE_HACK_SUFFIX)[0], name, kind) for name, kind in entries)
        for before, after in pairwise(plain):
            if before[0] == after[0]:
                raise UnsupportedError(f"'{shown(after[0])}' is there twice", source=shown(os.path.join(path, after[1])))
        return plain

    def _file(self, name: bytes, real: bytes, parent: int | None, path: bytes) -> Iterable[None]:
        descriptor = os.open(real, _FILE, dir_fd=parent)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CorruptDataError("the file was replaced while it was read", source=shown(path))
            size = status.st_size
            self.files += 1
            self.contents_bytes += size
            if self.contents_bytes > self.limits.contents_bytes:
                raise BudgetExceeded("nar contents", limit_bytes=self.limits.contents_bytes, needed_bytes=self.contents_bytes)
            self.writer.file(name, size=size, executable=bool(status.st_mode & stat.S_IXUSR))
            if size > _WHOLE_BYTES:
                descriptor, kept = -1, descriptor
                return self._pieces(kept, size, path)
            self._whole(descriptor, size, path)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return _ONCE

    def _whole(self, descriptor: int, size: int, path: bytes) -> None:
        data = os.read(descriptor, size + 1)
        if len(data) != size:
            raise _changed(len(data), size, path)
        if size:
            self.writer.contents(data)
            self.progress.advance(size)

    def _pieces(self, descriptor: int, size: int, path: bytes) -> Iterator[None]:
        try:
            done = 0
            while done < size:
                data = os.read(descriptor, min(size - done, _PIECE_BYTES))
                if not data:
                    raise _changed(done, size, path)
                self.writer.contents(data)
                done += len(data)
                self.progress.advance(len(data))
                yield
            if os.read(descriptor, 1):
                raise _changed(size + 1, size, path)
        finally:
            os.close(descriptor)


def _kind_of(entry: os.DirEntry[str]) -> int:
    """Return the kind as a mode tells it, mostly without a call of the system; 0 for what a NAR cannot hold."""
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFLNK if entry.is_symlink() else 0


def _changed(found: int, size: int, path: bytes) -> CorruptDataError:
    verb = "shrank" if found < size else "grew"
    return CorruptDataError(f"the file {verb} while it was read", source=shown(path), offset=min(found, size))


def iter_pack_nar(
    path: Path | str | bytes, *, case_hack: bool = False, limits: NarLimits | None = None
) -> Iterator[bytes | memoryview]:
    """Yield the NAR of *path* in blocks; what is not asked for is not read.

    A link at *path* itself is packed as a link.  *case_hack* removes the suffixes that Nix and `unpack_nar` give to names
    that differ only in case.  Names are held of the directories that are open, at most as many as *limits* (default:
    `NarLimits()`) has entries.

    Raises BudgetExceeded beyond the limits, UnsupportedError for sockets, pipes and devices and for trees that are too deep,
    CorruptDataError for a file that changes its size meanwhile, OSError for what cannot be read.
    """
    blocks: list[bytes | memoryview] = []
    packer = _Packer(NarWriter(blocks.append), os.fsencode(path), case_hack=case_hack, limits=limits or NarLimits(),
                     progress=NO_PROGRESS)
    with closing(packer):
        for _ in packer.steps():
            if blocks:
                yield from blocks
                blocks.clear()


def pack_nar(
    path: Path | str | bytes, write: Callable[[bytes | memoryview], object], *, case_hack: bool = False,
    limits: NarLimits | None = None, progress: Progress = NO_PROGRESS,
) -> NarSummary:
    """Hand the NAR of *path* to *write*, block by block, and return its size and hash; otherwise as `iter_pack_nar`.

    *progress* advances by the bytes of file contents.
    """
    hasher = hashlib.sha256()

    def put(block: bytes | memoryview) -> None:
        hasher.update(block)
        write(block)

    writer = NarWriter(put)
    packer = _Packer(writer, os.fsencode(path), case_hack=case_hack, limits=limits or NarLimits(), progress=progress)
    with closing(packer):
        for _ in packer.steps():
            pass
    return NarSummary(size=writer.size, sha256=hasher.digest(), files=packer.files, directories=packer.directories,
                      symlinks=packer.symlinks, contents_bytes=packer.contents_bytes)
