"""Collecting garbage: chunks that no manifest names leave their packs; a pack that is mostly waste is written anew.

Order, which makes a kill harmless: new packs are published and synced before an old one is removed.  Writers hold a
shared lock while they count on chunks that are there; the collector holds it alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siltstone.content.chunk_index import ABSENT
from siltstone.content.compression import Compressor
from siltstone.content.group_reader import GroupReader, Run
from siltstone.content.manifest import iter_records
from siltstone.content.packs import PackTables, PackWriter, read_stored
from siltstone.content.staging import Staging, writers_excluded
from siltstone.content.store_check import runs_of_pack
from siltstone.core.errors import ConfigError, CorruptDataError
from siltstone.core.files import WindowedFile, sync_directory
from siltstone.core.progress import Progress

if TYPE_CHECKING:
    from siltstone.content.store import ChunkStore


@dataclass(slots=True)
class GcReport:
    """What `ChunkStore.gc` did, or with *dry_run* would do; *kept* are packs left alone because a part is damaged."""

    packs_removed: int = 0
    packs_rewritten: int = 0
    chunks_removed: int = 0
    bytes_freed: int = 0
    dry_run: bool = False
    kept: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def collect_garbage(store: ChunkStore, *, waste: float, dry_run: bool, timeout_seconds: float, progress: Progress) -> GcReport:
    """See `ChunkStore.gc`."""
    if not 0.0 <= waste <= 1.0:
        raise ConfigError(f"expected a share between 0 and 1, got {waste!r}", field="waste")
    report = GcReport(dry_run=dry_run)
    with writers_excluded(store.root, timeout_seconds=timeout_seconds):
        store.refresh()
        report.kept.extend(map(str, store.damaged.values()))
        live = _live_rows(store)
        progress.stage("gc", len(store.packs))
        with closing(_Rewriter(store)) as rewriter:
            for path, tables, rows in zip(list(store.packs), store.index.tables, live, strict=True):
                if path not in rewriter.published:  # a collector that was killed had written it: it stands there anew
                    _collect_pack(path, tables, rows, rewriter, report, waste=waste)
                progress.advance()
        sync_directory(store.root / "packs")
        store.refresh()
    return report


def _live_rows(store: ChunkStore) -> list[Any]:
    """Return for each pack which of its chunks a manifest names. Of several copies of a chunk the first that reads is kept."""
    live = [np.zeros(len(tables.chunks), dtype=bool) for tables in store.index.tables]
    for manifest in store.open_manifests():
        for records in iter_records(manifest):
            positions = store.index.find_many(records["digest"])
            packs, rows = store.index.owners(positions[positions != ABSENT])
            for pack in np.unique(packs):
                live[pack][rows[packs == pack]] = True
    for copies in store.index.iter_copies():
        if live[copies[0].pack][copies[0].row]:
            whole = [store.is_readable(place) for place in copies]
            for place, keep in zip(copies, _first_only(whole), strict=True):
                live[place.pack][place.row] = keep
    return live


def _first_only(whole: list[bool]) -> list[bool]:
    """Return what to keep: the first copy that is whole, or all of them where none is."""
    if True not in whole:
        return [True] * len(whole)
    return [at == whole.index(True) for at in range(len(whole))]


def _collect_pack(path: Path, tables: PackTables, live: Any, rewriter: _Rewriter, report: GcReport, *, waste: float) -> None:
    before = int(tables.groups["stored"].sum(dtype=np.uint64))
    if live.all():
        return
    if not live.any():
        rewriter.remove(path, dry_run=report.dry_run)
        report.packs_removed += 1
        report.bytes_freed += before
        report.chunks_removed += len(live)
        return
    sizes = tables.chunks["size"].astype(np.uint64)
    if 1.0 - int(sizes[live].sum()) / int(sizes.sum()) <= waste:
        return
    if report.dry_run:
        after = int(before * int(sizes[live].sum()) / int(sizes.sum()))  # an estimate: the groups are not compressed anew
    else:
        try:
            after = rewriter.rewrite(path, tables, live)
        except CorruptDataError as error:
            report.kept.append(str(error))
            return
    report.packs_rewritten += 1
    report.bytes_freed += before - after
    report.chunks_removed += int(np.count_nonzero(~live))


class _Rewriter:
    """Writes what is left of a pack into a new one, checks every chunk on the way, and only then removes the old one."""

    def __init__(self, store: ChunkStore) -> None:
        self.published: set[Path] = set()
        self._packs = store.root / "packs"
        self._staging = Staging(store.root)
        self._reader = GroupReader()
        self._compressor = Compressor()
        self._count = 0

    def close(self) -> None:
        self._reader.close()
        self._staging.close()

    def remove(self, path: Path, *, dry_run: bool) -> None:
        if not dry_run:
            os.unlink(path)

    def rewrite(self, path: Path, tables: PackTables, live: Any) -> int:
        """Return the bytes of the groups of the new pack. Raises CorruptDataError, and changes nothing, at a damaged chunk."""
        self._count += 1
        with WindowedFile(path) as file, closing(PackWriter(self._staging.folder / f"{self._count}.pack")) as pack:
            start = pack.size
            for run in _live_runs(path, tables, live):
                chunks = self._reader.read(run)
                stored: tuple[int, bytes | memoryview]
                if _is_whole(run):  # as it was stored, at whatever level
                    stored = int(run.group["codec"]), read_stored(file, run.group)
                else:
                    stored = self._compressor.compress(chunks[0] if len(chunks) == 1 else b"".join(chunks))
                pack.append([(chunk.digest, chunk.size) for chunk in run.chunks], *stored)
            size = pack.size - start
            self.published.add(pack.publish(self._packs))
        os.unlink(path)
        return size


def _is_whole(run: Run) -> bool:
    """Return whether the chunks of *run*, in the order of their group, are all of it."""
    ends = [chunk.start + chunk.size for chunk in run.chunks]
    return [chunk.start for chunk in run.chunks] == [0, *ends[:-1]] and ends[-1] == run.group["size"]


def _live_runs(path: Path, tables: PackTables, live: Any) -> Iterator[Run]:
    for rows, run in runs_of_pack(path, tables):
        wanted = [chunk for row, chunk in zip(rows, run.chunks, strict=True) if live[row]]
        if wanted:
            yield Run(path, run.group, wanted)
