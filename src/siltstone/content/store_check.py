"""Verifying a chunk store: every group is decoded, every chunk hashed, every manifest followed to its chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siltstone.content.chunk_index import ABSENT, ChunkIndex
from siltstone.content.group_reader import Run, WantedChunk
from siltstone.content.hashing import digest_of
from siltstone.content.manifest import iter_records, manifest_file_name, read_header
from siltstone.content.packs import PackTables, read_group
from siltstone.core.errors import CorruptDataError
from siltstone.core.files import WindowedFile
from siltstone.core.ordered_map import map_in_order
from siltstone.core.progress import Progress

if TYPE_CHECKING:
    from siltstone.content.store import ChunkStore


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `ChunkStore.verify` checked, and every problem it met: of packs first, then of manifests."""

    files: int
    chunks: int
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"files": self.files, "chunks": self.chunks, "problems": list(self.problems)}


def runs_of_pack(path: Path, tables: PackTables) -> Iterator[tuple[Any, Run]]:
    """Yield all chunks of a pack group by group, in the order of the file: their rows in the table, and the run."""
    chunks = tables.chunks
    order = np.lexsort((chunks["start"], chunks["group"]))
    bounds = np.searchsorted(chunks["group"][order], np.arange(len(tables.groups) + 1))
    for number in range(len(tables.groups)):
        rows = order[bounds[number]:bounds[number + 1]]
        wanted = [WantedChunk(chunk["digest"].tobytes(), int(chunk["start"]), int(chunk["size"])) for chunk in chunks[rows]]
        yield rows, Run(path, tables.groups[number], wanted)


def check_store(store: ChunkStore, *, workers: int, progress: Progress) -> VerifyReport:
    """See `ChunkStore.verify`."""
    manifests = store.manifests()
    store.refresh()  # after the manifests were listed: what they name is there by now
    progress.stage("verify", len(store.index))
    bad: dict[Path, Any] = {}
    problems = check_packs(store.index, store.packs, bad, workers=workers, progress=progress)
    for path in manifests:
        found = list(check_manifest(path, store.index, [bad[pack] for pack in store.packs]))
        if found:  # it may have been replaced since, and need packs that were published since
            store.refresh()
            problems.extend(check_packs(store.index, store.packs, bad, workers=workers, progress=progress))
            found = list(check_manifest(path, store.index, [bad[pack] for pack in store.packs]))
        problems.extend(found)
    return VerifyReport(len(manifests), len(store.index), (*map(str, store.damaged.values()), *problems))


def check_packs(index: ChunkIndex, paths: list[Path], bad: dict[Path, Any], *, workers: int, progress: Progress) -> list[str]:
    """Read every chunk of every pack that *bad* lacks; add a mask over its rows (True: damaged), and return the problems."""
    problems: list[str] = []
    for path, tables in zip(paths, index.tables, strict=True):
        if path in bad:
            continue
        damaged = bad[path] = np.zeros(len(tables.chunks), dtype=bool)
        with WindowedFile(path) as file, \
                closing(map_in_order(partial(_check_run, file), runs_of_pack(path, tables), threads=workers)) as found:
            for rows, faults in found:
                for row, problem in faults:
                    damaged[row] = True
                    problems.append(problem)
                progress.advance(len(rows))
    return problems


def _check_run(file: WindowedFile, job: tuple[Any, Run]) -> tuple[Any, list[tuple[Any, str]]]:
    rows, run = job
    try:
        data = memoryview(read_group(file, run.group))
    except CorruptDataError as error:
        return rows, [(rows, str(error))]
    faults = []
    for row, chunk in zip(rows, run.chunks, strict=True):
        if digest_of(data[chunk.start:chunk.start + chunk.size]) != chunk.digest:
            faults.append((row, f"{file.path}: chunk {chunk.digest.hex()[:16]} does not match its digest"))
    return rows, faults


def check_manifest(path: Path, index: ChunkIndex, bad: list[Any]) -> Iterator[str]:
    """Yield what is wrong with the manifest *path*: its own bytes, its name, and chunks that no pack has whole."""
    try:
        with WindowedFile(path) as manifest:
            stored = read_header(manifest)
            if path.name != manifest_file_name(stored.name):
                yield f"{path}: the manifest is of another name"
            missing = sum(_count_unreadable(records, index, bad) for records in iter_records(manifest))
            if missing:
                yield f"{path}: {missing} of {stored.chunks} chunks are missing or damaged"
    except FileNotFoundError:  # deleted since the folder was listed
        return
    except CorruptDataError as error:
        yield str(error)


def _count_unreadable(records: Any, index: ChunkIndex, bad: list[Any]) -> int:
    positions = index.find_many(records["digest"])
    present = positions != ABSENT
    good = np.zeros(len(records), dtype=bool)
    good[present] = index.sizes(positions[present]) == records["size"][present]
    packs, rows = index.owners(positions[present])
    damaged = np.zeros(len(records), dtype=bool)
    damaged[present] = [bad[pack][row] for pack, row in zip(packs, rows, strict=True)]
    for at in np.flatnonzero(damaged):  # another copy of the chunk may be whole
        places = index.find_all(records["digest"][at].tobytes())
        good[at] = any(place.size == records["size"][at] and not bad[place.pack][place.row] for place in places)
    return int(np.count_nonzero(~good))
