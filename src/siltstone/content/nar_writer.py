"""Writes NARs from calls or events, in constant memory; what a reader would refuse is refused before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from siltstone.content.nar_format import (
    CLOSE,
    CONTENTS,
    DEPTH_LIMIT,
    DIRECTORY,
    ENTRY,
    EXECUTABLE,
    MAGIC,
    NAME,
    NODE,
    NOTHING,
    OPEN,
    REGULAR,
    SIZE_LIMIT,
    SYMLINK,
    TARGET,
    TYPE,
    WORD,
    NarDirectory,
    NarDirectoryEnd,
    NarEvent,
    NarFile,
    NarSymlink,
    name_problem,
    nar_string,
    padding_of,
    shown,
    target_problem,
)
from siltstone.core.budget import KIB
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOCK_BYTES = 128 * KIB  # what is shorter is gathered, so that many small files become few writes

_ROOT = MAGIC + OPEN + TYPE
_ENTRY = ENTRY + OPEN + NAME
_NODE = NODE + OPEN + TYPE
_PLAIN = REGULAR + CONTENTS
_EXECUTABLE = REGULAR + EXECUTABLE + NOTHING + CONTENTS
_LINK = SYMLINK + TARGET
_CLOSES = CLOSE + CLOSE
_ENDS = tuple(bytes(size) + _CLOSES for size in range(WORD))
_ROOT_ENDS = tuple(bytes(size) + CLOSE for size in range(WORD))


class NarWriter:
    """Hands the bytes of one NAR to *write*, in pieces of at least `BLOCK_BYTES` but for the last one.

    The root is the first node and has no name.  Entries of a directory come in the order of their names' bytes.  A call
    that does not fit raises ConfigError and writes nothing.
    """

    __slots__ = ("_end", "_last", "_left", "_names", "_parts", "_pending", "_started", "_write", "size")

    def __init__(self, write: Callable[[bytes | memoryview], object]) -> None:
        self._write = write
        self._parts: list[bytes] = []
        self._pending = 0
        self._names: list[tuple[bytes, bytes]] = []  # of the open directories: path, and the last name before them
        self._last = b""  # name of the last entry in the innermost directory
        self._started = False
        self._left = 0  # bytes of contents still to come
        self._end = b""  # what closes the file whose contents are coming
        self.size = 0  # bytes of the archive so far

    @property
    def contents_left(self) -> int:
        """Bytes of the current file that must still be given."""
        return self._left

    @property
    def complete(self) -> bool:
        """Whether the root is closed."""
        return self._started and not self._names and not self._left

    def directory(self, name: bytes = b"") -> None:
        """Begin a directory; `end_directory` ends it."""
        self._add(self._head(name) + DIRECTORY)
        parent = self._names[-1][0] if self._names else b""
        self._names.append((parent + b"/" + name if parent else name, self._last))
        self._last = b""

    def end_directory(self) -> None:
        """End the innermost directory."""
        if not self._names or self._left:
            raise ConfigError("no directory can end here", field="event")
        _, self._last = self._names.pop()
        self._add(_CLOSES if self._names else CLOSE)

    def file(self, name: bytes = b"", *, size: int, executable: bool = False) -> None:
        """Begin a regular file; its *size* bytes follow through `contents`."""
        if not 0 <= size <= SIZE_LIMIT:
            raise ConfigError(f"expected 0 to {SIZE_LIMIT} bytes, got {size}", field="size")
        self._add(self._head(name) + (_EXECUTABLE if executable else _PLAIN) + size.to_bytes(WORD, "little"))
        end = (_ENDS if self._names else _ROOT_ENDS)[padding_of(size)]
        if size:
            self._left, self._end = size, end
        else:
            self._add(end)

    def contents(self, piece: ReadableBuffer) -> None:
        """Add bytes to the file that was begun last. A short piece is copied, a long one handed on as it is."""
        data = piece if type(piece) is bytes else memoryview(piece).cast("B")
        size = len(data)
        if size > self._left:
            raise ConfigError(f"{self._left} bytes of contents are to come, got {size}", field="piece")
        if size >= BLOCK_BYTES:
            self._flush()
            self.size += size
            self._write(data)
        elif size:
            self._add(bytes(data))
        self._left -= size
        if not self._left and self._end:
            end, self._end = self._end, b""
            self._add(end)

    def symlink(self, name: bytes = b"", *, target: bytes) -> None:
        """Add a symbolic link."""
        if problem := target_problem(target):
            raise ConfigError(problem, field="target")
        self._add(self._head(name) + _LINK + nar_string(target) + (_CLOSES if self._names else CLOSE))

    def event(self, event: NarEvent) -> None:
        """Write what a reader gave; its path must fit, its offsets are not looked at."""
        if isinstance(event, memoryview):
            self.contents(event)
        elif isinstance(event, NarDirectoryEnd):
            if not self._names or event.path != self._names[-1][0]:
                raise ConfigError("another directory is open", field="event")
            self.end_directory()
        elif isinstance(event, NarFile):
            self.file(self._name_of(event.path), size=event.size, executable=event.executable)
        elif isinstance(event, NarSymlink):
            self.symlink(self._name_of(event.path), target=event.target)
        elif isinstance(event, NarDirectory):
            self.directory(self._name_of(event.path))
        else:
            raise TypeError(f"no event of a NAR: {type(event).__name__}")

    def finish(self) -> None:
        """Hand over what is left. Raises ConfigError where the archive is not complete."""
        if not self.complete:
            raise ConfigError("the archive is not complete", field="event")
        self._flush()

    def _name_of(self, path: bytes) -> bytes:
        if not self._names:
            return path
        parent, _, name = path.rpartition(b"/")
        if parent != self._names[-1][0]:
            raise ConfigError(f"'{shown(path)}' does not lie in the open directory", field="event")
        return name

    def _head(self, name: bytes) -> bytes:
        """Return all before the kind of a node, after checking that a node may come here."""
        if self._left:
            raise ConfigError(f"{self._left} bytes of contents are to come first", field="event")
        if not self._started:
            if name:
                raise ConfigError("the root has no name", field="name")
            self._started = True
            return _ROOT
        if not self._names:
            raise ConfigError("the archive is complete", field="event")
        if problem := name_problem(name):
            raise ConfigError(problem, field="name")
        if name <= self._last:
            raise ConfigError(f"'{shown(name)}' comes behind '{shown(self._last)}'", field="name")
        if len(self._names) >= DEPTH_LIMIT:
            raise ConfigError(f"directories are nested {DEPTH_LIMIT} deep", field="name")
        self._last = name
        size = len(name)
        return b"".join((_ENTRY, size.to_bytes(WORD, "little"), name, bytes(-size % WORD), _NODE))

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self._pending += len(part)
        self.size += len(part)
        if self._pending >= BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._parts:
            block = b"".join(self._parts)
            self._parts.clear()
            self._pending = 0
            self._write(block)


def encode_nar(events: Iterable[NarEvent]) -> Iterator[bytes | memoryview]:
    """Yield the bytes of the NAR that *events* describe: what `iter_nar` gives comes out as it went in."""
    blocks: list[bytes | memoryview] = []
    writer = NarWriter(blocks.append)
    for event in events:
        writer.event(event)
        if blocks:
            yield from blocks
            blocks.clear()
    writer.finish()
    yield from blocks
