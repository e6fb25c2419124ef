"""Chunks of a NAR that end where entries begin, wherever a natural cut lies near one.

The natural cuts are those of the profile over the whole archive.  A chunk that begins at *s* ends near the next of them,
*c*: at the boundary nearest to *c* (of two, the earlier) among those within a quarter of the target around it; where there
is none, at *c*.  Boundaries are the first bytes of entries and of ELF and Mach-O files.  Always ``s + minimum <= end <=
s + maximum``: a cut that comes too early is passed over, one that comes too late gives way to ``s + maximum``; only the
last chunk may be shorter.  The end of the archive is no natural cut and does not move.  So a changed file reaches into
fewer chunks, and the decision needs a bounded look ahead: the result is the same for any split of the input.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from siltstone.content import kernels
from siltstone.content.nar import NarReader, pieces_of
from siltstone.content.nar_format import (
    CLOSE,
    NarDirectory,
    NarEvent,
    NarFile,
    NarLimits,
    NarSymlink,
    padding_of,
)
from siltstone.content.profiles import Profile, get_profile
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from siltstone.content.nar import NarSource

NAR_PROFILE = "nar"

_SETTLED = 8_192  # more than the longest head of an entry: what began so far back has been told
_WINDOW_SHARE = 4  # boundaries count within the target divided by this, on either side of a natural cut
_MAGIC_SIZE = 8
_ELF = b"\x7fELF"
_MACH_O = frozenset(bytes.fromhex(magic) for magic in ("feedface", "feedfacf", "cefaedfe", "cffaedfe"))
_MACH_O_FAT = frozenset(bytes.fromhex(magic) for magic in ("cafebabe", "cafebabf"))  # with offsets of 32 or 64 bits
_FIRST_JAVA_VERSION = 45  # Java classes share the magic of fat Mach-O files; their version stands where the count of parts does
_ROOT_HEAD = 80  # magic, the first mark, and the kind of a root that is a directory
_ENTRY_HEAD = 128  # of an entry that is a directory, without its name


class NarSpan(NamedTuple):
    """Where an entry lies in the archive: a file or link whole, with all its marks, a directory by its head only.

    Spans do not overlap and ascend; the closing marks of directories belong to none.
    """

    path: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NarChunk:
    """One chunk: *data* is a view that stays valid, *entries* are those that it holds a byte of.

    Where *is_padding*, every byte is zero: a store need not keep it, ``bytes(len(chunk.data))`` is its content.
    """

    offset: int
    data: memoryview
    is_padding: bool
    entries: tuple[NarSpan, ...]


class NarChunker:
    """Cuts a NAR that is fed in pieces of any size; the chunks, end to end, are the archive.

    Holds at most twice the profile's maximum, a quarter of its target and 8 KiB beside what is fed at once.  One thread at
    a time.
    """

    __slots__ = ("_base", "_bounds", "_cuts", "_file", "_head", "_pieces", "_reader", "_scanner", "_size", "_spans", "_taken",
                 "profile")

    def __init__(
        self, *, profile: Profile | None = None, kernel: str = kernels.AUTO, limits: NarLimits | None = None
    ) -> None:
        self.profile = profile or get_profile(NAR_PROFILE)
        self._scanner = kernels.scanner(self.profile, kernel=kernel)
        self._reader = NarReader(limits=limits)
        self._pieces: list[bytes | memoryview] = []  # from the start of the open chunk on
        self._base = 0  # where the open chunk starts
        self._size = 0  # bytes fed
        self._cuts: deque[int] = deque()  # natural ones behind the open chunk's start
        self._bounds: list[int] = []  # boundaries from the open chunk's start on
        self._spans: deque[NarSpan] = deque()  # of entries that end behind it
        self._file: NarFile | None = None  # whose first bytes are coming
        self._head = b""
        self._taken = False

    def feed(self, data: ReadableBuffer) -> list[NarChunk]:
        """Return the chunks that are decided now, in order. Raises CorruptDataError where *data* is no NAR."""
        if self._taken:
            raise ConfigError("nothing can be fed after finish", field="data")
        view = memoryview(data).cast("B")
        for event in self._reader.feed(view):
            self._note(event)
        self._cuts.extend(self._scanner.feed(view))
        self._size += len(view)
        if len(view):
            self._pieces.append(view if type(view.obj) is bytes else bytes(view))  # bytes cannot change under us
        return self._chunks(self._decide(self._size - _SETTLED, final=False))

    def finish(self) -> list[NarChunk]:
        """Return the chunks that are left. Raises CorruptDataError where the archive is not complete."""
        self._reader.finish()
        self._taken = True
        self._cuts.extend(self._scanner.finish())
        if self._cuts and self._cuts[-1] == self._size:
            self._cuts.pop()  # the end of the input is no natural cut
        return self._chunks(self._decide(self._size, final=True))

    def _note(self, event: NarEvent) -> None:
        if isinstance(event, memoryview):
            if self._file is not None:
                self._look_at(event)
        elif isinstance(event, NarFile):
            end = event.offset + event.size + padding_of(event.size)
            self._add(event.path, event.start, end)
            self._file, self._head = (event, b"") if event.size >= _MAGIC_SIZE else (None, b"")
        elif isinstance(event, NarSymlink):
            self._add(event.path, event.start, event.offset + len(event.target) + padding_of(len(event.target)))
        elif isinstance(event, NarDirectory):
            name = len(event.path) - event.path.rfind(b"/") - 1
            size = _ENTRY_HEAD + name + padding_of(name) if event.path else _ROOT_HEAD
            self._add(event.path, event.start, event.start + size, marks=0)

    def _add(self, path: bytes, start: int, end: int, *, marks: int = 2) -> None:
        closes = len(CLOSE) * (marks if path else min(marks, 1))
        self._spans.append(NarSpan(path, start, end + closes))
        if start:
            self._bounds.append(start)

    def _look_at(self, piece: memoryview) -> None:
        """Gather the first bytes of a file, and note where a program starts."""
        assert self._file is not None
        self._head += piece[:_MAGIC_SIZE - len(self._head)].tobytes()
        if len(self._head) == _MAGIC_SIZE:
            if is_program(self._head):
                self._bounds.append(self._file.offset)
            self._file = None

    def _decide(self, settled: int, *, final: bool) -> list[int]:
        """Return the ends of the chunks for which all is known: every boundary up to *settled*, and the cuts so far."""
        profile, start, cuts = self.profile, self._base, self._cuts
        window = profile.target // _WINDOW_SHARE
        ends: list[int] = []
        while True:
            while cuts and cuts[0] <= start:
                cuts.popleft()
            if not cuts:
                break
            cut = cuts[0]
            high = min(start + profile.maximum, cut + window)
            if high > settled and not final:
                break
            bound = self._nearest(cut, max(start + profile.minimum, cut - window), high)
            if bound < 0 and cut < start + profile.minimum:
                cuts.popleft()
                continue
            if bound >= 0 or cut <= start + profile.maximum:
                cuts.popleft()
            start = bound if bound >= 0 else min(cut, start + profile.maximum)
            ends.append(start)
        while final and start < self._size:
            start = min(self._size, start + profile.maximum)
            ends.append(start)
        return ends

    def _nearest(self, cut: int, low: int, high: int) -> int:
        """Return the boundary in ``low..high`` that is nearest to *cut*, or -1."""
        bounds = self._bounds
        first, last = bisect_left(bounds, low), bisect_right(bounds, high)
        if first >= last:
            return -1
        behind = bisect_left(bounds, cut, first, last)
        return min(bounds[max(behind - 1, first):min(behind + 1, last)], key=lambda bound: abs(bound - cut))

    def _chunks(self, ends: list[int]) -> list[NarChunk]:
        if not ends:
            return []
        held = memoryview(b"".join(self._pieces))
        base, start = self._base, self._base
        chunks = []
        for end in ends:
            data = held[start - base:end - base]
            chunks.append(NarChunk(start, data, is_padding(data), self._entries_in(start, end)))
            start = end
        self._base = start
        self._pieces = [bytes(held[start - base:])] if start < self._size else []
        del self._bounds[:bisect_right(self._bounds, start)]
        return chunks

    def _entries_in(self, start: int, end: int) -> tuple[NarSpan, ...]:
        spans = self._spans
        while spans and spans[0].end <= start:
            spans.popleft()
        found = []
        for span in spans:
            if span.start >= end:
                break
            found.append(span)
        return tuple(found)


def iter_nar_chunks(
    source: NarSource, *, profile: Profile | None = None, kernel: str = kernels.AUTO, limits: NarLimits | None = None,
    skip_padding: bool = False,
) -> Iterator[NarChunk]:
    """Yield the chunks of the NAR in *source*, a file, a buffer or pieces, by *profile* (default: ``nar``).

    With *skip_padding* chunks of zeros only are left out: whatever the offsets of the others leave free is zero.
    Raises CorruptDataError as soon as the archive is seen to be none; the chunks before were yielded then.
    """
    chunker = NarChunker(profile=profile, kernel=kernel, limits=limits)
    for piece in pieces_of(source):
        yield from _wanted(chunker.feed(piece), skip_padding)
    yield from _wanted(chunker.finish(), skip_padding)


def _wanted(chunks: list[NarChunk], skip_padding: bool) -> list[NarChunk]:
    return [chunk for chunk in chunks if not chunk.is_padding] if skip_padding else chunks


def chunks_by_entry(chunks: Iterable[NarChunk]) -> dict[bytes, range]:
    """Return for the path of each entry the numbers of the chunks that hold it, which are neighbours.

    All paths are held: about 200 bytes for each entry.
    """
    found: dict[bytes, range] = {}
    for number, chunk in enumerate(chunks):
        for span in chunk.entries:
            before = found.get(span.path)
            found[span.path] = range(number if before is None else before.start, number + 1)
    return found


def is_padding(data: memoryview) -> bool:
    """Return whether every byte of *data* is zero; nearly always told by the first or the last."""
    return not data[0] and not data[-1] and bytes(len(data)).startswith(data)


def is_program(head: bytes) -> bool:
    """Return whether *head*, the first 8 bytes of a file, begins an ELF or Mach-O file, also one for several processors."""
    magic = head[:4]
    if magic in _MACH_O_FAT:
        return 0 < int.from_bytes(head[4:8], "big") < _FIRST_JAVA_VERSION
    return magic == _ELF or magic in _MACH_O
