"""The main job: one repository through every layer, into one store that changes at once or not at all.

Order: what was scanned before is read back, the history is scanned, the files are indexed, and everything is written by one
commit.  The only place that joins detection and the graph: a finding names the key of the file it was found in.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from siltstone import codeindex
from siltstone.codeindex.build import SourceFile, index_repository
from siltstone.codeindex.extraction import EXTRACTION_VERSION
from siltstone.codeindex.keys import default_collections, entity_key
from siltstone.codeindex.languages import language_of_path
from siltstone.codeindex.summary import IndexSummary
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import ConfigError, CorruptDataError, IncompleteError, NotFoundError, UnsupportedError
from siltstone.core.files import WindowedFile
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.core.version import VERSION
from siltstone.detection.rules import RuleSet, default_rules
from siltstone.detection.scan import ScanResult, ScanState, scan
from siltstone.gitobjects.clone import Credentials, check_url, fetch_bare, is_url, redact_url
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.worktree import WorkFile, WorkTree
from siltstone.graph.model import FileRow, FindingRow
from siltstone.graph.store import GraphStore, open_store_directory
from siltstone.ingestion.stages import Stages
from siltstone.ingestion.summary import CodeSummary, HistorySummary, IngestSummary

_CLONE_NAME = "repository.git"
SCIP_NAME = "index.scip"
_WINDOW_BYTES = 4 * MIB


def ingest(
    repository: Path | str,
    *,
    output: Path | str | None = None,
    repo_id: str | None = None,
    scip: Path | str | None = None,
    rules: RuleSet | None = None,
    workers: int | None = None,
    require_complete: bool = False,
    credentials: Credentials | None = None,
    kernel: str = "auto",
    budget: Budget | None = None,
    progress: Progress = NO_PROGRESS,
    metrics: Metrics = NO_METRICS,
) -> IngestSummary:
    """Read *repository* (a work tree, a bare repository, or a URL) through every layer into the store, and sum it up.

    The store is the folder *output*, else ``.siltstone`` in the work tree; a bare repository needs *output*, and so does a
    URL, whose bare copy is kept there.  *repo_id* is the first field of every key (default: the name of the folder);
    *scip* an index to read (default: an ``index.scip`` at the root of the work tree); *workers* counts processes for the
    syntax extractor (default: one a CPU), *kernel* a variant of the literal search (see `detection.scan.scan`).

    A run that is stopped, killed or fails leaves the store as the last complete run left it.  Raises NotFoundError where
    there is no repository, ConfigError for wrong options, IncompleteError under *require_complete* where something was not
    read (nothing is written then), and the errors of the layers.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"at least one process is needed, got {workers}", field="workers")
    if scip is not None and not Path(scip).is_file():
        raise NotFoundError("no such file", name=str(scip))
    stages = Stages(progress, metrics)
    budget = budget or Budget()
    ledger = CoverageLedger()
    folder = None if output is None else Path(output)
    with ExitStack() as opened:
        if is_url(str(repository)):
            store_folder = _folder_of_url(str(repository), folder)
            store = opened.enter_context(GraphStore.open(store_folder, budget=budget))  # its lock guards the copy as well
            with stages("fetch"):
                copy = fetch_bare(str(repository), store_folder / _CLONE_NAME, credentials=credentials, progress=progress)
            database = opened.enter_context(ObjectDatabase.open(copy, budget=budget, ledger=ledger))
        else:
            database = opened.enter_context(ObjectDatabase.open(repository, budget=budget, ledger=ledger))
            store = opened.enter_context(GraphStore.open(_store_folder(database, folder), budget=budget))
        run = _Run(database, store, repo_id or _name_of(repository, database), stages, budget, progress, metrics, ledger)
        summary = run.perform(
            shown=redact_url(str(repository)) if is_url(str(repository)) else str(repository),
            scip=None if scip is None else Path(scip), rules=rules or default_rules(), kernel=kernel,
            workers=workers or os.cpu_count() or 1, require_complete=require_complete,
        )
    progress.finish()
    return summary


def _folder_of_url(url: str, output: Path | None) -> Path:
    if output is None:
        raise ConfigError("a repository elsewhere needs a folder to be kept in", field="output")
    check_url(url)
    return open_store_directory(None, output=output)


