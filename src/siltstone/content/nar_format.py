"""What a NAR is made of: its strings, the rules for names, and the events that readers give and writers take.

The grammar is that of Nix (``nix-archive-1``): every string is a 64-bit little-endian length, the bytes, and zero bytes up
to a multiple of 8.  Reader and writer share the rules below, so nothing is written that would not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from siltstone.core.budget import GIB
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WORD = 8
DEPTH_LIMIT = 64  # Nix: an entry lies below at most 63 directories, the root being one
NAME_LIMIT = 255  # Nix, and the file systems that it runs on
TARGET_LIMIT = 4_095  # Nix: PATH_MAX without its NUL
SIZE_LIMIT = (1 << 63) - 1  # a file offset is signed


def padding_of(size: int) -> int:
    """Return how many zero bytes follow a string of *size* bytes."""
    return -size % WORD


def nar_string(text: bytes) -> bytes:
    """Return *text* as a NAR holds it: length, bytes, padding."""
    return len(text).to_bytes(WORD, "little") + text + bytes(padding_of(len(text)))


MAGIC = nar_string(b"nix-archive-1")
OPEN, CLOSE, TYPE, ENTRY, NAME, NODE, TARGET, CONTENTS, EXECUTABLE, REGULAR, SYMLINK, DIRECTORY = map(
    nar_string,
    (b"(", b")", b"type", b"entry", b"name", b"node", b"target", b"contents", b"executable", b"regular", b"symlink",
     b"directory"),
)
NOTHING = nar_string(b"")


def is_nar(head: ReadableBuffer) -> bool:
    """Return whether *head*, the first bytes of something, begins a NAR: 24 bytes are enough, fewer never are."""
    return bytes(memoryview(head).cast("B")[:len(MAGIC)]) == MAGIC


class NarDirectory(NamedTuple):
    """A directory begins; its entries follow, then its `NarDirectoryEnd`."""

    path: bytes  # from the root, which is b"", steps joined by "/"
    start: int  # offset where its entry begins; 0 for the root


class NarDirectoryEnd(NamedTuple):
    """The directory that was begun last is complete."""

    path: bytes
    end: int  # offset behind its closing mark


class NarFile(NamedTuple):
    """A regular file begins; exactly *size* bytes of contents follow as views, none where *size* is 0."""

    path: bytes
    executable: bool
    size: int
    offset: int  # where its contents begin
    start: int


class NarSymlink(NamedTuple):
    """A symbolic link."""

    path: bytes
    target: bytes
    offset: int  # where its target begins
    start: int


# Tuples and not dataclasses: a frozen one takes 2.5 times as long to make, and a source tree has an event every few KiB.
NarEvent: TypeAlias = NarDirectory | NarDirectoryEnd | NarFile | NarSymlink | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class NarLimits:
    """What one archive may hold: entries of all kinds (the root counts), and bytes of file contents together.

    Reading and writing need constant memory whatever these are; they bound what an archive can fill a disk with.
    """

    entries: int = 10_000_000
    contents_bytes: int = 256 * GIB

    def __post_init__(self) -> None:
        for name in ("entries", "contents_bytes"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigError(f"expected a positive number, got {value!r}", field=name)


def name_problem(name: bytes) -> str:
    """Return what is wrong with the name of an entry, or an empty text."""
    if not name:
        return "a name is empty"
    if name in (b".", b".."):
        return f"'{name.decode()}' is no name of an entry"
    if b"/" in name:
        return "a name holds a slash"
    if b"\0" in name:
        return "a name holds a NUL byte"
    if len(name) > NAME_LIMIT:
        return f"a name has {len(name)} bytes, at most {NAME_LIMIT} are allowed"
    return ""


def target_problem(target: bytes) -> str:
    """Return what is wrong with the target of a symbolic link, or an empty text."""
    if not 1 <= len(target) <= TARGET_LIMIT:
        return f"a link target has {len(target)} bytes, 1 to {TARGET_LIMIT} are allowed"
    if b"\0" in target:
        return "a link target holds a NUL byte"
    return ""


def shown(path: bytes) -> str:
    """Return *path* for an error message: cut where it is long, escaped where it is no UTF-8."""
    text = path.decode("utf-8", "backslashreplace")
    return text if len(text) <= 120 else f"{text[:80]}...{text[-37:]}"
