"""Reads NARs as a stream of events, in constant memory, however the input is cut into pieces.

`NarReader` is fed (push); `iter_nar` reads a file, a buffer or pieces itself (pull).  Strict: what Nix refuses is refused
here, with the offset.  The reader waits for whole runs of strings whose length is known before, so a small file costs three
steps: its head, its name and kind, its end.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from siltstone.content.nar_format import (
    CLOSE,
    CONTENTS,
    DEPTH_LIMIT,
    DIRECTORY,
    ENTRY,
    EXECUTABLE,
    MAGIC,
    NAME,
    NAME_LIMIT,
    NODE,
    NOTHING,
    OPEN,
    REGULAR,
    SIZE_LIMIT,
    SYMLINK,
    TARGET,
    TARGET_LIMIT,
    TYPE,
    NarDirectory,
    NarDirectoryEnd,
    NarEvent,
    NarFile,
    NarLimits,
    NarSymlink,
    name_problem,
    padding_of,
    target_problem,
)
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

if TYPE_CHECKING:
    from typing import TypeAlias

    from _typeshed import ReadableBuffer

    NarSource: TypeAlias = BinaryIO | ReadableBuffer | Iterable[ReadableBuffer]  # a file, a buffer, or pieces

BLOCK_BYTES = 512 * KIB  # one read: larger ones leave the second-level cache, smaller ones cost more calls
_SKIP_AT_LEAST = 2 * MIB  # contents shorter than this are read through: a seek throws the system's read-ahead away

_START_RUN = MAGIC + OPEN + TYPE
_HEAD_RUN = OPEN + NAME  # of an entry, after its first string
_NODE_RUN = NODE + OPEN + TYPE
_KIND = 16  # the first bytes of REGULAR, SYMLINK and DIRECTORY tell them apart
_FIRST = 24  # so many bytes follow the kind in every node: contents + size, target + size, or a directory's first mark
_MARK = 16  # an ENTRY or a CLOSE
_START_BYTES = len(_START_RUN) + _KIND + _FIRST
_NODE_TAIL = len(_NODE_RUN) + _KIND + _FIRST
_EXECUTABLE_RUN = NOTHING + CONTENTS
_ROOT_BYTES = _START_BYTES + len(_EXECUTABLE_RUN) + 8  # a root that is a directory or a file is told then
_LINK_BYTES = _START_BYTES + TARGET_LIMIT + 1 + _MARK  # and one that is a link
_ZEROS = bytes(8)


class NarReader:
    """Takes the bytes of one NAR in pieces of any size and returns the events that each piece completes.

    One thread at a time.  After an error the reader takes no more.
    """

    __slots__ = ("_bytes", "_entries", "_events", "_held", "_last", "_left", "_limits", "_need", "_offset", "_open", "_path",
                 "_start", "_step", "_wanted")

    def __init__(self, *, limits: NarLimits | None = None) -> None:
        self._limits = limits
        self._open: list[tuple[bytes, bytes]] = []  # the directories around here: path, and the last name before here
        self._last = b""  # name of the last entry in the innermost directory
        self._path, self._start = b"", 0  # of the entry that is being read
        self._entries = self._bytes = 0
        self._held = bytearray()  # the beginning of a run that is not complete
        self._left = 0  # bytes of contents still to come
        self._offset = 0  # of the next run, or of the contents to come
        self._wanted = 0  # bytes of the name or target to come
        self._events: list[NarEvent] = []
        self._need = _START_BYTES
        self._step: Callable[[bytes], None] = self._take_start

    @property
    def offset(self) -> int:
        """Bytes taken so far."""
        return self._offset + len(self._held)

    @property
    def contents_left(self) -> int:
        """Bytes of the current file that are still to come."""
        return self._left

    @property
    def complete(self) -> bool:
        """Whether the whole archive was taken."""
        return self._step == self._refuse_more and not self._held

    def feed(self, data: ReadableBuffer) -> list[NarEvent]:
        """Return the events that *data* completes; contents are views of *data*, valid as long as it is.

        Raises CorruptDataError with the offset, or BudgetExceeded where the limits are passed.
        """
        view = memoryview(data).cast("B")
        events: list[NarEvent] = []
        self._events = events
        held = self._held
        at, size = 0, len(view)
        try:
            while at < size:
                if self._left:
                    end = min(at + self._left, size)
                    events.append(view[at:end])
                    self._left -= end - at
                    self._offset += end - at
                    at = end
                    continue
                need = self._need
                end = at + need - len(held)
                if end > size:
                    held += view[at:]
                    break
                if held:
                    held += view[at:end]
                    run = bytes(held)
                    held.clear()
                else:
                    run = view[at:end].tobytes()
                at = end
                self._step(run)
                self._offset += need
        except (CorruptDataError, BudgetExceeded):
            self._fail()
            raise
        return events

    def skip_contents(self, size: int) -> None:
        """Pass over *size* bytes of contents that the caller does not read; at most `contents_left`."""
        if not 0 <= size <= self._left:
            raise ConfigError(f"{self._left} bytes of contents are to come, got {size}", field="size")
        self._left -= size
        self._offset += size

    def finish(self) -> None:
        """Say that no more comes. Raises CorruptDataError where the archive is not complete."""
        if self.complete:
            return
        if self._step == self._take_start and not MAGIC.startswith(self._held[:len(MAGIC)]):
            raise CorruptDataError("not a NAR: its first bytes are not 'nix-archive-1'", offset=0)
        raise CorruptDataError("the archive ends early", offset=self.offset)

    def _fail(self) -> None:
        self._left, self._need = 0, 1
        self._held.clear()
        self._step = self._refuse_after_error

    def _expect(self, run: bytes, at: int, *tokens: bytes) -> None:
        """Raise the error of the first of *tokens* that *run* does not have at *at*; called where one differs."""
        for token in tokens:
            found = run[at:at + len(token)]
            if found != token:
                size = int.from_bytes(token[:8], "little")
                text = token[8:8 + size].decode()
                if found[:8 + size] == token[:8 + size]:
                    raise CorruptDataError(f"the padding behind '{text}' is not zero", offset=self._offset + at + 8 + size)
                raise CorruptDataError(f"expected '{text}'", offset=self._offset + at)
            at += len(token)
        raise AssertionError("no token differs")

    def _take_start(self, run: bytes) -> None:
        if not run.startswith(_START_RUN):
            if not run.startswith(MAGIC):
                raise CorruptDataError("not a NAR: its first bytes are not 'nix-archive-1'", offset=0)
            self._expect(run, 0, MAGIC, OPEN, TYPE)
        self._begin_node(run, len(_START_RUN))

    def _take_head(self, run: bytes) -> None:
        """The head of an entry, up to the length of its name."""
        if not run.startswith(_HEAD_RUN):
            self._expect(run, 0, OPEN, NAME)
        size = int.from_bytes(run[-8:], "little")
        if not 1 <= size <= NAME_LIMIT:
            problem = f"a name has {size} bytes, 1 to {NAME_LIMIT} are allowed"
            raise CorruptDataError(problem, offset=self._offset + len(_HEAD_RUN))
        self._wanted = size
        self._need = size + padding_of(size) + _NODE_TAIL
        self._step = self._take_name

    def _take_name(self, run: bytes) -> None:
        """The name of an entry, and its node up to the first thing that depends on its kind."""
        size = self._wanted
        name = run[:size]
        at = size + padding_of(size)
        if problem := name_problem(name):
            raise CorruptDataError(problem, offset=self._offset)
        if name <= self._last:
            problem = "a name appears twice" if name == self._last else "the names are not sorted"
            raise CorruptDataError(problem, offset=self._offset)
        if not _ZEROS.startswith(run[size:at]):
            raise CorruptDataError("the padding behind a name is not zero", offset=self._offset + size)
        if not run.startswith(_NODE_RUN, at):
            self._expect(run, at, NODE, OPEN, TYPE)
        self._last = name
        parent = self._open[-1][0]
        self._path = parent + b"/" + name if parent else name
        self._begin_node(run, at + len(_NODE_RUN))

    def _begin_node(self, run: bytes, at: int) -> None:
        self._entries += 1
        if self._limits and self._entries > self._limits.entries:
            raise BudgetExceeded("nar entries", limit_bytes=self._limits.entries, needed_bytes=self._entries, unit="entries")
        first = at + _KIND
        if run.startswith(REGULAR, at):
            if run.startswith(CONTENTS, first):
                self._begin_file(int.from_bytes(run[-8:], "little"), self._offset + len(run), executable=False)
            elif run.startswith(EXECUTABLE, first):
                self._need, self._step = len(_EXECUTABLE_RUN) + 8, self._take_executable
            else:
                self._expect(run, first, EXECUTABLE if run.startswith(EXECUTABLE[:18], first) else CONTENTS)
        elif run.startswith(SYMLINK, at):
            self._begin_symlink(run, first)
        elif run.startswith(DIRECTORY, at):
            self._begin_directory()
            self._take_mark(run[-_MARK:], self._offset + len(run) - _MARK)
        else:
            raise CorruptDataError("expected 'regular', 'symlink' or 'directory'", offset=self._offset + at)

    def _take_executable(self, run: bytes) -> None:
        if not run.startswith(_EXECUTABLE_RUN):
            if not run.startswith(NOTHING):
                raise CorruptDataError("the executable mark has a value", offset=self._offset)
            self._expect(run, len(NOTHING), CONTENTS)
        self._begin_file(int.from_bytes(run[-8:], "little"), self._offset + len(run), executable=True)

    def _begin_file(self, size: int, offset: int, *, executable: bool) -> None:
        if size > SIZE_LIMIT:
            raise CorruptDataError(f"the contents have {size} bytes", offset=offset - 8)
        self._bytes += size
        if self._limits and self._bytes > self._limits.contents_bytes:
            raise BudgetExceeded("nar contents", limit_bytes=self._limits.contents_bytes, needed_bytes=self._bytes)
        self._events.append(NarFile(self._path, executable, size, offset, self._start))
        self._left = size
        self._wanted = padding_of(size)
        self._await_end(self._wanted)

    def _begin_symlink(self, run: bytes, at: int) -> None:
        if not run.startswith(TARGET, at):
            self._expect(run, at, TARGET)
        size = int.from_bytes(run[-8:], "little")
        if not 1 <= size <= TARGET_LIMIT:
            problem = f"a link target has {size} bytes, 1 to {TARGET_LIMIT} are allowed"
            raise CorruptDataError(problem, offset=self._offset + at + len(TARGET))
        self._wanted = size
        self._await_end(size + padding_of(size))
        self._step = self._take_target

    def _await_end(self, size: int) -> None:
        """Wait for *size* bytes, the close of the node and, below a directory, that of the entry and the mark behind it."""
        self._need = size + (3 * _MARK if self._open else _MARK)
        self._step = self._take_end

    def _take_target(self, run: bytes) -> None:
        target = run[:self._wanted]
        if problem := target_problem(target):
            raise CorruptDataError(problem, offset=self._offset)
        self._events.append(NarSymlink(self._path, target, self._offset, self._start))
        self._close_node(run, self._wanted, self._wanted + padding_of(self._wanted))

    def _take_end(self, run: bytes) -> None:
        self._close_node(run, 0, self._wanted)

    def _close_node(self, run: bytes, padding: int, at: int) -> None:
        if not _ZEROS.startswith(run[padding:at]):
            raise CorruptDataError("the padding behind a string is not zero", offset=self._offset + padding)
        if not self._open:
            if not run.startswith(CLOSE, at):
                self._expect(run, at, CLOSE)
            self._need, self._step = 1, self._refuse_more
            return
        if not run.startswith(_CLOSES, at):
            self._expect(run, at, CLOSE, CLOSE)
        self._take_mark(run[-_MARK:], self._offset + len(run) - _MARK)

    def _begin_directory(self) -> None:
        self._events.append(NarDirectory(self._path, self._start))
        self._open.append((self._path, self._last))
        self._last = b""

    def _take_mark(self, mark: bytes, offset: int) -> None:
        """In a directory: another entry, or its end."""
        if mark == ENTRY:
            if len(self._open) >= DEPTH_LIMIT:
                raise CorruptDataError(f"directories are nested {DEPTH_LIMIT} deep", offset=offset)
            self._start = offset
            self._need, self._step = len(_HEAD_RUN) + 8, self._take_head
            return
        if mark != CLOSE:
            raise CorruptDataError("expected 'entry' or ')'", offset=offset)
        path, self._last = self._open.pop()
        self._events.append(NarDirectoryEnd(path, offset + _MARK))
        if self._open:
            self._need, self._step = 2 * _MARK, self._take_directory_end
        else:
            self._need, self._step = 1, self._refuse_more

    def _take_directory_end(self, run: bytes) -> None:
        if not run.startswith(CLOSE):
            self._expect(run, 0, CLOSE)
        self._take_mark(run[_MARK:], self._offset + _MARK)

    def _refuse_more(self, _run: bytes) -> None:
        raise CorruptDataError("bytes follow the archive", offset=self._offset)

    def _refuse_after_error(self, _run: bytes) -> None:
        raise CorruptDataError("the archive was found damaged before", offset=self._offset)


_CLOSES = CLOSE + CLOSE


def iter_nar(source: NarSource, *, limits: NarLimits | None = None, contents: bool = True) -> Iterator[NarEvent]:
    """Yield the events of the NAR in *source*: a binary file from where it stands, a buffer, or pieces of bytes.

    Contents are views that stay valid as long as the caller keeps them.  With *contents* false none are yielded, and in a
    file that can seek long ones are not even read.  Raises CorruptDataError with the offset, also for bytes behind the end.
    """
    reader = NarReader(limits=limits)
    file = file_of(source)
    for piece in _blocks_of(file, reader) if file is not None and not contents else pieces_of(source):
        events = reader.feed(piece)
        if contents:
            yield from events
        else:
            yield from (event for event in events if type(event) is not memoryview)
    reader.finish()


def nar_root(head: ReadableBuffer) -> NarDirectory | NarFile | NarSymlink | None:
    """Return what the NAR that begins with *head* holds: its root, or None where *head* is too short to tell.

    128 bytes tell a directory or a file with its size, 4,208 any link. Raises CorruptDataError where no NAR begins so.
    """
    view = memoryview(head).cast("B")
    reader = NarReader()
    for piece in (view[:_ROOT_BYTES], view[_ROOT_BYTES:_LINK_BYTES]):
        for event in reader.feed(piece):
            if isinstance(event, (NarDirectory, NarFile, NarSymlink)):
                return event
    return None


def file_of(source: NarSource) -> BinaryIO | None:
    """Return *source* where it is a file, else None."""
    return cast("BinaryIO", source) if hasattr(source, "read") else None


def pieces_of(source: NarSource) -> Iterator[ReadableBuffer]:
    """Yield the bytes of *source* in blocks that are small enough for a cache."""
    file = file_of(source)
    if file is not None:
        while block := file.read(BLOCK_BYTES):
            yield block
        return
    try:
        view = memoryview(cast("ReadableBuffer", source)).cast("B")
    except TypeError:
        yield from cast("Iterable[ReadableBuffer]", source)
        return
    for at in range(0, len(view), BLOCK_BYTES):
        yield view[at:at + BLOCK_BYTES]


def _blocks_of(file: BinaryIO, reader: NarReader) -> Iterator[bytes]:
    """Yield what *reader* needs to see, without long contents."""
    seekable = file.seekable()
    while block := file.read(BLOCK_BYTES):
        yield block
        if seekable and reader.contents_left >= _SKIP_AT_LEAST:
            size = reader.contents_left - 1  # the last byte is read, so that a file that ends before it is noticed
            try:
                file.seek(size, io.SEEK_CUR)
            except (OSError, OverflowError) as error:  # farther than any file of that file system can reach
                raise CorruptDataError("the archive ends early", offset=reader.offset) from error
            reader.skip_contents(size)
