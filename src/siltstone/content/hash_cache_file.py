"""A hash cache between runs: one file, written whole, checked whole; docs/formats/hash_cache.md describes it.

A cache that cannot be read is an empty cache and a note, never an error: nothing is lost but time.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

from siltstone.content.hash_cache import DEFAULT_LIMIT_BYTES, ENTRY_BYTES, KEY, HashCache, iter_records
from siltstone.content.hashing import ALGORITHMS, DIGEST_SIZE
from siltstone.core.errors import CorruptDataError, SiltstoneError, UnsupportedError, describe
from siltstone.core.files import write_atomically

MAGIC: Final = b"silthash"  # DO NOT CHANGE: stored
VERSION: Final = 1  # DO NOT CHANGE: stored
_HEADER: Final = struct.Struct("<8sIIQ")  # DO NOT CHANGE: stored; magic, version, size of a record, records
_RECORD_BYTES: Final = KEY.size + DIGEST_SIZE
_CHECKSUM_BYTES: Final = 32
_PRIVATE_FILE: Final = 0o600  # who can write it decides what we believe; who can read it sees which files there are


def encode_cache(cache: HashCache) -> bytes:
    """Return the file's bytes: header, records from the least to the most recently used, SHA-256 of all before."""
    entries = cache.entries()
    body = _HEADER.pack(MAGIC, VERSION, _RECORD_BYTES, len(entries)) + b"".join(key + digest for key, digest in entries)
    return body + hashlib.sha256(body).digest()


def decode_cache(data: bytes, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> HashCache:
    """Return the cache that *data* holds, bounded by *limit_bytes*.

    Raises CorruptDataError for a file that was damaged, UnsupportedError for a newer version.
    """
    if len(data) < _HEADER.size + _CHECKSUM_BYTES or not data.startswith(MAGIC):
        raise CorruptDataError("not a hash cache", offset=0)
    _, version, record_bytes, count = _HEADER.unpack_from(data)
    end = len(data) - _CHECKSUM_BYTES
    view = memoryview(data)
    if hashlib.sha256(view[:end]).digest() != data[end:]:
        raise CorruptDataError("the checksum does not fit", offset=end)
    if version != VERSION or record_bytes != _RECORD_BYTES:
        raise UnsupportedError(f"a hash cache of version {version}, this program knows {VERSION}")
    if end - _HEADER.size != count * _RECORD_BYTES:
        raise CorruptDataError(f"the file does not hold {count} records", offset=_HEADER.size)
    for at in range(_HEADER.size + KEY.size - 1, end, _RECORD_BYTES):
        if data[at] >= len(ALGORITHMS):
            raise CorruptDataError("a hash function that does not exist", offset=at)
    cache = HashCache(limit_bytes)
    cache.restore(iter_records(view[_HEADER.size:end]))
    return cache


def load_hash_cache(path: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> tuple[HashCache, str]:
    """Return the cache in *path*, and a note for a person where it could not be used and is empty, else ``""``.

    A file that is not there gives an empty cache and no note.  One larger than *limit_bytes* would fill is not read.
    """
    largest = _HEADER.size + limit_bytes // ENTRY_BYTES * _RECORD_BYTES + _CHECKSUM_BYTES
    try:
        with open(path, "rb") as file:
            data = file.read(largest + 1)
        if len(data) > largest:
            raise CorruptDataError(f"larger than the {largest:,} bytes that the limit allows", source=str(path))
        return decode_cache(data, limit_bytes=limit_bytes), ""
    except FileNotFoundError:
        return HashCache(limit_bytes), ""
    except (SiltstoneError, OSError) as error:
        return HashCache(limit_bytes), f"the hash cache is not used: {describe(error)}"


def save_hash_cache(cache: HashCache, path: Path) -> None:
    """Write *cache* to *path*, whole or not at all; of two that write at once the last one stays."""
    write_atomically(path, encode_cache(cache), mode=_PRIVATE_FILE)
