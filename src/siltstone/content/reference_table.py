"""Where references were taken out of a stream, and which: what restores the stream (docs/formats/reference_table.md)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from siltstone._native import refscan
from siltstone.content.base32 import decode_base32, encode_base32
from siltstone.content.hashing import digest_of
from siltstone.content.references import MOST_REFERENCES, unique_parts
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, UnsupportedError

MAGIC: Final = b"SILTREFS"  # DO NOT CHANGE: stored
VERSION: Final = 1  # DO NOT CHANGE: stored
HIT_BYTES: Final = 12  # of one occurrence in memory: its offset and the number of its part
DEFAULT_LIMIT_BYTES: Final = 256 << 20  # 22 million occurrences: archives have one in some 1,000 bytes, so 22 GB of them

_HEADER = struct.Struct("<8sIIQQ")  # magic, version, parts, occurrences, size of the stream
_PART_SIZE = 20
_DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """The occurrences of *hash_parts* in a stream of *size* bytes, in order: *offsets*, and the *numbers* of their parts."""

    hash_parts: tuple[str, ...]
    size: int
    offsets: array[int]
    numbers: array[int]

    def __len__(self) -> int:
        return len(self.offsets)

    def renamed(self, names: Mapping[str, str]) -> ReferenceTable:
        """Return a table that restores other hash parts: each key of *names* becomes its value.

        This is how a stream is moved to other store paths without a second scan.  Raises ConfigError where two parts would
        become one, since the table could not be undone.
        """
        parts = tuple(names.get(part, part) for part in self.hash_parts)
        if len(unique_parts(parts)) < len(parts):
            raise ConfigError("two hash parts would become one", field="names")
        return replace(self, hash_parts=parts)


def format_reference_table(table: ReferenceTable) -> bytes:
    """Return *table* as it is stored: about 3 bytes for each occurrence."""
    head = _HEADER.pack(MAGIC, VERSION, len(table.hash_parts), len(table), table.size)
    parts = b"".join(decode_base32(part) for part in table.hash_parts)
    body = head + parts + refscan.pack_hits(table.offsets, table.numbers)
    return body + digest_of(body)


def parse_reference_table(data: bytes, *, source: str = "", limit_bytes: int = DEFAULT_LIMIT_BYTES) -> ReferenceTable:
    """Return the table stored as *data*, every byte checked.

    Raises CorruptDataError, UnsupportedError for a newer version, and BudgetExceeded where the occurrences need more than
    *limit_bytes* in memory.
    """
    if len(data) < _HEADER.size + _DIGEST_SIZE or data[:8] != MAGIC:
        raise CorruptDataError("not a table of references", source=source, offset=0)
    _, version, parts, hits, size = _HEADER.unpack_from(data)
    if version > VERSION:
        raise UnsupportedError(f"a table of references of version {version}; this is version {VERSION}", source=source)
    end = len(data) - _DIGEST_SIZE
    if version != VERSION or digest_of(memoryview(data)[:end]) != data[end:]:
        raise CorruptDataError("the table of references does not have its digest", source=source, offset=end)
    start = _HEADER.size + _PART_SIZE * parts
    if parts > MOST_REFERENCES or start > end:
        raise CorruptDataError(f"{parts} hash parts do not fit into the table", source=source, offset=12)
    if hits * HIT_BYTES > limit_bytes:
        raise BudgetExceeded("reference table", limit_bytes=limit_bytes, needed_bytes=hits * HIT_BYTES)
    try:
        offsets, numbers = refscan.unpack_hits(memoryview(data)[start:end], min(hits, 1 << 62), parts, size)
    except CorruptDataError as error:
        raise error.within(source, start) from None
    names = tuple(encode_base32(data[at : at + _PART_SIZE]) for at in range(_HEADER.size, start, _PART_SIZE))
    if len(set(names)) < parts:
        raise CorruptDataError("a hash part is there twice", source=source, offset=_HEADER.size)
    return ReferenceTable(names, size, offsets, numbers)
