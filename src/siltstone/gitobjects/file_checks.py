"""Whether the files around objects are sound: checksums of packs and of all that describes them, CRCs, orders.

Each check yields what is wrong as text and goes on; nothing is believed before it was read once from end to end.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.core.progress import Progress
from siltstone.gitobjects.ids import HashAlgorithm, ObjectId
from siltstone.gitobjects.pack_file import PackFile

_WINDOW_BYTES = 1 << 20
_INDEX_MAGIC = b"\xfftOc"
_NAMES_AT = 8 + 256 * 4  # of an index of version 2
_REVERSE_HEADER_BYTES = 12
_HASH_NUMBERS = {"sha1": 1, "sha256": 2}
_CHAIN_LINE = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST_CHAIN_BYTES = 1 << 20
_MOST_CRC_FAULTS = 20  # told of one pack; its checksum tells that there are more


def check_pack(pack: PackFile, algorithm: HashAlgorithm, progress: Progress) -> Iterator[str]:
    """Yield what is wrong with a pack as a file: its checksum, and the CRC of each entry where the index has them.

    Reads the pack once, in windows of 1 MiB; holds 4 bytes an entry.
    """
    expected = _read_crcs(pack)
    hasher = hashlib.new(algorithm.name, usedforsecurity=False)
    faults = 0
    with WindowedFile(pack.path) as file:
        file.advise_sequential()
        at, rank, crc = 0, -1, 0  # the entry that is being read; -1: the header of the pack
        bounds = pack.index.offsets
        for window in file.windows(_WINDOW_BYTES):
            body = memoryview(window)[: max(0, pack.end - at)]
            hasher.update(body)
            here = 0
            while expected is not None and here < len(body):
                stop = int(bounds[rank + 1]) if rank + 1 < len(bounds) else pack.end
                piece = body[here : max(here, stop - at)]
                crc = zlib.crc32(piece, crc)
                here += len(piece)
                if at + here < stop:
                    break
                if rank >= 0 and crc != expected[rank]:
                    faults += 1
                    if faults <= _MOST_CRC_FAULTS:
                        yield f"CRC of {_name(pack, rank).hex()} is {crc:08x}, its index says {int(expected[rank]):08x}"
                rank, crc = rank + 1, 0
                if rank >= len(bounds):
                    break
            at += len(window)
            progress.advance(len(window))
        trailer = file.read_at(pack.end, algorithm.size)
    if hasher.digest() != trailer:
        yield f"checksum is {hasher.hexdigest()}, its trailer says {trailer.hex()}"
    if faults > _MOST_CRC_FAULTS:
        yield f"CRCs of {faults - _MOST_CRC_FAULTS:,} more entries differ"


def _name(pack: PackFile, rank: int) -> ObjectId:
    return ObjectId(pack.index.name(int(pack.index.order[rank])))


def _read_crcs(pack: PackFile) -> npt.NDArray[np.uint32] | None:
    """Return the CRCs by rank; None for an index of version 1, which has none."""
    with WindowedFile(pack.path.with_suffix(".idx")) as file:
        if file.read_at(0, 4) != _INDEX_MAGIC:
            return None
        data = file.read_at(_NAMES_AT + len(pack) * pack.index.id_size, 4 * len(pack))
    crcs: npt.NDArray[np.uint32] = np.frombuffer(data, ">u4")[pack.index.order].astype(np.uint32)
    return crcs


def check_trailer(path: Path, algorithm: HashAlgorithm, progress: Progress) -> Iterator[str]:
    """Yield what is wrong with a file that ends with the checksum of all that stands before it."""
    hasher = hashlib.new(algorithm.name, usedforsecurity=False)
    with WindowedFile(path) as file:
        end = file.size - algorithm.size
        if end < 0:
            yield "cut short: there is no room for a checksum"
            return
        for at in range(0, end, _WINDOW_BYTES):
            hasher.update(file.read_at(at, min(_WINDOW_BYTES, end - at)))
            progress.check()
        trailer = file.read_at(end, algorithm.size)
    progress.advance(end)
    if hasher.digest() != trailer:
        yield f"checksum is {hasher.hexdigest()}, its trailer says {trailer.hex()}"


def check_reverse_index(pack: PackFile, path: Path, algorithm: HashAlgorithm) -> Iterator[str]:
    """Yield what is wrong with the order that a ``.rev`` file gives (gitformat-pack, "pack-*.rev files")."""
    with WindowedFile(path) as file:
        if file.size != _REVERSE_HEADER_BYTES + 4 * len(pack) + 2 * algorithm.size:
            yield f"{file.size:,} bytes are not the size of an order of {len(pack):,} entries"
            return
        header = file.read_at(0, _REVERSE_HEADER_BYTES)
        order = np.frombuffer(file.read_at(_REVERSE_HEADER_BYTES, 4 * len(pack)), ">u4")
        checksum = file.read_at(file.size - 2 * algorithm.size, algorithm.size)
    if header != b"RIDX" + (1).to_bytes(4, "big") + _HASH_NUMBERS[algorithm.name].to_bytes(4, "big"):
        yield "not a reverse index of version 1 for these ids"
        return
    if checksum != pack.index.pack_checksum:
        yield "belongs to another pack"
    wrong = np.flatnonzero(order != pack.index.order)
    if wrong.size:
        yield f"entry {int(wrong[0]):,} of the order is {int(order[wrong[0]]):,}, not {int(pack.index.order[wrong[0]]):,}"


def check_chain(path: Path, pattern: str, folders: Sequence[Path] = ()) -> Iterator[str]:
    """Yield what is wrong with a list of layers, one checksum a line; *pattern* names the file of a layer, ``%s`` for it.

    Layers lie beside the list, or in one of *folders*."""
    with WindowedFile(path) as file:
        if file.size > _MOST_CHAIN_BYTES:
            yield f"{file.size:,} bytes are too many for a list of layers"
            return
        lines = file.read_at(0, file.size).splitlines()
    for number, line in enumerate(lines, 1):
        if not _CHAIN_LINE.fullmatch(line):
            yield f"line {number} is no checksum"
        elif not any((folder / (pattern % line.decode("ascii"))).is_file() for folder in (path.parent, *folders)):
            yield f"line {number} names a layer that is not there"


def text_of(error: CorruptDataError) -> str:
    """Return what is wrong, without the place that the report names itself."""
    place = "" if error.offset is None else f" at byte {error.offset}"
    return f"{error.problem}{place}"
