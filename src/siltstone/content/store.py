"""A de-duplicating store of files in one folder: chunks in packs, one manifest for each name.

Invariant: a manifest appears only after every chunk it names is on the disk and synced; files of a store are published by
rename and never changed.  So a reader sees a name with all of its content or not at all, whoever is killed at any point.
Writers do not wait for each other.  The layout is docs/formats/chunk_store.md.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from siltstone.content.hashing import new_hasher
from siltstone.content.manifest import StoredFile, iter_records, manifest_file_name, read_header
from siltstone.content.packs import BYTES_PER_CHUNK, INDEX_BUDGET, ChunkIndex, ChunkPlace, read_chunk, read_index
from siltstone.content.profiles import Profile
from siltstone.content.store_folder import create_folder, read_format
from siltstone.content.store_writer import StoreWriter
from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError, NotFoundError
from siltstone.core.files import WindowedFile
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress

_OPEN_PACKS = 32


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


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `ChunkStore.verify` checked, and every problem it met, in the order of the files."""

    files: int
    chunks: int
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"files": self.files, "chunks": self.chunks, "problems": list(self.problems)}


class ChunkStore:
    """A store that is open for reading, and for writing through `writer`. One thread at a time."""

    def __init__(self, root: Path, profile: Profile, budget: Budget) -> None:
        self.root = root
        self.profile = profile
        self.budget = budget
        self.index = ChunkIndex()
        self._packs: list[Path] = []
        self._damaged: dict[Path, CorruptDataError] = {}
        self._open_packs: OrderedDict[Path, WindowedFile] = OrderedDict()
        self.refresh()

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False, profile: Profile | None = None,
             budget: Budget | None = None) -> ChunkStore:
        """Open the store in the folder *path*; with *create*, make it where there is none, cutting by *profile*.

        Raises NotFoundError where there is no store, StoreError where the folder holds something else or a newer format,
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
        while self._open_packs:
            self._open_packs.popitem()[1].close()
        self.budget.release(INDEX_BUDGET, len(self.index) * BYTES_PER_CHUNK)
        self.index = ChunkIndex()
        self._packs = []

    def refresh(self) -> None:
        """Read the indexes of packs that were published since; a damaged one is set aside until a chunk is missing."""
        known = {*self._packs, *self._damaged}
        tables, packs = [], []
        for name in sorted(os.listdir(self.root / "packs")):
            path = self.root / "packs" / name
            if path in known or path.suffix != ".pack":
                continue
            try:
                tables.append(read_index(path, budget=self.budget))
                packs.append(path)
            except CorruptDataError as error:
                self._damaged[path] = error
        if tables:
            self.index.add(tables)
            self._packs.extend(packs)

    def writer(self, *, level: int = 3, codec: str = "zstd", workers: int = 2, replace: bool = False,
               progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS) -> StoreWriter:
        """Return a ``with`` block that takes files and publishes all of them when it is left without an error.

        With *replace*, a file that has the same name is replaced; without, it is a ConfigError. *workers* threads
        compress; they never change what is stored.
        """
        return StoreWriter(self.root, self.profile, self.index, self.refresh, level=level, codec=codec, workers=workers,
                           replace=replace, progress=progress, metrics=metrics)

    def put(self, name: str, file: BinaryIO, *, replace: bool = False) -> StoredFile:
        """Store what *file* gives until its end under *name*; memory does not depend on the size."""
        with self.writer(replace=replace) as writer:
            return writer.put(name, file)

    def find(self, name: str) -> StoredFile | None:
        """Return the file *name*, or None. Raises CorruptDataError where its manifest is damaged."""
        try:
            with self._open_manifest(name) as manifest:
                return read_header(manifest)
        except NotFoundError:
            return None

    def iter_files(self) -> Iterator[StoredFile]:
        """Yield all files, ordered by their manifests' names. Raises CorruptDataError at a damaged manifest."""
        for path in self._manifests():
            with WindowedFile(path) as manifest:
                yield read_header(manifest)

    def iter_chunks(self, name: str, *, progress: Progress = NO_PROGRESS) -> Iterator[bytes]:
        """Yield the content of *name*, chunk by chunk, each one checked; the end is reached only where the whole is right.

        Raises NotFoundError for a name that is not stored, CorruptDataError for damaged content.
        """
        with self._open_manifest(name) as manifest:
            yield from self._iter_content(manifest, progress)

    def get(self, name: str, file: BinaryIO, *, progress: Progress = NO_PROGRESS) -> StoredFile:
        """Write the content of *name* to *file*; on an error *file* holds a part, which the caller drops."""
        with self._open_manifest(name) as manifest:
            for chunk in self._iter_content(manifest, progress):
                file.write(chunk)
            return read_header(manifest)

    def read_chunk(self, digest: bytes) -> bytes:
        """Return one chunk, checked. Where one copy of it is damaged, another one is used."""
        places = list(self.index.find_all(digest))
        if not places:
            self.refresh()  # another writer may have published its pack since
            places = list(self.index.find_all(digest))
        failure: CorruptDataError | None = next(iter(self._damaged.values()), None)
        for place in places:
            try:
                return read_chunk(self._open_pack(place), digest, place)
            except CorruptDataError as error:
                failure = error
        raise failure or CorruptDataError(f"chunk {digest.hex()[:16]} is missing", source=str(self.root / "packs"))

    def stats(self) -> StoreStats:
        """Return the totals; reads every manifest's header."""
        files = size = 0
        for stored in self.iter_files():
            files, size = files + 1, size + stored.size
        chunks, chunk_bytes, stored_bytes = self.index.totals()
        return StoreStats(files, size, chunks, chunk_bytes, stored_bytes, len(self._packs))

    def verify(self, *, progress: Progress = NO_PROGRESS) -> VerifyReport:
        """Read every chunk and every manifest; whatever is wrong goes into the report, and the rest is still checked."""
        problems = [str(error) for error in self._damaged.values()]
        bad: set[tuple[int, int]] = set()
        files = 0
        progress.stage("verify", len(self.index))
        for pack in range(len(self._packs)):
            for digest, place in self.index.iter_pack(pack):
                try:
                    read_chunk(self._open_pack(place), digest, place)
                except CorruptDataError as error:
                    bad.add((place.pack, place.offset))
                    problems.append(str(error))
                progress.advance()
        for path in self._manifests():
            files += 1
            try:
                with WindowedFile(path) as manifest:
                    problems.extend(self._check_manifest(manifest, bad))
            except CorruptDataError as error:
                problems.append(str(error))
        return VerifyReport(files, len(self.index), tuple(problems))

    def _iter_content(self, manifest: WindowedFile, progress: Progress) -> Iterator[bytes]:
        stored, hasher = read_header(manifest), new_hasher()
        progress.stage("restore", stored.size)
        for digest, size in iter_records(manifest):
            chunk = self.read_chunk(digest)
            if len(chunk) != size:
                raise CorruptDataError(f"a chunk has {len(chunk)} bytes, expected {size}", source=str(manifest.path))
            hasher.update(chunk)
            yield chunk
            progress.advance(size)
        if hasher.hexdigest() != stored.digest:
            raise CorruptDataError("the chunks do not make the file that was stored", source=str(manifest.path))

    def _check_manifest(self, manifest: WindowedFile, bad: set[tuple[int, int]]) -> Iterator[str]:
        stored = read_header(manifest)
        if manifest.path.name != manifest_file_name(stored.name):
            yield f"{manifest.path}: the manifest is of another name"
        missing = sum(not self._is_readable(digest, size, bad) for digest, size in iter_records(manifest))
        if missing:
            yield f"{manifest.path}: {missing} of {stored.chunks} chunks are missing or damaged"

    def _is_readable(self, digest: bytes, size: int, bad: set[tuple[int, int]]) -> bool:
        places = self.index.find_all(digest)
        return any(place.size == size and (place.pack, place.offset) not in bad for place in places)

    def _manifests(self) -> list[Path]:
        folder = self.root / "manifests"
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".manifest")]

    def _open_manifest(self, name: str) -> WindowedFile:
        try:
            manifest = WindowedFile(self.root / "manifests" / manifest_file_name(name))
        except FileNotFoundError:
            raise NotFoundError("the store has no file of this name", name=name) from None
        if read_header(manifest).name != name:
            manifest.close()
            raise CorruptDataError("the manifest is of another name", source=str(manifest.path))
        return manifest

    def _open_pack(self, place: ChunkPlace) -> WindowedFile:
        path = self._packs[place.pack]
        file = self._open_packs.pop(path, None)
        if file is None:
            if len(self._open_packs) >= _OPEN_PACKS:
                self._open_packs.popitem(last=False)[1].close()
            file = WindowedFile(path)
        self._open_packs[path] = file
        return file

