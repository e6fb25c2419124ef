"""Whether the file that a narinfo describes is the one it describes: sizes and hashes, before and after decompression."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Final

from siltstone.content.codec_table import CODEC_NAMES
from siltstone.content.frame_sequence import FrameLimits, FrameSequence
from siltstone.content.hash_text import Hash, format_hash
from siltstone.content.narinfo import NarInfo
from siltstone.content.references import ReferenceScanner
from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError
from siltstone.core.progress import NO_PROGRESS, Progress

_READ_BYTES: Final = 1 << 20
_PYTHON_HASHES: Final = ("md5", "sha1", "sha256", "sha512")


@dataclass(frozen=True, slots=True)
class NarFileCheck:
    """What a file held, and in *problems* what differs from the narinfo; *unused* are references that the archive lacks.

    A reference that does not occur is no problem by itself: a path may be given more references than it shows.
    """

    problems: tuple[str, ...]
    file_size: int
    file_hash: str
    nar_size: int
    nar_hash: str
    unused: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


class _Hashed:
    """Reads *file* once, counting and hashing what is read."""

    def __init__(self, file: BinaryIO, algorithm: str, progress: Progress) -> None:
        self._file, self._progress = file, progress
        self._hasher = _new_hasher(algorithm)
        self._algorithm = algorithm
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._hasher.update(data)
        self.size += len(data)
        self._progress.advance(len(data))
        return data

    @property
    def hash(self) -> str:
        return format_hash(Hash(self._algorithm, self._hasher.digest()), "nix32")


def check_nar_file(info: NarInfo, file: BinaryIO, *, progress: Progress = NO_PROGRESS) -> NarFileCheck:
    """Read *file* to its end and return how it compares with *info*. Constant memory.

    Content is made up to one step beyond ``NarSize``; what is longer is told, not decoded.  Raises UnsupportedError for a
    compression or a hash function that is not known here, BudgetExceeded for a frame that needs more history than is allowed.
    """
    if info.compression not in CODEC_NAMES:
        raise UnsupportedError(f"compression {info.compression!r}: only {', '.join(CODEC_NAMES)} are known", source=info.url)
    raw = _Hashed(file, info.file_hash.algorithm if info.file_hash else "sha256", progress)
    nar, nar_size, problems = _new_hasher(info.nar_hash.algorithm), 0, []
    scanner = ReferenceScanner(path.hash_part for path in info.references)
    try:
        for piece in _contents(info, raw):
            nar.update(piece)
            nar_size += len(piece)
            scanner.feed(piece)
    except BudgetExceeded as error:
        if error.name != "content":  # the window: nothing is known of the archive then
            raise
        problems.append(f"NarSize: the archive is longer than {info.nar_size:,} bytes")
    except CorruptDataError as error:
        problems.append(f"URL: the file does not decompress: {error}")
    while raw.read(_READ_BYTES):  # FileHash covers the rest as well
        pass
    nar_hash = format_hash(Hash(info.nar_hash.algorithm, nar.digest()), "nix32")
    if not problems:
        stated = format_hash(info.nar_hash, "nix32")
        problems += _differences([("NarSize", info.nar_size, nar_size), ("NarHash", stated, nar_hash)])
    file_hash = None if info.file_hash is None else format_hash(info.file_hash, "nix32")
    problems += _differences([("FileSize", info.file_size or None, raw.size), ("FileHash", file_hash, raw.hash)])
    unused = tuple(str(path) for path in info.references if path.hash_part not in scanner.found)
    return NarFileCheck(tuple(problems), raw.size, raw.hash, nar_size, nar_hash, () if problems else unused)


def _contents(info: NarInfo, raw: _Hashed) -> Iterator[bytes]:
    limits = FrameLimits(limit_bytes=info.nar_size)
    return FrameSequence(raw.read, info.compression, limits, source=info.url).iter_content()


def _differences(rows: list[tuple[str, object, object]]) -> list[str]:
    """Compare what is stated with what was found; None was not stated, and 0 bytes is how Nix says that it does not know."""
    return [f"{key}: stated {stated}, found {found}" for key, stated, found in rows if stated is not None and stated != found]


def _new_hasher(algorithm: str) -> Any:
    if algorithm not in _PYTHON_HASHES:
        raise UnsupportedError(f"hash function {algorithm!r} in a narinfo")
    return hashlib.new(algorithm, usedforsecurity=False)
