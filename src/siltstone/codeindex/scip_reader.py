"""SCIP indexes, one document at a time: a file is read in windows, so memory follows the largest document, not the file.

What is kept: documents whose path is relative and clean, the first one where a path repeats.  What is not kept goes to
the coverage ledger.  Indexes written one after the other into one file are read as one, as the format promises.
"""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from siltstone._native.scip import read_document, split_fields
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.gitobjects.ledger import CoverageLedger, Reason

if TYPE_CHECKING:
    from siltstone._native.scip import DocumentColumns

Int32s = npt.NDArray[np.int32]

ROLE_DEFINITION = 1
ROLE_IMPORT = 2
IS_REFERENCE, IS_IMPLEMENTATION, IS_TYPE_DEFINITION, IS_DEFINITION = 1, 2, 4, 8

_WINDOW_BYTES = MIB  # many documents of usual size, and it stays in the cache; a larger one gets a window of its own
_LONGEST_HEADER = 32  # more than a tag and a length, of ten bytes each, or a fixed field need: a window never stands still
_METADATA, _DOCUMENT, _EXTERNAL_SYMBOL = 1, 2, 3  # fields of Index


class PositionEncoding(IntEnum):
    """What a column of a document counts; numbered as in scip.proto."""

    UNKNOWN = 0
    UTF8 = 1
    UTF16 = 2
    UTF32 = 3


# Indexers that leave the field empty.  Both are TypeScript programs that store offsets into JavaScript strings:
# scip-typescript through `getLineAndCharacterOfPosition` of the compiler, scip-python through pyright's
# `convertOffsetToPosition`.
KNOWN_ENCODINGS = {"scip-typescript": PositionEncoding.UTF16, "scip-python": PositionEncoding.UTF16}


@dataclass(frozen=True, slots=True)
class ScipMetadata:
    """Who wrote an index, and from where."""

    tool_name: str = ""
    tool_version: str = ""
    project_root: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ScipDocument:
    """One source file: its occurrences and symbols in columns, which the document owns.

    Lines and columns are 0-based, ends exclusive; a column counts what *encoding* says.  A symbol is a number: its row
    in *symbols*, -1 for none.  Row i of all occurrence columns belongs together, and so does row i of the columns of
    symbol information.
    """

    path: str
    language: str
    encoding: PositionEncoding  # UNKNOWN where neither the document nor the name of the tool tells
    symbols: list[bytes]  # distinct symbol strings, by first appearance
    ranges: Int32s  # (n, 4): start line, start column, end line, end column
    enclosing_ranges: Int32s  # (n, 4); -1 where not known
    roles: Int32s  # (n): bits of SymbolRole
    occurrence_symbols: Int32s  # (n)
    info_symbols: Int32s  # (k)
    info_kinds: Int32s  # (k): SymbolInformation.Kind, 0 where the indexer does not say
    display_names: list[bytes]  # k
    heads: list[bytes]  # k: first 96 bytes of the signature, else of the documentation
    relationships: Int32s  # (r, 3): row of the symbol information, target symbol, IS_ flags
    malformed: int  # occurrences that were dropped because their range is none
    offset: int  # of the payload in the file
    size: int  # of the payload
    text_offset: int  # of the embedded source text in the file; -1 where there is none
    text_size: int


@dataclass(slots=True)
class ExternalSymbols:
    """What an index says of symbols that are defined elsewhere."""

    symbols: list[bytes] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    display_names: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.symbols)


class Irregularity(NamedTuple):
    """Something the format forbids and this reader accepts, and how often."""

    what: str
    times: int


def read_scip(
    path: Path | str, *, budget: Budget | None = None, ledger: CoverageLedger | None = None, window_bytes: int = _WINDOW_BYTES
) -> ScipReader:
    """Return an iterator of the documents of the index at *path*, in the order of the file.

    The metadata is there at once; `ScipReader.external_symbols` is complete when the iterator is exhausted.  A document
    larger than the budget ``scip_document`` goes to *ledger* as oversize, or without a ledger raises BudgetExceeded.

    Raises CorruptDataError, with the offset in the file, where the bytes are no SCIP index.
    """
    return ScipReader(Path(path), budget=budget, ledger=ledger, window_bytes=window_bytes)


