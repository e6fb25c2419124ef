"""Whether a repository is sound: every file by its checksums, every copy of every object by its id, and, where asked, whether
all that objects and references name is there. Nothing is written and nothing is repaired.

Unlike ``git fsck`` the links of objects that nothing reaches are followed too, and the style of objects (sorted trees, well
formed identities) is not judged.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.gitobjects.accelerator_checks import check_commit_graph, check_multi_pack_indexes
from siltstone.gitobjects.file_checks import check_chain, check_pack, check_reverse_index, check_trailer, text_of
from siltstone.gitobjects.folder_files import FolderFiles, list_folder_files
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.ledger import CoverageLedger, Gap, Reason
from siltstone.gitobjects.link_checks import LinkChecker
from siltstone.gitobjects.object_block import ObjectBlock
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.object_folder import ObjectFolder
from siltstone.gitobjects.pack_file import PackFile
from siltstone.gitobjects.walk_options import available_cores

_MOST_PROBLEMS = 10_000  # told one by one; the count stays exact
_CHAINS = {"commit-graph-chain": "graph-%s.graph", "multi-pack-index-chain": "multi-pack-index-%s.midx"}
_LABELS = {int(kind): kind.label for kind in Kind}
_FAULTS = frozenset({Reason.CORRUPT, Reason.UNREADABLE, Reason.MISSING})


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, and where: *place* is a file or an object id."""

    place: str
    what: str


