"""From a NAR to files, for archives that nobody vouches for.

Everything is made below a private directory beside the target, relative to open directories, with calls that neither follow
a link nor open what is there already: a link that the archive made is never passed through.  The finished tree is moved to
its name at the end; an error or an interrupt leaves nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siltstone.content.nar import iter_nar, pieces_of
from siltstone.content.nar_format import NarDirectory, NarDirectoryEnd, NarEvent, NarFile, NarLimits, NarSymlink, shown
from siltstone.content.nar_pack import CASE_HACK_SUFFIX, NarSummary
from siltstone.core.errors import ConfigError, CorruptDataError, UnsupportedError
from siltstone.core.files import TEMPORARY_SUFFIX
from siltstone.core.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from siltstone.content.nar import NarSource

BY_TARGET = "target"  # names that the file system of the target holds apart are apart
REFUSE = "refuse"  # names that differ only in case or Unicode normal form are refused everywhere
RENAME = "rename"  # as Nix's use-case-hack: the later ones get a suffix, which packing with *case_hack* removes
COLLISION_MODES = (BY_TARGET, REFUSE, RENAME)

_ROOT = b"root"
_PRIVATE = 0o700
_NAME_SHARE = 200  # bytes of the target's name that the private directory repeats; names end at 255
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_STORE_TIME = (1, 1)  # Nix: one second after the epoch, as some tools take 0 for "never"


class _Names:
    """What the names of one directory become on disk, by the chosen way to treat collisions."""

    __slots__ = ("_mode", "_seen")

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._seen: dict[str, int] = {}

    def on_disk(self, name: bytes, path: bytes) -> bytes:
        if self._mode == RENAME and CASE_HACK_SUFFIX in name:
            raise UnsupportedError("a name holds the suffix of renamed collisions", source=shown(path))
        folded = unicodedata.normalize("NFD", name.decode("utf-8", "surrogateescape").casefold())
        count = self._seen.get(folded)
        if count is None:
            self._seen[folded] = 0
            return name
        if self._mode == REFUSE:
            raise UnsupportedError("the name differs from another only in case or normal form", source=shown(path))
        self._seen[folded] = count + 1
        return name + CASE_HACK_SUFFIX + str(count + 1).encode()


class _Unpacker:
    """Takes events and makes files below one directory that nobody else can enter."""

    def __init__(self, private: int, *, canonical: bool, collisions: str, progress: Progress) -> None:
        self.private, self.canonical, self.collisions, self.progress = private, canonical, collisions, progress
        self.files = self.directories = self.symlinks = self.contents_bytes = 0
        self._levels: list[tuple[int, _Names | None]] = []
        self._file = -1
        self._left = 0

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        while self._levels:
            os.close(self._levels.pop()[0])

    def take(self, events: Iterable[NarEvent]) -> None:
        """Make what *events* say; an error of the system names the entry, as the calls know only its last step."""
        steps: dict[type, Callable[[Any], None]] = {
            memoryview: self._contents, NarFile: self._begin_file, NarSymlink: self._symlink, NarDirectory: self._directory,
            NarDirectoryEnd: self._end_directory,
        }
        path = b""
        try:
            for event in events:
                if type(event) is not memoryview:
                    path = event.path
                steps[type(event)](event)
        except FileExistsError as error:
            raise UnsupportedError("the target's file system takes two names for one", source=shown(path)) from error
        except OSError as error:
            if path:
                error.filename = os.fsdecode(path)
            raise

    def _contents(self, piece: memoryview) -> None:
        self._left -= len(piece)
        self.progress.advance(len(piece))
        while piece:
            piece = piece[os.write(self._file, piece):]
        if not self._left:
            self._end_file()

    def _begin_file(self, event: NarFile) -> None:
        parent, name = self._place(event.path)
        self._file = os.open(name, _FILE, 0o777 if event.executable else 0o666, dir_fd=parent)
        self.files += 1
        self.contents_bytes += event.size
        self._left = event.size
        if self.canonical:
            os.fchmod(self._file, 0o555 if event.executable else 0o444)
        if not event.size:
            self._end_file()

    def _end_file(self) -> None:
        if self.canonical:
            os.utime(self._file, _STORE_TIME)
        descriptor, self._file = self._file, -1
        os.close(descriptor)

    def _symlink(self, event: NarSymlink) -> None:
        parent, name = self._place(event.path)
        os.symlink(event.target, name, dir_fd=parent)
        if self.canonical:
            os.utime(name, _STORE_TIME, dir_fd=parent, follow_symlinks=False)
        self.symlinks += 1

    def _directory(self, event: NarDirectory) -> None:
        parent, name = self._place(event.path)
        os.mkdir(name, dir_fd=parent)
        names = None if self.collisions == BY_TARGET else _Names(self.collisions)
        self._levels.append((os.open(name, _DIRECTORY, dir_fd=parent), names))
        self.directories += 1
        self.progress.check()

    def _end_directory(self, _event: NarDirectoryEnd) -> None:
        descriptor, _ = self._levels.pop()
        try:
            if self.canonical and self._levels:  # the root stays writable until it is moved: a move writes to it
                make_canonical_directory(descriptor)
        finally:
            os.close(descriptor)

    def _place(self, path: bytes) -> tuple[int, bytes]:
        """Return the open directory for *path* and its name there; the reader has checked that the name is one step."""
        if not self._levels:
            return self.private, _ROOT
        descriptor, names = self._levels[-1]
        name = path.rpartition(b"/")[2]
        return descriptor, names.on_disk(name, path) if names else name


def make_canonical_directory(place: int | Path) -> None:
    """Give a directory the mode and time of a Nix store."""
    os.chmod(place, 0o555)  # noqa: S103 - readable by all is what a store is
    os.utime(place, _STORE_TIME)


def unpack_nar(
    source: NarSource, target: Path | str, *, limits: NarLimits | None = None,
    canonical: bool = False, collisions: str = BY_TARGET, sha256: bytes | None = None, progress: Progress = NO_PROGRESS,
) -> NarSummary:
    """Make *target* from the NAR in *source*, whole or not at all, and return what it holds.

    *target* must not exist; its parent must.  Modes are those of new files (0666 or 0777, directories 0777, less the
    umask) and times those of now; with *canonical* 0444, 0555 and one second after the epoch, as in a Nix store.  With
    *sha256* the hash of the NAR must be that.  Bytes are not synced to the disk.

    Raises ConfigError where *target* exists, CorruptDataError, BudgetExceeded where *limits* (default: `NarLimits()`) are
    passed, UnsupportedError for names that collide (see `COLLISION_MODES`), OSError for what cannot be written.
    """
    if collisions not in COLLISION_MODES:
        raise ConfigError(f"expected one of {', '.join(COLLISION_MODES)}, got {collisions!r}", field="collisions")
    path = Path(target)
    if os.path.lexists(path):
        raise ConfigError(f"{path} exists", field="target")
    hasher, counted = hashlib.sha256(), [0]
    events = iter_nar(_hashed(source, hasher, counted), limits=limits or NarLimits())
    with _private_directory(path) as (private, descriptor):
        unpacker = _Unpacker(descriptor, canonical=canonical, collisions=collisions, progress=progress)
        try:
            unpacker.take(events)
        finally:
            unpacker.close()
        digest = hasher.digest()
        if sha256 is not None and digest != sha256:
            raise CorruptDataError("the hash of the archive is not the expected one")
        _publish(private / _ROOT.decode(), path, is_directory=unpacker.directories > 0, canonical=canonical)
    return NarSummary(size=counted[0], sha256=digest, files=unpacker.files, directories=unpacker.directories,
                      symlinks=unpacker.symlinks, contents_bytes=unpacker.contents_bytes)


def _hashed(
    source: NarSource, hasher: hashlib._Hash, counted: list[int]
) -> Iterator[ReadableBuffer]:
    """Yield the pieces of *source*, which *hasher* has seen then."""
    for piece in pieces_of(source):
        hasher.update(piece)
        counted[0] += memoryview(piece).nbytes
        yield piece


@contextmanager
def _private_directory(target: Path) -> Iterator[tuple[Path, int]]:
    """Make a directory beside *target* that only its owner can enter, and remove it with all that is still in it."""
    name = os.fsdecode(os.fsencode(target.name)[:_NAME_SHARE])
    private = target.parent / f".{name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"
    try:  # from here on: an interrupt may come as soon as the folder is there
        _make(private, target.parent)
        descriptor = os.open(private, _DIRECTORY)
        try:
            yield private, descriptor
        finally:
            os.close(descriptor)
    finally:
        _remove(private)


def _make(private: Path, parent: Path) -> None:
    try:
        os.mkdir(private, _PRIVATE)
    except OSError as error:
        error.filename = str(parent)  # the private name would only puzzle
        raise


def _remove(folder: Path) -> None:
    """Remove *folder* where it is there; store folders are made writable first, as their owner may not remove from them."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if os.path.lexists(folder):
            raise
    except PermissionError:
        for _, _, _, descriptor in os.fwalk(folder):
            os.fchmod(descriptor, _PRIVATE)
        shutil.rmtree(folder)


def _publish(made: Path, target: Path, *, is_directory: bool, canonical: bool) -> None:
    """Move *made* to *target*, which must not exist: both calls that decide it are atomic and refuse what is there."""
    try:
        if is_directory:
            try:
                os.mkdir(target)  # an empty directory is the one thing that a rename may replace
                os.rename(made, target)
            except FileExistsError:
                raise
            except BaseException:
                with suppress(OSError):
                    os.rmdir(target)
                raise
            if canonical:
                make_canonical_directory(target)
        else:
            os.link(made, target, follow_symlinks=False)
    except FileExistsError:
        raise ConfigError(f"{target} exists", field="target") from None
    except OSError as error:
        if is_directory or error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        os.rename(made, target)  # a file system without hard links; a name that appeared just now would be replaced
