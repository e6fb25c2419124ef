"""The writing side of a chunk store: files go through a pipeline into packs, and their names appear at the end.

Order of publishing, which makes a kill harmless: packs (synced), their names (synced), then the manifests the same way.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from siltstone.content.compression import Compressor
from siltstone.content.manifest import ManifestWriter, StoredFile, check_name, manifest_file_name
from siltstone.content.pack_sink import PackSink, pack_in_groups
from siltstone.content.pipeline import Pipeline, PipelineContext, PipelineOptions
from siltstone.content.staging import Staging, exclusive, writing
from siltstone.core.budget import MIB
from siltstone.core.errors import ConfigError
from siltstone.core.files import sync_directory
from siltstone.core.metrics import Metrics
from siltstone.core.progress import Progress

if TYPE_CHECKING:
    from siltstone.content.pipeline_run import PipelineSummary
    from siltstone.content.store import ChunkStore

Source = str | os.PathLike[str] | BinaryIO | bytes | bytearray | memoryview

# Read at once: 4 MiB is no faster and holds 20 MB more. DO NOT CHANGE without need: groups end where blocks do.
BLOCK_BYTES = 2 * MIB
_WORKERS_AT_MOST = 64


class StoreWriter:
    """Takes files one after the other; all appear in the store when the ``with`` block ends without an error.

    An error leaves no name behind.  Chunks of packs that were full before stay, and are found when the files are put again.
    """

    def __init__(self, store: ChunkStore, *, level: int, codec: str, workers: int, replace: bool, progress: Progress,
                 metrics: Metrics) -> None:
        if not 1 <= workers <= _WORKERS_AT_MOST:
            raise ConfigError(f"expected 1 to {_WORKERS_AT_MOST}, got {workers}", field="workers")
        self._store, self._root, self._replace = store, store.root, replace
        self._manifests: dict[str, ManifestWriter] = {}
        self._failed = ""
        options = PipelineOptions(profile=store.profile, stream_digest=None, codec=codec, level=level, block_bytes=BLOCK_BYTES)
        context = PipelineContext(workers=workers if workers > 1 else 0, budget=store.budget, progress=progress,
                                  metrics=metrics, metrics_prefix="store")
        self._pipeline = Pipeline(options, context, pack=pack_in_groups(Compressor(codec, level=level)))

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack:
            stack.enter_context(writing(self._root))
            self._store.refresh()  # what was collected before the lock was held may not be counted on
            self._staging = Staging(self._root)
            stack.callback(self._staging.close)
            stack.callback(self._close_files)
            self._packs = stack.enter_context(closing(PackSink(self._store, self._staging.folder)))
            self._run = stack.enter_context(self._pipeline.open(self._packs))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._publish()
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(kind, error, trace)

    def put(self, name: str, source: Source) -> StoredFile:
        """Store *source* (a path, a binary file until its end, or a buffer) under *name*.

        Raises ConfigError where the name is taken or not valid, and what reading the source raises.
        """
        check_name(name)
        self._check_free(name)
        manifest = self._manifests[name] = ManifestWriter(self._staging.folder / f"{len(self._manifests)}.manifest")
        try:
            self._run.add(source, stream=manifest)
            self._run.drain()
            return manifest.finish(name, self._store.profile)
        except BaseException:
            self._failed = name
            raise

    def summary(self) -> PipelineSummary:
        """Return what was read, what of it was new, and where the time went."""
        return self._run.summary()

    def _publish(self) -> None:
        if self._failed:  # somebody swallowed the error: half of a file must not get a name
            raise ConfigError(f"nothing is stored, as {self._failed} could not be", field="writer")
        self._packs.publish()
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
        for manifest in self._manifests.values():
            manifest.close()

