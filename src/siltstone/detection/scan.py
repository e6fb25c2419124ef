"""The driver of a secret scan: every blob of an object database, reachable or not, searched once.

Blocks of blobs are decoded in one thread and searched in another; neither the order of blocks nor the timing shows in the
result.  What could not be read goes to the coverage ledger of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siltstone._native.absent_ids import KnownIds
from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.prefetch import iterate_ahead
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.detection.engine import Engine
from siltstone.detection.findings import DEFAULT_KEY, Finding, Match, place_findings, without_shadowed
from siltstone.detection.missing import trace_history
from siltstone.detection.rules import Rule, RuleSet, default_rules
from siltstone.detection.scan_state import ScanState, key_check_of
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_database import ObjectDatabase

__all__ = ["ScanResult", "ScanState", "scan"]

_MATCH_BYTES = 600  # a Match and its strings in memory, rounded up: 64-bit CPython 3.11
_LFS_RULE = Rule(
    id="siltstone.lfs-pointer", name="Git LFS pointer", anchors=("version https://git-lfs.github.com/spec/",),
    pattern=r"\Aversion https://git-lfs\.github\.com/spec/v1\n(?:[a-z0-9.-]{1,40} [^\n]{1,100}\n){0,4}?oid sha256:",
)  # an own rule, never reported: so that a pointer is noticed in every scan, an incremental one too


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found, and what the next one needs.

    *blobs_total* are in the database and readable; *blobs_scanned* of them were searched now, for all rules or for the
    changed ones; *blobs_reused* were not read.
    """

    findings: tuple[Finding, ...]
    state: ScanState
    blobs_total: int
    blobs_scanned: int
    blobs_reused: int
    bytes_scanned: int
    ledger: CoverageLedger


def scan(
    repository: ObjectDatabase | Path | str,
    *,
    rules: RuleSet | None = None,
    previous: ScanState | None = None,
    key: bytes = DEFAULT_KEY,
    kernel: str = "auto",
    budget: Budget | None = None,
    progress: Progress = NO_PROGRESS,
    metrics: Metrics = NO_METRICS,
    ledger: CoverageLedger | None = None,
) -> ScanResult:
    """Search every blob of *repository* for what *rules* (default: our own) describe.

    *previous* is the state of an earlier scan: blobs it knows are then searched for new and changed rules alone, and the
    result is that of a fresh scan.  It is passed over where its fingerprints were made with another *key*.  A path is
    opened with *budget* and *ledger*; an open database has its own.  *kernel* forces a variant of the literal search
    (`siltstone._native.literals.variants`), which changes the speed alone.  Raises ConfigError for a variant that cannot
    run here, BudgetExceeded over the limit "findings".
    """
    if not isinstance(repository, ObjectDatabase):
        with ObjectDatabase.open(repository, budget=budget, ledger=ledger) as database:
            return scan(database, rules=rules, previous=previous, key=key, kernel=kernel, progress=progress, metrics=metrics)
    chosen = default_rules() if rules is None else rules
    run = _Run(repository, chosen, previous, key, kernel, progress, metrics)
    with metrics.timer("scan.blobs"):
        run.search_blobs()
    with metrics.timer("scan.history"):
        result = run.result()
    if ledger is not None and ledger is not repository.ledger:
        ledger.merge(repository.ledger)
    return result


