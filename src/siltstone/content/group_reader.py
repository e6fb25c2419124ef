"""Reads chunks out of packs: a group is decoded once for all chunks of it that are wanted, and every chunk is hashed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siltstone.content.chunk_index import ChunkIndex, ChunkPlace
from siltstone.content.hashing import digest_of
from siltstone.content.packs import read_group
from siltstone.core.budget import MIB
from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile

_OPEN_PACKS = 32
_CACHE_BYTES = 16 * MIB  # decoded groups kept: a file stored before and changed since hops between old groups and new ones


@dataclass(frozen=True, slots=True)
class WantedChunk:
    """A chunk inside its group: where it starts there, its size in bytes, and the digest that it must have."""

    digest: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """Chunks that are wanted one after the other out of one group; *group* is its entry in the tables of the pack."""

    pack: Path
    group: Any
    chunks: Sequence[WantedChunk]


def run_of(index: ChunkIndex, packs: Sequence[Path], places: Sequence[ChunkPlace], digests: Sequence[bytes]) -> Run:
    """Return the run of the chunks at *places*, all of one group; *packs* are those of *index*."""
    first = places[0]
    wanted = [WantedChunk(digest, place.start, place.size) for place, digest in zip(places, digests, strict=True)]
    return Run(packs[first.pack], index.tables[first.pack].groups[first.group], wanted)


class GroupReader:
    """Decodes groups; threads may use it at once. Holds at most 32 open packs and 16 MiB of decoded groups."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packs: OrderedDict[Path, WindowedFile] = OrderedDict()
        self._groups: OrderedDict[tuple[Path, int], bytes] = OrderedDict()
        self._cached_bytes = 0

    def read(self, run: Run) -> list[memoryview]:
        """Return the chunks of *run*, each checked against its digest.

        Raises CorruptDataError where the group or a chunk is not what was stored, FileNotFoundError where the pack is gone.
        """
        data = memoryview(self._group(run.pack, run.group))
        chunks = [data[chunk.start:chunk.start + chunk.size] for chunk in run.chunks]
        for chunk, content in zip(run.chunks, chunks, strict=True):
            if digest_of(content) != chunk.digest:
                raise CorruptDataError(f"chunk {chunk.digest.hex()[:16]} does not match its digest", source=str(run.pack),
                                       offset=int(run.group["offset"]))
        return chunks

    def close(self) -> None:
        """Drop the open packs and the decoded groups; closing twice is harmless."""
        with self._lock:
            self._packs.clear()
            self._groups.clear()
            self._cached_bytes = 0

    def _group(self, path: Path, group: Any) -> bytes:
        key = (path, int(group["offset"]))
        with self._lock:
            cached = self._groups.get(key)
            if cached is not None:
                self._groups.move_to_end(key)
                return cached
        data = read_group(self._open(path), group)
        with self._lock:
            if key not in self._groups and len(data) <= _CACHE_BYTES:
                self._groups[key] = data
                self._cached_bytes += len(data)
                while self._cached_bytes > _CACHE_BYTES:
                    self._cached_bytes -= len(self._groups.popitem(last=False)[1])
        return data

    def _open(self, path: Path) -> WindowedFile:
        """Return the open pack; one that is dropped here closes when the last thread that reads it is done."""
        with self._lock:
            file = self._packs.pop(path, None) or WindowedFile(path)
            self._packs[path] = file
            if len(self._packs) > _OPEN_PACKS:
                self._packs.popitem(last=False)
            return file