@dataclass(slots=True)
class ObjectsReport:
    """What `verify_objects` checked and found. *oversize* objects were larger than the budget and not checked."""

    objects: int = 0
    content_bytes: int = 0
    files: int = 0
    links_checked: bool = False
    problem_count: int = 0
    promised: int = 0
    oversize: int = 0
    _problems: list[Problem] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, and nothing was left unchecked."""
        return not self.problem_count and not self.oversize

    @property
    def problems(self) -> list[Problem]:
        """The problems, sorted; 10,000 at most."""
        return sorted(self._problems)

    def add(self, place: str | Path, what: str) -> None:
        """Note one problem; safe from any thread."""
        with self._lock:
            self.problem_count += 1
            if len(self._problems) < _MOST_PROBLEMS:
                self._problems.append(Problem(str(place), what))

    def count(self, objects: int, content_bytes: int) -> None:
        """Note that so much was checked; safe from any thread."""
        with self._lock:
            self.objects += objects
            self.content_bytes += content_bytes

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "sound": self.sound, "objects": self.objects, "content_bytes": self.content_bytes, "files": self.files,
            "links_checked": self.links_checked, "promised": self.promised, "oversize": self.oversize,
            "problem_count": self.problem_count,
            "problems": [{"place": problem.place, "what": problem.what} for problem in self.problems],
        }


class _ReportLedger(CoverageLedger):
    """A ledger that tells a report every gap at once."""

    def __init__(self, report: ObjectsReport) -> None:
        super().__init__()
        self._report = report

    def add(self, reason: Reason, what: bytes | str, detail: str = "") -> None:
        name = what.decode("utf-8", "backslashreplace") if isinstance(what, bytes) else what
        if reason in _FAULTS:
            self._report.add(name, detail)
        elif reason is Reason.OVERSIZE:
            self._report.oversize += 1
        super().add(reason, what, detail)


def verify_objects(
    db: ObjectDatabase, *, links: bool = False, threads: int | None = None, progress: Progress = NO_PROGRESS
) -> ObjectsReport:
    """Check files, then objects, and with *links* that what they name is there; return what was found.

    *threads* hash objects (None: one for each processor), each with its own share of the delta trees. An object larger than
    the budget ``object`` is counted as oversize. Links take 60 bytes an object (SHA-1) from the budget ``history``.
    """
    report = ObjectsReport(links_checked=links)
    packs = {pack.path: pack for pack in db.packs()}
    _tell_gaps(db.ledger.examples(), report)  # what opening the repository found
    paths = [path for folder in db.folders for path in _iter_paths(list_folder_files(folder.path, 2 * db.algorithm.size))]
    progress.stage("files", sum(map(_size_of, paths)))
    for path in paths:
        _check_file(db, path, packs.get(path.with_suffix(".pack")), report, progress)
    _check_accelerators(db, packs, report)
    told = set(db.ledger.examples())  # of opening, or by a walk that is done again
    with ExitStack() as held:
        checker = held.enter_context(LinkChecker.open(db)) if links else None
        _check_packed(db, threads or available_cores(), checker, report, progress)
        for folder in db.folders:
            _check_loose(db, folder, checker, report, progress)
        if checker is not None:
            _tell_absent(db, checker, report)
    _tell_gaps(set(db.ledger.examples()) - told, report)
    return report


def _tell_gaps(gaps: Iterable[Gap], report: ObjectsReport) -> None:
    for gap in sorted(gaps):
        if gap.reason in _FAULTS:
            report.add(gap.what, gap.detail)


def _check_accelerators(db: ObjectDatabase, packs: dict[Path, PackFile], report: ObjectsReport) -> None:
    """Hold what makes reading faster to what it was made from, but for files that are known to be damaged."""
    damaged = {problem.place for problem in report.problems}
    checks = [*(check_multi_pack_indexes(folder, packs, db) for folder in db.folders), check_commit_graph(db)]
    for check in checks:
        try:
            for path, what in check:
                if str(path) not in damaged:
                    report.add(path, what)
        except FileNotFoundError:  # rewritten meanwhile
            continue
        except OSError as error:
            if str(error.filename) not in damaged:
                report.add(error.filename or "accelerator", str(error))
        except BudgetExceeded:
            report.oversize += 1


def _iter_paths(files: FolderFiles) -> Iterator[Path]:
    for pack, parts in files.packs.items():
        yield from (pack.with_suffix(f".{part}") for part in sorted(parts - {"keep", "promisor"}))
    yield from files.shared


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # repacked meanwhile
        return 0


def _check_file(db: ObjectDatabase, path: Path, pack: PackFile | None, report: ObjectsReport, progress: Progress) -> None:
    """Check one file; *pack* is the one it belongs to, None where it belongs to none or that one cannot be opened."""
    try:
        if path.name in _CHAINS:
            borrowed = [folder.path / "info" / path.parent.name for folder in db.folders]  # commit-graphs may be split so
            found = [*check_chain(path, _CHAINS[path.name], borrowed)]
        elif path.suffix == ".pack" and pack is not None:
            found = [*check_pack(pack, db.algorithm, progress)]
        else:
            found = [*check_trailer(path, db.algorithm, progress)]
            if path.suffix == ".rev" and pack is not None:
                found += check_reverse_index(pack, path, db.algorithm)
    except FileNotFoundError:  # repacked meanwhile
        return
    except CorruptDataError as error:
        found = [text_of(error)]
    except OSError as error:
        found = [str(error)]
    report.files += 1
    for what in found:
        report.add(path, what)


def _check_packed(
    db: ObjectDatabase, threads: int, checker: LinkChecker | None, report: ObjectsReport, progress: Progress
) -> None:
    parts = db.walk_copies(threads, _ReportLedger(report), progress=progress)
    stop = threading.Event()

    def check(part: Iterator[ObjectBlock]) -> None:
        try:
            for block in part:
                if stop.is_set():
                    return
                _check_block(block, db.algorithm.name, report)
                if checker is not None:
                    checker.check(block)
        except BaseException:  # the other threads need not finish what nobody will see
            stop.set()
            raise

    with ThreadPoolExecutor(len(parts), thread_name_prefix="siltstone-verify") as pool:
        for outcome in [pool.submit(check, part) for part in parts]:
            outcome.result()


def _check_block(block: ObjectBlock, algorithm: str, report: ObjectsReport) -> None:
    """Hold each object of *block* to its id; hashing lets other threads run from 2 KiB on."""
    new = getattr(hashlib, algorithm)
    data, oids, size = block.data, block.oids, block.id_size
    starts, ends, kinds = block.starts.tolist(), block.ends.tolist(), block.kinds.tolist()
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        hasher = new(b"%s %d\0" % (_LABELS[kinds[i]], end - start), usedforsecurity=False)
        hasher.update(data[start:end])
        oid = oids[i * size : (i + 1) * size]
        if hasher.digest() != oid:
            report.add(oid.hex(), f"its content has the id {hasher.hexdigest()}")
    report.count(len(block), block.size)


def _check_loose(
    db: ObjectDatabase, folder: ObjectFolder, checker: LinkChecker | None, report: ObjectsReport, progress: Progress
) -> None:
    for oid in folder.loose.iter_ids():
        progress.check()
        try:
            found = folder.loose.read(oid)
        except CorruptDataError as error:
            report.add(oid.hex(), f"loose: {text_of(error)}")
            continue
        except BudgetExceeded:
            report.oversize += 1
            continue
        except OSError as error:
            report.add(oid.hex(), f"loose: {error}")
            continue
        if found is None:
            if folder.loose.path_of(oid).exists():  # else it was packed meanwhile
                report.add(oid.hex(), "loose: not a file")
            continue
        kind, content = found
        named = db.algorithm.object_id(kind, content)
        if named != oid:
            report.add(oid.hex(), f"loose: its content has the id {named.hex()}")
        report.count(1, len(content))
        if checker is not None:
            checker.check_one(oid, kind, content)


def _tell_absent(db: ObjectDatabase, checker: LinkChecker, report: ObjectsReport) -> None:
    try:
        targets = {**db.refs(), **db.heads()}
    except (CorruptDataError, UnsupportedError, OSError) as error:
        report.add("references", str(error))
        targets = {}
    for name, oid in targets.items():
        if not checker.holds(oid) and oid not in checker.promised():
            report.add(oid.hex(), f"missing, {name.decode('utf-8', 'backslashreplace')} names it")
    for problem in checker.problems():
        report.add(problem[0], problem[1])
    report.promised += len(checker.promised())
    for oid in checker.absent():
        report.add(oid.hex(), "missing, another object names it")
