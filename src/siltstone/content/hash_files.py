"""The digest of a file or a stream of any size, in constant memory.

A foreign file is read through windows, never mapped, up to the size it had when it was opened; one that shrinks meanwhile is a
CorruptDataError.  What tells no size (a pipe, a device, a file of /proc) is read to its end.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siltstone.content.file_fingerprint import FileFingerprint
from siltstone.content.hash_cache import HashCache
from siltstone.content.hashing import BLAKE3, Hasher, check_algorithm, new_hasher
from siltstone.content.sources import source_of
from siltstone.core.budget import KIB
from siltstone.core.errors import ConfigError
from siltstone.core.files import WindowedFile
from siltstone.core.progress import NO_PROGRESS, Progress

_WINDOW_BYTES = 256 * KIB  # stays in the second-level cache between reading and hashing


def hash_file(path: str | os.PathLike[str], *, algorithm: str = BLAKE3, cache: HashCache | None = None,
              progress: Progress = NO_PROGRESS) -> bytes:
    """Return the digest of the file at *path*; *progress* advances by bytes.

    With *cache* a regular file whose fingerprint is known is not read, and one that did not change while it was read is
    remembered.  Raises OSError where it cannot be read, CorruptDataError where it shrinks.
    """
    return hash_file_checking(path, algorithm, cache, progress.advance)


def hash_stream(file: Any, *, algorithm: str = BLAKE3, progress: Progress = NO_PROGRESS) -> bytes:
    """Return the digest of what *file* gives from here to its end; it is left open, and must be one that waits."""
    hasher, room, source = new_hasher(algorithm), memoryview(bytearray(_WINDOW_BYTES)), source_of(file)
    while count := source.read_into(room):
        hasher.update(room[:count])
        progress.advance(count)
    if count is None:
        raise ConfigError("it has nothing to read yet, and does not wait", field="file")
    return hasher.digest()


def hash_file_checking(path: str | os.PathLike[str], algorithm: str, cache: HashCache | None,
                       advance: Callable[[int], None]) -> bytes:
    """Do what `hash_file` does, and call *advance* with the bytes of each window: it raises to stop."""
    check_algorithm(algorithm)
    with WindowedFile(Path(path)) as file:
        before_ns = time.time_ns()  # earlier than the fingerprint: a change after it shows in the times
        status = os.fstat(file.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        fingerprint = FileFingerprint.of(status)
        if fingerprint is None:
            return _hash_to_end(file, new_hasher(algorithm), advance)
        if cache is not None and (known := cache.get(fingerprint, algorithm)) is not None:
            advance(fingerprint.size)
            return known
        digest = _hash_windows(file, new_hasher(algorithm), advance)
        if cache is not None and FileFingerprint.of(os.fstat(file.fileno())) == fingerprint:
            cache.put(fingerprint, algorithm, digest, read_after_ns=before_ns)
        return digest


def _hash_windows(file: WindowedFile, hasher: Hasher, advance: Callable[[int], None]) -> bytes:
    room = memoryview(bytearray(min(_WINDOW_BYTES, file.size)))
    if file.size > _WINDOW_BYTES:
        file.advise_sequential()
    for offset in range(0, file.size, _WINDOW_BYTES):
        count = file.read_into(offset, room)
        hasher.update(room[:count])
        advance(count)
    return hasher.digest()


def _hash_to_end(file: WindowedFile, hasher: Hasher, advance: Callable[[int], None]) -> bytes:
    room = memoryview(bytearray(_WINDOW_BYTES))
    while count := os.readv(file.fileno(), [room]):
        hasher.update(room[:count])
        advance(count)
    return hasher.digest()
