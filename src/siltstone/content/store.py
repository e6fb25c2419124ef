"""A de-duplicating store of files in one folder: chunks in packs, one manifest for each name.

Invariant: a manifest appears only after every chunk it names is on the disk and synced; files of a store are published by
rename and never changed.  So a reader sees a name with all of its content or not at all, whoever is killed at any point.
Writers do not wait for each other; only `gc` waits for them.  The layout is docs/formats/chunk_store.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from siltstone.content.chunk_index import ABSENT, ChunkIndex, ChunkPlace
from siltstone.content.group_reader import GroupReader, Run, run_of
from siltstone.content.manifest import StoredFile, iter_records, manifest_file_name, read_header
from siltstone.content.packs import INDEX_BUDGET, PackTables, read_tables
from siltstone.content.profiles import Profile
from siltstone.content.restore import iter_runs
from siltstone.content.staging import collector_excluded, exclusive
from siltstone.content.store_check import VerifyReport, check_store
from siltstone.content.store_folder import create_folder, read_format
from siltstone.content.store_gc import GcReport, collect_garbage
from siltstone.content.store_writer import Source, StoreWriter
from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError, NotFoundError
from siltstone.core.files import WindowedFile, sync_directory
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress

DEFAULT_WORKERS = 2


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds: *bytes* of all files, *chunk_bytes* of the distinct chunks, *stored_bytes* they take in packs."""

    files: int
    bytes: int
    chunks: int
    chunk_bytes: int
    stored_bytes: int
    packs: int

    def as_dict(self) -> dict[str, int]:
        """Return the fields as plain values."""
        return asdict(self)


