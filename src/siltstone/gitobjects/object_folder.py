"""One object folder: its packs, found again when they change, and its loose objects."""

from __future__ import annotations

import os
import time
from pathlib import Path

from siltstone.core.budget import Budget
from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import HashAlgorithm
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.loose import LooseObjects
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
        self.packs: list[PackFile] = []
        self._algorithm, self._budget, self._ledger, self._pool = algorithm, budget, ledger, pool
        self._reserved: dict[Path, int] = {}
        self._refused: set[Path] = set()
        self._stamp, self._scanned_at = -1, 0
        self.rescan()

    @property
    def promisor(self) -> bool:
        """Whether a pack came from a partial clone: then objects may be missing on purpose."""
        return any(pack.path.with_suffix(".promisor").exists() for pack in self.packs)

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
            names = sorted(name for name in os.listdir(folder) if name.endswith(".idx"))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        return self._take([(folder / name).with_suffix(".pack") for name in names])

    def _take(self, paths: list[Path]) -> bool:
        known = {pack.path: pack for pack in self.packs}
        packs = []
        for path in paths:
            if path in self._refused:
                continue
            pack = known.pop(path, None) or self._open(path)
            if pack is not None:
                packs.append(pack)
        for gone in known:
            self._release(gone)
        changed = [pack.path for pack in packs] != [pack.path for pack in self.packs]
        self.packs = packs
        return changed

    def _open(self, path: Path) -> PackFile | None:
        """Return the pack, or None where it vanished meanwhile, or is damaged or out of reach (then the ledger knows)."""
        try:
            require_regular(path.with_suffix(".idx"))
            require_regular(path)
            held = held_bytes_of(path.with_suffix(".idx"), self._algorithm.size)
            self._budget.reserve("pack_index", held)
            self._reserved[path] = held
            return PackFile(path, self._algorithm.size, self._pool, limit_bytes=self._budget.limit("object"))
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
        for path in list(self._reserved):
            self._release(path)
        self.packs = []
