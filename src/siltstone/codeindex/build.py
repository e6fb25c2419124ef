"""The driver of the layer: files in, entities, edges and unresolved names out, the same for any order and worker count.

Order of work: read and extract (or take from the cache), read the SCIP index where there is one, resolve, write all
entities, then all edges, then what is unresolved; each sorted, in batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from siltstone.codeindex.assembly import Assembly
from siltstone.codeindex.entities import Sink
from siltstone.codeindex.extraction import EXTRACTION_VERSION, Extraction
from siltstone.codeindex.languages import language_of_path, language_of_shebang, may_be_script, settle_headers
from siltstone.codeindex.scip_merge import ScipRows, read_scip_rows
from siltstone.codeindex.summary import IndexSummary
from siltstone.codeindex.syntax import languages as syntax_languages
from siltstone.codeindex.syntax_worker import EXTRACTED
from siltstone.codeindex.worker_pool import WorkerPool
from siltstone.codeindex.workspace import find_roots, is_manifest
from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.ledger import CoverageLedger, Reason

_BINARY_PROBE_BYTES = 8000  # as git: a NUL byte this early means binary
_MEMORY_PER_ENCODED_BYTE = 6  # measured on Django: columns in memory against their encoded size
_FILE_OVERHEAD_BYTES = 1024


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """One file to index: its path relative to the repository as git has it, and its size where it is known."""

    path: bytes
    size: int | None = None

    @property
    def name(self) -> str:
        """The path as text; bytes that are not UTF-8 become U+FFFD."""
        return self.path.decode("utf-8", "replace")


class ExtractionCache(Protocol):
    """Keeps encoded extractions between runs. The key depends on content, language and extractor only."""

    def get(self, key: bytes) -> bytes | None:
        """Return what was put under *key*, or None."""

    def put(self, key: bytes, value: bytes) -> None:
        """Keep *value*."""


def cache_key(language: str, content: bytes) -> bytes:
    """Return the key under which the extraction of a file is kept."""
    head = f"siltstone extraction {EXTRACTION_VERSION} {language}\0".encode()
    return hashlib.sha256(head + content).digest()


def index_repository(
    files: Sequence[SourceFile],
    read: Callable[[SourceFile], bytes | None],
    sink: Sink,
    *,
    repo_id: str,
    scip: Path | None = None,
    cache: ExtractionCache | None = None,
    workers: int = 1,
    budget: Budget | None = None,
    progress: Progress = NO_PROGRESS,
    metrics: Metrics = NO_METRICS,
    ledger: CoverageLedger | None = None,
) -> IndexSummary:
    """Index *files* into *sink* and return what was found; *sink* is not closed.

    *read* is called in this thread, once per file (again for files of a SCIP index that counts columns in UTF-16); None says
    that it noted the gap itself.  A file that cannot be read, decoded or parsed stays a file entity and is noted in *ledger*.
    Raises BudgetExceeded where the rows in memory pass the budget "index", CorruptDataError where *scip* is no SCIP index.
    """
    job = _Job(
        sorted(set(files)), read, cache, budget or Budget(), progress, metrics,
        ledger if ledger is not None else CoverageLedger(),
    )
    try:
        with metrics.timer("index: extract"):
            job.extract(workers)
        with metrics.timer("index: resolve"):
            progress.stage("resolve", len(job.names))
            roots = find_roots(job.names, job.manifest)
            assembly = Assembly(repo_id, job.names, job.languages, job.extractions, roots, progress)
            assembly.build(job.scip_rows(scip, repo_id) if scip is not None else None)
        with metrics.timer("index: write"):
            progress.stage("write")
            assembly.write(sink, progress)
    finally:
        job.budget.release("index", job.reserved)
    return assembly.summary(job.reused, job.syntax_errors)


@dataclass(slots=True)
class _Job:
    """The extraction of one run."""

    files: list[SourceFile]
    read: Callable[[SourceFile], bytes | None]
    cache: ExtractionCache | None
    budget: Budget
    progress: Progress
    metrics: Metrics
    ledger: CoverageLedger
    names: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    extractions: dict[int, Extraction] = field(default_factory=dict)
    reused: int = 0
    syntax_errors: int = 0
    reserved: int = 0
    _asked: list[tuple[int, bytes]] = field(default_factory=list)  # file and cache key of each request
    _put: set[bytes] = field(default_factory=set)  # keys that this run gave to the cache
    _manifests: dict[str, bytes] = field(default_factory=dict)

    def extract(self, workers: int) -> None:
        """Fill `extractions` for every file that has a grammar and parses."""
        self.files = _one_per_name(self.files, self.ledger)
        self.names = [file.name for file in self.files]
        self._name_languages()
        self.reserve(_FILE_OVERHEAD_BYTES * len(self.names))
        self.progress.stage("extract", len(self.names))
        with WorkerPool(workers) as pool:
            for given, (status, data) in enumerate(pool.extract(self._requests())):
                number, key = self._asked[given]
                if status == EXTRACTED:
                    self._keep(number, data)
                    if self.cache is not None:
                        self.cache.put(key, data)
                        self._put.add(key)
                else:
                    self.ledger.add(Reason.UNPARSABLE, self.files[number].path, data.decode("utf-8", "replace"))
        self.extractions = dict(sorted(self.extractions.items()))

    def scip_rows(self, path: Path, repo_id: str) -> ScipRows:
        """Return what the SCIP index at *path* says of the files."""
        by_name = dict(zip(self.names, self.files, strict=True))
        by_path = {self.names[number]: extraction for number, extraction in self.extractions.items()}
        return read_scip_rows(
            path, repo_id, by_path, frozenset(self.names), lambda name: self._content(by_name[name]),
            budget=self.budget, ledger=self.ledger, progress=self.progress,
        )

    def manifest(self, name: str) -> bytes:
        """Return the content of a manifest file, b'' where it cannot be read."""
        return self._manifests.get(name, b"")

    def reserve(self, size: int) -> None:
        """Take *size* bytes of the budget for rows until the end of the run."""
        self.budget.reserve("index", size)
        self.reserved += size

    def _name_languages(self) -> None:
        table = {name: language_of_path(name) for name in self.names}
        settle_headers(table)
        self.languages = [table[name] for name in self.names]

    def _requests(self) -> Iterator[tuple[str, bytes]]:
        """Yield what must be extracted now; what the cache has is taken on the way."""
        known = frozenset(syntax_languages())
        for number, file in enumerate(self.files):
            self.progress.advance()
            language, name = self.languages[number], self.names[number]
            probe = not language and may_be_script(name)
            manifest = is_manifest(name)
            if language not in known and not probe and not manifest:
                continue
            content = self._content(file)
            if content is None:
                continue
            if manifest:
                self._manifests[name] = content
            if probe:
                language = self.languages[number] = language_of_shebang(content)
            if language not in known:
                continue
            if b"\0" in content[:_BINARY_PROBE_BYTES]:
                self.ledger.add(Reason.UNPARSABLE, file.path, "binary: it holds NUL bytes")
                continue
            key = cache_key(language, content)
            if not self._from_cache(number, key):
                self._asked.append((number, key))
                yield language, content

    def _content(self, file: SourceFile) -> bytes | None:
        limit = self.budget.limit("file")
        if file.size is not None and file.size > limit:
            self.ledger.add(Reason.OVERSIZE, file.path, f"{file.size:,} bytes")
            return None
        try:
            content = self.read(file)
        except (OSError, CorruptDataError) as error:
            reason = Reason.UNREADABLE if isinstance(error, OSError) else Reason.CORRUPT
            self.ledger.add(reason, file.path, type(error).__name__)
            return None
        if content is not None and len(content) > limit:
            self.ledger.add(Reason.OVERSIZE, file.path, f"{len(content):,} bytes")
            return None
        return content

    def _from_cache(self, number: int, key: bytes) -> bool:
        kept = self.cache.get(key) if self.cache is not None else None
        if kept is None:
            return False
        try:
            self._keep(number, kept)
        except CorruptDataError:
            return False  # extracted again, and written again
        self.reused += key not in self._put  # the same content twice in one run is no earlier run
        return True

    def _keep(self, number: int, data: bytes) -> None:
        extraction = Extraction.decode(data)
        self.reserve(_MEMORY_PER_ENCODED_BYTE * len(data))
        self.syntax_errors += extraction.syntax_errors
        self.extractions[number] = extraction


def _one_per_name(files: list[SourceFile], ledger: CoverageLedger) -> list[SourceFile]:
    """Drop files whose path as text is that of another one: they would have the same keys."""
    kept: dict[str, SourceFile] = {}
    for file in files:
        if kept.setdefault(file.name, file) is not file:
            ledger.add(Reason.UNSUPPORTED, file.path, "another file has the same name in UTF-8")
    return [kept[name] for name in sorted(kept)]
