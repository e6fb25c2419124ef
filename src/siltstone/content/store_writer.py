"""The writing side of a chunk store: read a window, cut, hash, compress what is new, append; publish at the end.

Order of publishing, which makes a kill harmless: pack (synced), its name (synced), then each manifest the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from siltstone.content.chunking import Chunker
from siltstone.content.compression import Compressor
from siltstone.content.hashing import digest_of
from siltstone.content.manifest import ManifestWriter, StoredFile, check_name, manifest_file_name
from siltstone.content.packs import ChunkIndex, PackWriter
from siltstone.content.profiles import Profile
from siltstone.content.staging import Staging, exclusive
from siltstone.core.budget import MIB
from siltstone.core.errors import ConfigError
from siltstone.core.files import sync_directory
from siltstone.core.metrics import Metrics
from siltstone.core.progress import Progress

_WINDOW_BYTES = 4 * MIB  # read at once; smaller loses overlap of the compressing threads, larger only costs memory
PACK_BYTES = 512 * MIB  # a pack is closed above this; bounds the table of chunks that are not published yet
_WORKERS_AT_MOST = 64


class StoreWriter:
    """Takes files one after the other; all appear in the store when the ``with`` block ends without an error.

    An error leaves no name behind.  Chunks of packs that were full before stay, and are found when the files are put again.
    """

    def __init__(self, root: Path, profile: Profile, index: ChunkIndex, refresh: Callable[[], None], *, level: int,
                 codec: str, workers: int, replace: bool, progress: Progress, metrics: Metrics) -> None:
        if not 1 <= workers <= _WORKERS_AT_MOST:
            raise ConfigError(f"expected 1 to {_WORKERS_AT_MOST}, got {workers}", field="workers")
        self._compressor = Compressor(codec, level=level)
        self._root, self._profile, self._index, self._refresh = root, profile, index, refresh
        self._replace, self._workers = replace, workers
        self._progress, self._metrics = progress, metrics
        self._manifests: dict[str, ManifestWriter] = {}
        self._pack: PackWriter | None = None
        self._packs = 0

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack:
            self._staging = Staging(self._root)
            stack.callback(self._staging.close)
            if self._workers > 1:
                self._pool: ThreadPoolExecutor | None = stack.enter_context(
                    ThreadPoolExecutor(self._workers, thread_name_prefix="siltstone-compress"))
            else:
                self._pool = None
            stack.callback(self._close_files)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        with self._stack:
            if kind is None:
                self._publish()

    def put(self, name: str, file: BinaryIO) -> StoredFile:
        """Store what *file* gives until its end under *name*. Raises ConfigError where the name is taken or not valid."""
        check_name(name)
        self._check_free(name)
        manifest = self._manifests[name] = ManifestWriter(self._staging.folder / f"{len(self._manifests)}.manifest")
        chunker = Chunker(profile=self._profile)
        while window := file.read(_WINDOW_BYTES):
            with self._metrics.timer("store.chunk"):
                chunks = chunker.feed(window)
            self._add_chunks(manifest, chunks)
            self._progress.advance(len(window))
        self._add_chunks(manifest, chunker.finish())
        return manifest.finish(name, self._profile)

    def _add_chunks(self, manifest: ManifestWriter, chunks: list[bytes | memoryview]) -> None:
        fresh: dict[bytes, bytes | memoryview] = {}
        with self._metrics.timer("store.hash"):
            for chunk in chunks:
                digest = digest_of(chunk)
                manifest.append(digest, chunk)
                if not (digest in fresh or (self._pack is not None and digest in self._pack) or digest in self._index):
                    fresh[digest] = chunk
        with self._metrics.timer("store.compress"):
            work = self._compressor.compress
            packed = list(self._pool.map(work, fresh.values()) if self._pool else map(work, fresh.values()))
        with self._metrics.timer("store.write"):
            for (digest, chunk), (codec, payload) in zip(fresh.items(), packed, strict=True):
                self._open_pack().append(digest, len(chunk), codec, payload)
        self._metrics.count("store.chunks", len(chunks))
        self._metrics.count("store.new_chunks", len(fresh))
        if self._pack is not None and self._pack.size >= PACK_BYTES:
            self._publish_pack()

    def _open_pack(self) -> PackWriter:
        if self._pack is None:
            self._pack = PackWriter(self._staging.folder / f"{self._packs}.pack")
            self._packs += 1
        return self._pack

    def _publish_pack(self) -> None:
        if self._pack is not None:
            pack, self._pack = self._pack, None
            try:
                pack.publish(self._root / "packs")
            finally:
                pack.close()
            self._refresh()

    def _publish(self) -> None:
        self._publish_pack()
        for manifest in self._manifests.values():  # all of them, before the first name appears
            manifest.seal()
        with exclusive(self._root):
            for name in self._manifests:
                self._check_free(name, published=True)
            for name, manifest in self._manifests.items():
                manifest.publish(self._root / "manifests" / manifest_file_name(name))
            sync_directory(self._root / "manifests")

    def _check_free(self, name: str, *, published: bool = False) -> None:
        taken = not published and name in self._manifests
        if taken or (not self._replace and (self._root / "manifests" / manifest_file_name(name)).exists()):
            raise ConfigError(f"the store has a file of this name already: {name}", field="name")

    def _close_files(self) -> None:
        if self._pack is not None:
            self._pack.close()
        for manifest in self._manifests.values():
            manifest.close()
