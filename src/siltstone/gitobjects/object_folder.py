"""One object folder: its packs, found again when they change, and its loose objects.

A pack is opened, its index read, when something of it is wanted. Without a multi-pack index that is at once; with one, the
packs it covers wait until it names them, or until an object is found nowhere else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import HashAlgorithm, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.loose import LooseObjects
from siltstone.gitobjects.multi_pack_index import MultiPackIndex, open_multi_pack_indexes
from siltstone.gitobjects.pack_file import DescriptorPool, PackFile
from siltstone.gitobjects.pack_index import held_bytes_of
from siltstone.gitobjects.small_files import require_regular

_CLOCK_STEP_NS = 2_000_000_000  # a folder changed this recently may change again without a new time stamp


class ObjectFolder:
    """Packs and loose objects below one ``objects`` folder. The caller holds the lock."""

    def __init__(
        self, path: Path, algorithm: HashAlgorithm, budget: Budget, ledger: CoverageLedger, pool: DescriptorPool
    ) -> None:
        self.path = path
        self.loose = LooseObjects(path, algorithm, limit_bytes=budget.limit("object"), ledger=ledger)
        self.opened: list[PackFile] = []  # by name
        self._waiting: dict[str, Path] = {}  # packs that a multi-pack index covers, by name
        self._multi: list[MultiPackIndex] = []
        self._algorithm, self._budget, self._ledger, self._pool = algorithm, budget, ledger, pool
        self._reserved: dict[Path, int] = {}
        self._refused: set[Path] = set()
        self._stamp, self._scanned_at = -1, 0
        self.rescan()

    @property
    def promisor(self) -> bool:
        """Whether a pack came from a partial clone: then objects may be missing on purpose."""
        paths = [*self._waiting.values(), *(pack.path for pack in self.opened)]
        return any(path.with_suffix(".promisor").exists() for path in paths)

    def rescan(self) -> bool:
        """Look at the pack folder again where it may have changed; return whether a pack came or went."""
        folder = self.path / "pack"
        try:
            stamp = os.stat(folder).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            stamp = 0
        if stamp == self._stamp and self._scanned_at - stamp > _CLOCK_STEP_NS:
            return False
        self._stamp, self._scanned_at = stamp, time.time_ns()
        try:
            names = sorted(name.removesuffix(".idx") for name in os.listdir(folder) if name.endswith(".idx"))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        self._drop_multi()
        self._multi = open_multi_pack_indexes(folder, self._algorithm, self._note) if len(names) > 1 else []
        return self._take({name: folder / f"{name}.pack" for name in names})

    def open_all(self) -> list[PackFile]:
        """Open every pack that is not open yet; return all by name."""
        for _ in self.open_waiting():
            pass
        return self.opened

    def open_waiting(self) -> Iterator[PackFile]:
        """Open the packs that are not open yet, and yield those."""
        while self._waiting:
            pack = self._open_waiting(next(iter(self._waiting)))
            if pack is not None:
                yield pack
        self._drop_multi()

    def open_pack_of(self, oid: ObjectId) -> PackFile | None:
        """Open the pack that a multi-pack index says has an object, where it was not open yet; None where that is no news."""
        for multi in reversed(self._multi):
            try:
                name = multi.find(oid)
            except CorruptDataError as error:
                self._note(multi.path, str(error))
                self._drop_multi()
                return None
            if name in self._waiting:
                pack = self._open_waiting(name)
                if pack is not None and oid not in pack:
                    self._note(multi.path, f"names objects in {name} that are not there")
                    self._drop_multi()
                return pack
        return None

    def _note(self, path: Path, why: str) -> None:
        self._ledger.note(os.fsencode(path), why)

    def _drop_multi(self) -> None:
        """Ask no multi-pack index from now on; what waits is opened when an object is found nowhere else."""
        for multi in self._multi:
            multi.close()
        self._multi = []

    def _take(self, paths: dict[str, Path]) -> bool:
        """Keep what is open or waits and still there, and let the rest of *paths* wait or open it."""
        before = {pack.path for pack in self.opened} | set(self._waiting.values())
        known = {pack.path: pack for pack in self.opened}
        covered = {name for multi in self._multi for name in multi.packs}
        self.opened, self._waiting = [], {}
        for name, path in paths.items():
            if path in self._refused:
                continue
            if path not in known and name in covered:
                self._waiting[name] = path
                continue
            pack = known.pop(path, None) or self._open(path)
            if pack is not None:
                self.opened.append(pack)
        for gone in known:
            self._release(gone)
        if covered - paths.keys():
            self._note(self._multi[-1].path, "is stale: it covers packs that are not there")
        return before != {pack.path for pack in self.opened} | set(self._waiting.values())

    def _open_waiting(self, name: str) -> PackFile | None:
        pack = self._open(self._waiting[name])  # where the budget refuses it, it goes on waiting
        del self._waiting[name]
        if pack is not None:
            self.opened.append(pack)
            self.opened.sort(key=lambda known: known.path)
        return pack

    def _open(self, path: Path) -> PackFile | None:
        """Return the pack, or None where it vanished meanwhile, or is damaged or out of reach (then the ledger knows)."""
        try:
            require_regular(path.with_suffix(".idx"))
            require_regular(path)
            held = held_bytes_of(path.with_suffix(".idx"), self._algorithm.size)
            self._budget.reserve("pack_index", held)
            self._reserved[path] = held
            return PackFile(
                path, self._algorithm.size, self._pool, limit_bytes=self._budget.limit("object"), note=self._note)
        except FileNotFoundError:
            self._release(path)
        except CorruptDataError as error:
            self._release(path)
            self._refused.add(path)
            self._ledger.add(Reason.CORRUPT, os.fsencode(path), str(error))
        except OSError as error:
            self._release(path)
            self._refused.add(path)
            self._ledger.add(Reason.UNREADABLE, os.fsencode(path), str(error))
        return None

    def _release(self, path: Path) -> None:
        self._budget.release("pack_index", self._reserved.pop(path, 0))

    def close(self) -> None:
        """Give the memory of the indexes back."""
        self._drop_multi()
        for path in list(self._reserved):
            self._release(path)
        self.opened, self._waiting = [], {}