class ScipReader(Iterator[ScipDocument]):
    """Reads one index file; a context manager, and closed by itself at the end of the documents."""

    def __init__(
        self, path: Path, *, budget: Budget | None = None, ledger: CoverageLedger | None = None,
        window_bytes: int = _WINDOW_BYTES,
    ) -> None:
        if window_bytes <= 0:
            raise ConfigError(f"expected a positive number of bytes, got {window_bytes}", field="window_bytes")
        self.path = path
        self.ledger = CoverageLedger() if ledger is None else ledger
        self.external_symbols = ExternalSymbols()
        self.metadata = ScipMetadata()
        self._raise_oversize = ledger is None
        self._budget = budget or Budget()
        self._window_bytes = window_bytes
        self._seen: set[str] = set()
        self._current = ScipMetadata()  # of the index, within the file, that is being read
        self._metadata_count = 0
        self._irregular: Counter[str] = Counter()
        self._file = WindowedFile(path)
        self._documents = self._iter_documents()
        self._ahead = next(self._documents, None)  # so that the metadata, which comes first, is known

    def __enter__(self) -> ScipReader:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> ScipReader:
        return self

    def __next__(self) -> ScipDocument:
        document, self._ahead = self._ahead, None
        if document is None:
            document = next(self._documents, None)
        if document is None:
            self.close()
            raise StopIteration
        return document

    @property
    def size(self) -> int:
        """The size of the file in bytes; with `ScipDocument.offset` it tells how far the reading is."""
        return self._file.size

    @property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """What the format forbids and was accepted, so far."""
        return tuple(Irregularity(what, count) for what, count in sorted(self._irregular.items()))

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()

    def read_text(self, document: ScipDocument) -> bytes | None:
        """Return the source text that the index embeds for *document*, or None; only while the reader is open."""
        return None if document.text_offset < 0 else self._file.read_at(document.text_offset, document.text_size)

    def _iter_documents(self) -> Iterator[ScipDocument]:
        position, wanted = 0, 0
        while position < self._file.size:
            window = self._file.read_at(position, min(max(wanted, self._window_bytes), self._file.size - position))
            with _placed(self.path, position):
                fields, used, number, size = split_fields(window)
            yield from self._read_fields(window, position, fields)
            at_end = position + len(window) == self._file.size
            position, wanted = position + used, size or _LONGEST_HEADER
            if used < len(window) and (at_end if size == 0 else position + size > self._file.size):
                raise CorruptDataError("the index is cut short", source=str(self.path), offset=position)
            if size > self._budget.limit("scip_document"):
                position += self._skip_oversize(number, position, size)
        if not self._metadata_count:
            self._irregular["no metadata"] += 1

    def _skip_oversize(self, number: int, position: int, size: int) -> int:
        if number == _DOCUMENT and self._raise_oversize:
            raise BudgetExceeded("scip_document", limit_bytes=self._budget.limit("scip_document"), needed_bytes=size)
        if number in (_METADATA, _DOCUMENT, _EXTERNAL_SYMBOL):
            self.ledger.add(Reason.OVERSIZE, f"{self.path.name}: field {number} at byte {position}", f"{size} bytes")
        return size

    def _read_fields(self, window: bytes, base: int, fields: list[tuple[int, int, int, int]]) -> Iterator[ScipDocument]:
        for number, start, payload, end in fields:
            if number == _DOCUMENT:
                if not self._metadata_count:
                    self._irregular["documents before the metadata"] += 1
                with _placed(self.path, base):
                    columns = read_document(window, payload, end)
                document = self._document(window, base, payload, end, columns)
                if document is not None:
                    yield document
            elif number == _EXTERNAL_SYMBOL:
                with _placed(self.path, base):
                    self._add_external(read_document(window, start, end))
            elif number == _METADATA:
                with _placed(self.path, base + payload):
                    self._add_metadata(window[payload:end])
            else:
                self._irregular["unknown fields"] += 1

    def _document(self, window: bytes, base: int, start: int, end: int, columns: DocumentColumns) -> ScipDocument | None:
        raw_path = _slice(window, columns["path"])
        path = raw_path.decode("utf-8", "replace")
        if not is_clean_path(raw_path):
            self.ledger.add(Reason.UNPARSABLE, raw_path, "the path of a SCIP document is not relative and clean")
            return None
        if path in self._seen:
            self.ledger.add(Reason.UNSUPPORTED, path, "a second SCIP document of this path")
            return None
        self._seen.add(path)
        if columns["malformed"]:
            self.ledger.add(Reason.UNPARSABLE, path, f"{columns['malformed']} SCIP occurrences without a valid range")
        text = columns["text"]
        return ScipDocument(
            path=path,
            language=_slice(window, columns["language"]).decode("utf-8", "replace"),
            encoding=self._encoding(columns["position_encoding"]),
            symbols=columns["symbols"],
            ranges=_int32s(columns["ranges"]).reshape(-1, 4),
            enclosing_ranges=_int32s(columns["enclosing_ranges"]).reshape(-1, 4),
            roles=_int32s(columns["roles"]),
            occurrence_symbols=_int32s(columns["occurrence_symbols"]),
            info_symbols=_int32s(columns["info_symbols"]),
            info_kinds=_int32s(columns["info_kinds"]),
            display_names=columns["display_names"],
            heads=columns["heads"],
            relationships=_int32s(columns["relationships"]).reshape(-1, 3),
            malformed=columns["malformed"],
            offset=base + start,
            size=end - start,
            text_offset=-1 if text is None else base + text[0],
            text_size=0 if text is None else text[1] - text[0],
        )

    def _encoding(self, stated: int) -> PositionEncoding:
        if stated in (1, 2, 3):
            return PositionEncoding(stated)
        return KNOWN_ENCODINGS.get(self._current.tool_name, PositionEncoding.UNKNOWN)

    def _add_external(self, columns: DocumentColumns) -> None:
        """Keep one external symbol: ``Index.external_symbols`` has the number and type of ``Document.symbols``."""
        rows, kinds = _int32s(columns["info_symbols"]), _int32s(columns["info_kinds"])
        for row, kind, name in zip(rows.tolist(), kinds.tolist(), columns["display_names"], strict=True):
            if row < 0:
                continue
            self._budget.check("index", 128 * len(self.external_symbols))
            self.external_symbols.symbols.append(columns["symbols"][row])
            self.external_symbols.kinds.append(kind)
            self.external_symbols.display_names.append(name)

    def _add_metadata(self, payload: bytes) -> None:
        tool, root = b"", b""
        for number, _, start, end in _whole_fields(payload):
            if number == 2:
                tool += payload[start:end]  # a repeated message merges, and its bytes end to end are the merged message
            elif number == 3:
                root = payload[start:end]
        names = {1: b"", 2: b""}
        for number, _, start, end in _whole_fields(tool):
            names[number] = tool[start:end]
        texts = (names[1], names[2], root)
        self._current = ScipMetadata(*(text.decode("utf-8", "replace") for text in texts))
        self._metadata_count += 1
        if self._metadata_count == 1:
            self.metadata = self._current
        else:
            self._irregular["repeated metadata"] += 1


def is_clean_path(path: bytes) -> bool:
    """Whether *path* is UTF-8, relative and canonical: no leading or double '/', no '.' or '..' part, no NUL."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return False
    if text.startswith("/") or "\0" in text or posixpath.normpath(text) != text:
        return False
    return text != "." and text.split("/", 1)[0] != ".."


class _placed:  # noqa: N801 - reads as a word in a with statement
    """Puts a CorruptDataError of a kernel at its place in the file."""

    __slots__ = ("_base", "_path")

    def __init__(self, path: Path, base: int) -> None:
        self._path, self._base = path, base

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, CorruptDataError):
            raise error.within(os.fspath(self._path), self._base) from error


def _whole_fields(payload: bytes) -> list[tuple[int, int, int, int]]:
    fields, used, _, _ = split_fields(payload)
    if used != len(payload):
        raise CorruptDataError("a field is cut short", offset=used)
    return fields


def _int32s(column: bytes) -> Int32s:
    return np.frombuffer(column, np.int32)


def _slice(window: bytes, place: tuple[int, int] | None) -> bytes:
    return b"" if place is None else window[place[0] : place[1]]