class ChunkStore:
    """A store that is open for reading, and for writing through `writer`. One thread at a time."""

    def __init__(self, root: Path, profile: Profile, budget: Budget) -> None:
        self.root = root
        self.profile = profile
        self.budget = budget
        self.index = ChunkIndex()
        self.packs: list[Path] = []
        self.damaged: dict[Path, CorruptDataError] = {}  # packs that are set aside, and why
        self._reader = GroupReader()
        self.refresh()

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False, profile: Profile | None = None,
             budget: Budget | None = None) -> ChunkStore:
        """Open the store in the folder *path*; with *create*, make it where there is none, cutting by *profile*.

        Raises NotFoundError where there is no store, StoreError where the folder holds something else or another format,
        CorruptDataError where its format file is damaged, ConfigError where it was made with a profile other than *profile*.
        """
        root = Path(path)
        if create:
            create_folder(root, profile)
        return cls(root, read_format(root, profile), budget or Budget())

    def __enter__(self) -> ChunkStore:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and give the budget back; closing twice is harmless."""
        self._reader.close()
        self._forget()

    def _forget(self) -> None:
        self.budget.release(INDEX_BUDGET, self.index.footprint)
        self.index, self.packs, self.damaged = ChunkIndex(), [], {}

    def refresh(self) -> None:
        """Read the tables of packs that were published since, and forget packs that were collected.

        A damaged pack is set aside, and looked at again by every later call: the same content may have been stored since.
        """
        names = sorted(name for name in os.listdir(self.root / "packs") if name.endswith(".pack"))
        present = [self.root / "packs" / name for name in names]
        if not {*self.packs} <= {*present}:
            self._forget()
        known, found = {*self.packs}, dict[Path, PackTables]()
        self.damaged = {}
        try:
            for path in present:
                if path not in known:
                    self._read_tables(path, found)
        except BaseException:
            self.budget.release(INDEX_BUDGET, sum(tables.footprint for tables in found.values()))
            raise
        if found:
            self.index.add([*found.values()])
            self.packs.extend(found)

    def _read_tables(self, path: Path, found: dict[Path, PackTables]) -> None:
        try:
            found[path] = read_tables(path, budget=self.budget)
        except CorruptDataError as error:
            self.damaged[path] = error
        except FileNotFoundError:  # collected since the folder was listed
            return

    def writer(self, *, level: int = 3, codec: str = "zstd", workers: int = DEFAULT_WORKERS, replace: bool = False,
               progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS) -> StoreWriter:
        """Return a ``with`` block that takes files and publishes all of them when it is left without an error.

        With *replace*, a file that has the same name is replaced; without, it is a ConfigError. *workers* threads
        hash and compress; they never change what is stored.
        """
        return StoreWriter(self, level=level, codec=codec, workers=workers, replace=replace, progress=progress, metrics=metrics)

    def put(self, name: str, source: Source, *, replace: bool = False) -> StoredFile:
        """Store *source* (a path, a binary file, a buffer) under *name*; memory does not depend on the size."""
        with self.writer(replace=replace) as writer:
            return writer.put(name, source)

    def find(self, name: str) -> StoredFile | None:
        """Return the file *name*, or None. Raises CorruptDataError where its manifest is damaged."""
        try:
            with self._open_manifest(name) as manifest:
                return read_header(manifest)
        except NotFoundError:
            return None

    def iter_files(self) -> Iterator[StoredFile]:
        """Yield all files, ordered by their manifests' names. Raises CorruptDataError at a damaged manifest."""
        for manifest in self.open_manifests():
            yield read_header(manifest)

    def iter_chunks(self, name: str, *, workers: int = DEFAULT_WORKERS,
                    progress: Progress = NO_PROGRESS) -> Iterator[memoryview]:
        """Yield the content of *name*, chunk by chunk, each one checked against its digest.

        *workers* threads decode ahead. Raises NotFoundError where nothing has this name, CorruptDataError where it is damaged.
        """
        with self._open_manifest(name) as manifest:
            yield from self._iter_content(manifest, workers, progress)

    def _iter_content(self, manifest: WindowedFile, workers: int, progress: Progress) -> Iterator[memoryview]:
        progress.stage("restore", read_header(manifest).size)
        for chunks in iter_runs(self._runs(manifest), self._reader.read, self._read_again, workers=workers):
            for chunk in chunks:
                yield chunk
                progress.advance(len(chunk))

    def get(self, name: str, file: BinaryIO, *, workers: int = DEFAULT_WORKERS,
            progress: Progress = NO_PROGRESS) -> StoredFile:
        """Write the content of *name* to *file*; on an error *file* holds a part, which the caller drops."""
        with self._open_manifest(name) as manifest:  # one for both: the name may be deleted or replaced meanwhile
            stored = read_header(manifest)
            for chunk in self._iter_content(manifest, workers, progress):
                file.write(chunk)
        return stored

    def read_chunk(self, digest: bytes) -> bytes:
        """Return one chunk, checked. Where one copy of it is damaged, another one is used. Raises CorruptDataError."""
        places = list(self.index.find_all(digest))
        if not all(self.packs[place.pack].exists() for place in places) or not places:
            self.refresh()  # another process may have published, or collected, since
            places = list(self.index.find_all(digest))
        failure: CorruptDataError | None = next(iter(self.damaged.values()), None)
        for place in places:
            try:
                return bytes(self._reader.read(run_of(self.index, self.packs, [place], [digest]))[0])
            except CorruptDataError as error:
                failure = error
            except FileNotFoundError:  # collected just now: the tables are read again
                return self.read_chunk(digest)
        raise failure or CorruptDataError(f"chunk {digest.hex()[:16]} is missing", source=str(self.root / "packs"))

    def is_readable(self, place: ChunkPlace) -> bool:
        """Whether the copy of a chunk at *place* is whole."""
        digest = self.index.tables[place.pack].chunks[place.row]["digest"].tobytes()
        try:
            self._reader.read(run_of(self.index, self.packs, [place], [digest]))
        except CorruptDataError:
            return False
        return True

    def delete(self, *names: str) -> None:
        """Remove the names; `gc` frees what no other file needs. Raises NotFoundError where one is absent: then none goes."""
        paths = {name: self.root / "manifests" / manifest_file_name(name) for name in names}
        with exclusive(self.root):
            for name, path in paths.items():
                if not path.exists():
                    raise NotFoundError("the store has no file of this name", name=name)
            for path in paths.values():
                os.unlink(path)
            sync_directory(self.root / "manifests")

    def stats(self) -> StoreStats:
        """Return the totals; reads every manifest's header."""
        files = size = 0
        for stored in self.iter_files():
            files, size = files + 1, size + stored.size
        chunks, chunk_bytes, stored_bytes = self.index.totals()
        return StoreStats(files, size, chunks, chunk_bytes, stored_bytes, len(self.packs))

    def verify(self, *, workers: int = DEFAULT_WORKERS, progress: Progress = NO_PROGRESS) -> VerifyReport:
        """Read every chunk and every manifest; whatever is wrong goes into the report, and the rest is still checked.

        Others may write meanwhile. A collection of garbage is waited for, up to 30 seconds, and waits in turn.
        """
        with collector_excluded(self.root):
            return check_store(self, workers=workers, progress=progress)

    def gc(self, *, waste: float = 0.25, dry_run: bool = False, timeout_seconds: float = 30.0,
           progress: Progress = NO_PROGRESS) -> GcReport:
        """Free the chunks that no file needs; packs are rewritten where more than the share *waste* of them is free.

        Waits up to *timeout_seconds* for writers to finish, then raises StoreError. With *dry_run* nothing is changed.
        Raises CorruptDataError, and frees nothing, where a manifest is damaged: what it needs is not known.
        """
        return collect_garbage(self, waste=waste, dry_run=dry_run, timeout_seconds=timeout_seconds, progress=progress)

    def manifests(self) -> list[Path]:
        """Return the paths of all manifests, in the order of their names."""
        folder = self.root / "manifests"
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".manifest")]

    def open_manifests(self) -> Iterator[WindowedFile]:
        """Yield all manifests, each open until the next one is asked for."""
        for path in self.manifests():
            try:
                manifest = WindowedFile(path)
            except FileNotFoundError:  # deleted since the folder was listed
                continue
            with manifest:
                yield manifest

    def _runs(self, manifest: WindowedFile) -> Iterator[Run]:
        """Yield the chunks of a manifest in order, those that follow each other in one group together."""
        for records in iter_records(manifest):
            positions = self.index.find_many(records["digest"])
            if (positions == ABSENT).any():
                self.refresh()
                positions = self.index.find_many(records["digest"])
            if (positions == ABSENT).any():
                missing = records["digest"][int((positions == ABSENT).argmax())].tobytes()
                raise next(iter(self.damaged.values()), None) or CorruptDataError(
                    f"chunk {missing.hex()[:16]} is missing", source=str(manifest.path))
            if (self.index.sizes(positions) != records["size"]).any():
                raise CorruptDataError("a chunk has another size in its pack", source=str(manifest.path))
            # Positions change, and so does the index, where a run that is read meanwhile finds its pack gone.
            index, packs = self.index, self.packs
            owners = (owned.tolist() for owned in index.owners(positions))
            places = map(index.place_in, *owners)
            digests = (digest.tobytes() for digest in records["digest"])
            for _, run in groupby(zip(places, digests, strict=True), key=lambda pair: (pair[0].pack, pair[0].group)):
                yield run_of(index, packs, *zip(*run, strict=True))

    def _read_again(self, run: Run) -> list[memoryview]:
        """Return the chunks of a run that could not be read, from other copies."""
        return [memoryview(self.read_chunk(chunk.digest)) for chunk in run.chunks]

    def _open_manifest(self, name: str) -> WindowedFile:
        try:
            manifest = WindowedFile(self.root / "manifests" / manifest_file_name(name))
        except FileNotFoundError:
            raise NotFoundError("the store has no file of this name", name=name) from None
        if read_header(manifest).name != name:
            manifest.close()
            raise CorruptDataError("the manifest is of another name", source=str(manifest.path))
        return manifest
