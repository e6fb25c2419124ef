"""Manifests: which chunks, in which order, make a stored file (docs/formats/chunk_store.md).

Records first, so that a file of any size is written in one pass; the header stands at the end.  Everything is covered by
a digest: a manifest that was cut short or changed is never read as something else.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siltstone.content.hashing import BLAKE3, DIGEST_SIZE, digest_of, new_hasher
from siltstone.content.packs import LONGEST_CHUNK, read_bytes
from siltstone.content.profiles import Profile
from siltstone.content.staging import StagedFile
from siltstone.core.budget import KIB
from siltstone.core.errors import ConfigError, CorruptDataError
from siltstone.core.files import WindowedFile

MAGIC = b"SILTMAN2"  # DO NOT CHANGE: stored
_RECORD = struct.Struct("<32sI")
_RECORD_TYPE = np.dtype([("digest", "u1", DIGEST_SIZE), ("size", "<u4")])
_FOOTER = struct.Struct("<QI32s32s8s")  # records, header size, BLAKE3 of records, BLAKE3 of header and the fields before, MAGIC
_SEALED = struct.Struct("<QI32s")
_LONGEST_HEADER = 64 * KIB
_LONGEST_NAME = 4 * KIB
_WINDOW_RECORDS = 16 * KIB


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a store: *size* in bytes, *root* the BLAKE3 over digest and size of every chunk, in hexadecimal.

    Under one profile, equal roots mean equal content.
    """

    name: str
    size: int
    root: str
    chunks: int
    profile: Profile

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"name": self.name, "size": self.size, "root": self.root, "chunks": self.chunks}


def check_name(name: str) -> None:
    """Raise ConfigError where *name* cannot name a stored file: empty, too long, or with control characters."""
    if not name or len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise ConfigError(f"expected 1 to {_LONGEST_NAME} bytes, got {len(name)} characters", field="name")
    if any(ord(symbol) < 32 or ord(symbol) == 127 for symbol in name):
        raise ConfigError("control characters are not allowed", field="name")


def manifest_file_name(name: str) -> str:
    """Return the name of the manifest of *name*: any text maps to a safe name of fixed length."""
    return digest_of(name.encode("utf-8", "surrogateescape"))[:20].hex() + ".manifest"


class ManifestWriter:
    """Writes the records of one file as they come, then the header."""

    def __init__(self, path: Path) -> None:
        self._file = StagedFile(path)
        self._file.append(MAGIC)
        self._records = new_hasher()
        self.size = 0
        self.chunks = 0

    def append(self, chunks: Sequence[tuple[bytes, int]]) -> None:
        """Add the next chunks of the file: digest and size of each."""
        records = b"".join(_RECORD.pack(digest, size) for digest, size in chunks)
        self._records.update(records)
        self._file.append(records)
        self.size += sum(size for _, size in chunks)
        self.chunks += len(chunks)

    def finish(self, name: str, profile: Profile) -> StoredFile:
        """Write header and footer; the manifest is complete, and not yet published."""
        root = self._records.digest()
        stored = StoredFile(name, self.size, root.hex(), self.chunks, profile)
        fields = {"name": name, "size": self.size, "hash": BLAKE3, "profile": profile.as_dict()}
        header = json.dumps(fields, sort_keys=True).encode("ascii")
        sealed = _SEALED.pack(self.chunks, len(header), root)
        self._file.append(header)
        self._file.append(sealed + digest_of(header + sealed) + MAGIC)
        self._file.lay_aside()
        return stored

    def seal(self) -> None:
        """Sync the manifest; what can fail for want of space has failed before this returns."""
        self._file.seal()

    def publish(self, target: Path) -> None:
        """Give the manifest its name, in place of another of that name; the caller syncs the folder."""
        self._file.publish(target)

    def close(self) -> None:
        """Close the file without publishing it."""
        self._file.close()


def read_header(file: WindowedFile) -> StoredFile:
    """Return what the manifest *file* describes. Raises CorruptDataError; the records are checked by `iter_records`."""
    source = str(file.path)
    if file.size < len(MAGIC) + _FOOTER.size or read_bytes(file, 0, len(MAGIC)) != MAGIC:
        raise CorruptDataError("not a manifest of a chunk store", source=source, offset=0)
    place = file.size - _FOOTER.size
    footer = read_bytes(file, place, _FOOTER.size)
    count, header_size, root, seal, magic = _FOOTER.unpack(footer)
    whole = len(MAGIC) + count * _RECORD.size + header_size + _FOOTER.size
    if magic != MAGIC or header_size > _LONGEST_HEADER or whole != file.size:
        raise CorruptDataError("the footer of the manifest does not fit the file", source=source, offset=place)
    header = read_bytes(file, place - header_size, header_size)
    if digest_of(header + footer[:_SEALED.size]) != seal:
        offset = place - header_size
        raise CorruptDataError("the header of the manifest does not match its digest", source=source, offset=offset)
    try:
        return _parse_header(header, count, root.hex())
    except CorruptDataError as error:
        raise error.within(source) from error


def _parse_header(header: bytes, chunks: int, root: str) -> StoredFile:
    try:
        fields = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise CorruptDataError("the header of the manifest is not JSON") from error
    if not isinstance(fields, dict) or fields.get("hash") != BLAKE3:
        raise CorruptDataError("the header of the manifest lacks its fields")
    name, size = fields.get("name"), fields.get("size")
    if not isinstance(name, str) or type(size) is not int:
        raise CorruptDataError("the header of the manifest lacks its fields")
    if not chunks <= size <= chunks * LONGEST_CHUNK:
        raise CorruptDataError(f"{chunks} chunks cannot hold {size} bytes")
    return StoredFile(name, size, root, chunks, Profile.from_dict(fields.get("profile")))


def iter_records(file: WindowedFile) -> Iterator[Any]:
    """Yield the chunks in order, as arrays with the fields ``digest`` and ``size``, up to 16,384 at a time.

    All records are checked before the first array is given. Raises CorruptDataError.
    """
    stored, source = read_header(file), str(file.path)
    hasher, total = new_hasher(), 0
    for window in _windows(file, stored.chunks):
        hasher.update(window)
        sizes = np.frombuffer(window, dtype=_RECORD_TYPE)["size"]
        if int(sizes.min()) < 1 or int(sizes.max()) > LONGEST_CHUNK:
            raise CorruptDataError("a chunk has an impossible size", source=source)
        total += int(sizes.sum(dtype=np.uint64))
    if hasher.hexdigest() != stored.root:
        raise CorruptDataError("the records of the manifest do not match their digest", source=source, offset=len(MAGIC))
    if total != stored.size:
        raise CorruptDataError(f"the chunks have {total} bytes, the file has {stored.size}", source=source)
    for window in _windows(file, stored.chunks):
        yield np.frombuffer(window, dtype=_RECORD_TYPE)


def _windows(file: WindowedFile, count: int) -> Iterator[bytes]:
    for first in range(0, count, _WINDOW_RECORDS):
        records = min(_WINDOW_RECORDS, count - first)
        yield read_bytes(file, len(MAGIC) + first * _RECORD.size, records * _RECORD.size)