def _store_folder(database: ObjectDatabase, output: Path | None) -> Path:
    if output is None and database.work_tree is None:
        raise ConfigError("a bare repository needs a folder for the store", field="output")
    return open_store_directory(database.work_tree, output=output)


def _name_of(repository: Path | str, database: ObjectDatabase) -> str:
    if is_url(str(repository)):
        return str(repository).rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")
    folder = database.work_tree or database.common_dir
    return folder.resolve().name.removesuffix(".git")


class _Run:
    """One run over an open repository and an open store."""

    def __init__(self, database: ObjectDatabase, store: GraphStore, repo_id: str, stages: Stages, budget: Budget,
                 progress: Progress, metrics: Metrics, ledger: CoverageLedger) -> None:
        self._database, self._store, self._repo_id = database, store, repo_id
        self._stages, self._budget = stages, budget
        self._progress, self._metrics, self._ledger = progress, metrics, ledger
        self._before = store.summary()

    def perform(
        self, *, shown: str, scip: Path | None, rules: RuleSet, kernel: str, workers: int, require_complete: bool
    ) -> IngestSummary:
        """Do all stages and commit."""
        with self._stages("scan"):
            scanned = self._scan(rules, kernel)
        with self._stages("list"):
            files = self._list_files()
            scip = scip or self._find_scip(files)
            rows, inputs = self._fingerprint(files, scip)
        unchanged = self._before.get("inputs") == inputs
        with self._stages("index"):
            code, gaps = self._code_before() if unchanged else self._index(files, scip, workers)
        self._ledger.merge(gaps)
        if require_complete and not self._ledger.complete:
            raise IncompleteError("not everything was read, and completeness was required",
                                  ledger={str(reason): count for reason, count in self._ledger.counts().items()})
        history = self._history(scanned)
        with self._stages("commit"):
            self._store.write_files(rows)
            self._store.write_findings(self._finding_rows(scanned, {row.path for row in rows}))
            self._store.write_scan_state(scanned.state.encode())
            self._store.write_meta(repo_id=self._repo_id, tool_version=VERSION, summary={
                "inputs": inputs, "code": asdict(code), "code_coverage": gaps.as_dict(), "history": asdict(history),
                "coverage": self._ledger.as_dict(), "repository": shown,
            })
            self._store.commit()
        head = self._database.head()
        return IngestSummary(
            repository=shown, repo_id=self._repo_id, head=head.hex() if head else None,
            object_format=self._database.algorithm.name, store=str(self._store.path), graph_digest=self._store.digest(),
            unchanged=unchanged and scanned.blobs_scanned == 0, code=code, history=history,
            coverage=self._ledger.as_dict(), stages=self._stages.done(), seconds=self._stages.seconds(),
            peak_bytes=self._stages.peak_bytes(),
        )

    def _scan(self, rules: RuleSet, kernel: str) -> ScanResult:
        kept = self._store.scan_state()
        try:
            previous = None if kept is None else ScanState.decode(kept)
        except (CorruptDataError, UnsupportedError):  # of another version: everything is scanned again
            previous = None
        return scan(self._database, rules=rules, previous=previous, kernel=kernel, budget=self._budget, progress=self._progress,
                    metrics=self._metrics, ledger=self._ledger)

    def _list_files(self) -> list[WorkFile]:
        """Return the files of the repository. Raises CorruptDataError where the commit of HEAD is not there any more."""
        try:
            with WorkTree(self._database) as tree:
                return tree.list_files()
        except NotFoundError as error:
            damage = [f"{gap.what} ({gap.detail})" for gap in self._ledger.examples() if gap.reason is Reason.CORRUPT]
            because = f"; damaged: {damage[0]}" if damage else ""
            raise CorruptDataError(f"the commit of HEAD cannot be read ({error}){because}",
                                   source=str(self._database.git_dir)) from error

    def _find_scip(self, files: Sequence[WorkFile]) -> Path | None:
        """Return the ``index.scip`` at the root of the work tree, tracked or not."""
        if self._database.work_tree is None:
            return None
        found = self._database.work_tree / SCIP_NAME
        return found if found.is_file() and not found.is_symlink() else None

    def _fingerprint(self, files: Sequence[WorkFile], scip: Path | None) -> tuple[list[FileRow], str]:
        """Return the rows of the file table, and one hash over everything that the graph depends on."""
        whole = hashlib.sha256(_tool_digest(self._repo_id))
        rows = []
        self._progress.stage("list", len(files))
        with WorkTree(self._database, ledger=CoverageLedger()) as probe:  # what cannot be read is told when it is indexed
            for file in files:
                content = probe.read(file)
                digest = b"" if content is None else hashlib.sha256(content).digest()
                name = file.path.decode("utf-8", "replace")
                rows.append(FileRow(name, language_of_path(name), len(content or b""), digest))
                whole.update(b"%s\0%o\0%s\0" % (file.path, file.mode, digest))
                self._progress.advance()
        if scip is not None:
            with WindowedFile(scip) as index:
                for window in index.windows(_WINDOW_BYTES):
                    whole.update(window)
        return rows, whole.hexdigest()

    def _index(
        self, files: Sequence[WorkFile], scip: Path | None, workers: int
    ) -> tuple[CodeSummary, CoverageLedger]:
        gaps = CoverageLedger()
        by_path = {file.path: file for file in files}
        with WorkTree(self._database, ledger=gaps) as tree:
            found = index_repository(
                [SourceFile(file.path, file.size) for file in files], lambda source: tree.read(by_path[source.path]),
                self._store, repo_id=self._repo_id, scip=scip, cache=self._store.cache, workers=workers,
                budget=self._budget, progress=self._progress, metrics=self._metrics, ledger=gaps,
            )
        self._store.begin_graph()  # an empty tree has written nothing, and is a new graph all the same
        return _code(found), gaps

    def _code_before(self) -> tuple[CodeSummary, CoverageLedger]:
        """Return what the last complete run found in the same files."""
        code = CodeSummary(**self._before["code"])
        return replace(code, files_reused=code.files), CoverageLedger.restore(self._before["code_coverage"])

    def _history(self, scanned: ScanResult) -> HistorySummary:
        commits = sum(1 for _ in self._database.iter_ids((Kind.COMMIT,)))
        return HistorySummary(
            commits=commits, blobs=scanned.blobs_total, blobs_scanned=scanned.blobs_scanned,
            blobs_reused=scanned.blobs_reused, bytes_scanned=scanned.bytes_scanned,
            findings=dict(sorted(Counter(finding.rule_id for finding in scanned.findings).items())),
        )

    def _finding_rows(self, scanned: ScanResult, present: set[str]) -> Iterator[FindingRow]:
        """Yield the findings, each with the key of its file where the indexed tree holds that file."""
        for finding in scanned.findings:
            path = None if finding.path is None else finding.path.decode("utf-8", "replace")
            key = entity_key(self._repo_id, path, "file", path) if path in present and path is not None else None
            yield FindingRow(finding.fingerprint, finding.rule_id, path, finding.line, key, finding.as_dict())


def _tool_digest(repo_id: str) -> bytes:
    """Return bytes that change with everything but the files that a graph depends on, the code of the index included."""
    told = json.dumps([VERSION, EXTRACTION_VERSION, repo_id, dict(default_collections())], sort_keys=True)
    return told.encode() + _code_digest()


@cache
def _code_digest() -> bytes:
    """Return a hash of the code index as it is installed: a graph made by other code is made anew. Costs a millisecond."""
    whole = hashlib.sha256()
    folder = Path(codeindex.__file__).parent
    for path in sorted(path for pattern in ("*.py", "*.scm", "*.json") for path in folder.rglob(pattern)):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.digest()


def _code(found: IndexSummary) -> CodeSummary:
    return CodeSummary(
        files=found.files, files_reused=found.files_reused, files_from_scip=found.files_from_scip,
        files_with_syntax_errors=found.files_with_syntax_errors,
        languages={name: count for name, count in found.languages.items() if name},
        entities=dict(found.entities_by_kind), relations=dict(found.edges_by_kind),
        unresolved=dict(found.unresolved_by_kind), resolved_uses=found.resolved, unresolved_uses=found.unresolved,
    )