class _Run:
    """One scan: what is known so far."""

    def __init__(
        self, database: ObjectDatabase, rules: RuleSet, previous: ScanState | None, key: bytes, kernel: str,
        progress: Progress, metrics: Metrics,
    ) -> None:
        self.database, self.rules = database, rules
        self.progress, self.metrics = progress, metrics
        self.key_check = key_check_of(key)
        self.size = database.algorithm.size
        own = RuleSet.of([*rules, _LFS_RULE])
        self.digests = own.digests
        self.engine = Engine(own, key=key, variant=kernel)
        self.known = KnownIds(self.size, limit_bytes=database.budget.limit("history"))
        self.known.add_many(b"".join(database.iter_ids()))
        if previous is not None and (previous.id_size, previous.key_check) != (self.size, self.key_check):
            previous = None
        self.old = self._still_there(previous.blobs) if previous else b""
        self.reused = self._reusable(previous) if previous else []
        unchanged = {name for name, digest in (previous.rule_digests if previous else {}).items()
                     if self.digests.get(name) == digest}
        changed = [rule for rule in own if rule.id not in unchanged]
        self.changed_engine = Engine(RuleSet.of(changed), key=key, variant=kernel) if changed and self.old else None
        self.matches: list[Match] = []
        self.fresh: list[bytes] = []  # packed ids of the blobs that are searched for every rule
        self.blobs_scanned = self.bytes_scanned = 0
        self.skips_old = False

    def _still_there(self, packed: bytes) -> bytes:
        """Return those ids of *packed* that the database still holds."""
        flags = np.frombuffer(self.known.find_many(packed), dtype=np.uint8).astype(bool)
        return _chosen_ids(packed, self.size, flags)

    def _reusable(self, previous: ScanState) -> list[Match]:
        """Return the matches of blobs that are still there and of rules that are as they were."""
        packed = b"".join(match.blob for match in previous.matches)
        return [match for match, held in zip(previous.matches, self.known.find_many(packed), strict=True)
                if held and self.digests.get(match.rule_id) == previous.rule_digests.get(match.rule_id)]

    def search_blobs(self) -> None:
        """Read the blobs that have to be read, and search them."""
        old = KnownIds(self.size, limit_bytes=self.database.budget.limit("history"))
        old.add_many(self.old)
        skip = self._skip_index() if self.old and self.changed_engine is None else None
        self.skips_old = skip is not None
        self.progress.stage("scan blobs", self._blob_count(skipped=len(self.old) // self.size if skip is not None else 0))
        for block in iterate_ahead(self.database.walk_objects((Kind.BLOB,), skip=skip)):
            self._search_block(block, old)
            self.database.budget.check("findings", _MATCH_BYTES * len(self.matches))
            self.progress.advance(len(block))

    def _blob_count(self, *, skipped: int) -> int:
        """Return how many blobs the walk gives, 0 where nobody looks: counting reads a header of each."""
        if self.progress is NO_PROGRESS:
            return 0
        return sum(1 for _ in self.database.iter_ids((Kind.BLOB,))) - skipped

    def _search_block(self, block: Any, old: KnownIds) -> None:
        oids = bytes(block.oids)
        was_there = np.frombuffer(old.find_many(oids), dtype=np.uint8).astype(bool)
        sizes = np.asarray(block.ends) - np.asarray(block.starts)
        if not was_there.any():
            self.matches += self.engine.search_block(block)
            self.fresh.append(oids)
        else:
            self.matches += self.engine.search_block(block, np.flatnonzero(~was_there))
            if self.changed_engine is not None:
                self.matches += self.changed_engine.search_block(block, np.flatnonzero(was_there))
            self.fresh.append(_chosen_ids(oids, self.size, ~was_there))
        read = ~was_there if self.changed_engine is None else np.ones(len(sizes), dtype=bool)
        self.blobs_scanned += int(read.sum())
        self.bytes_scanned += int(sizes[read].sum())
        self.metrics.count("scan.blobs", len(sizes))
        self.metrics.count("scan.bytes", int(sizes.sum()))

    def _skip_index(self) -> Any:
        from siltstone._native.spill_index import SpillIndex

        index = SpillIndex(max(16, 2 * (len(self.old) // self.size)), self.size)
        index.put_many(self.old)
        return index

    def result(self) -> ScanResult:
        """Bring together old and new, find where it came from, and note what is missing."""
        matches = sorted([*self.reused, *self.matches])
        blobs = _sorted_ids(b"".join([self.old, *self.fresh]), self.size)
        state = ScanState(self.digests, blobs, tuple(matches), self.size, self.key_check)
        for match in self.reused if self.skips_old else ():  # the walk notes those it comes past
            if match.rule_id == _LFS_RULE.id:
                self.database.ledger.add(Reason.LFS_POINTER, match.blob.hex())
        shown = without_shadowed([match for match in matches if match.rule_id != _LFS_RULE.id], self.rules)
        self.progress.stage("trace history", len(self.known))
        contexts = trace_history(self.database, {match.blob for match in shown}, self.known, progress=self.progress)
        findings = place_findings(shown, self.rules, contexts)
        total = len(blobs) // self.size
        if not total and self.database.ledger.counts().get(Reason.CORRUPT):
            damage = next(gap for gap in self.database.ledger.examples() if gap.reason is Reason.CORRUPT)
            raise CorruptDataError(f"not one blob can be read; {damage.detail or damage.what}",
                                   source=str(self.database.git_dir))
        return ScanResult(findings, state, total, self.blobs_scanned, total - self.blobs_scanned, self.bytes_scanned,
                          self.database.ledger)


def _chosen_ids(packed: bytes, size: int, flags: npt.NDArray[np.bool_]) -> bytes:
    """Return those of *packed* whose flag is set, end to end."""
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, size)[flags].tobytes()


def _sorted_ids(packed: bytes, size: int) -> bytes:
    """Return the ids in order, each once."""
    return b"".join(sorted({ObjectId(packed[at : at + size]) for at in range(0, len(packed), size)}))
