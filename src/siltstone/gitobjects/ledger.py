"""The coverage ledger: what could not be read, counted by reason, so that a partial result never looks whole."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_EXAMPLES_PER_REASON = 20  # enough to find the cause; the counts stay exact


class Reason(StrEnum):
    """Why something was not read."""

    MISSING = "missing"  # named by another object, in no pack and not loose (partial clone, damage)
    CORRUPT = "corrupt"  # its bytes do not follow the format
    OVERSIZE = "oversize"  # larger than the budget for one item
    SHALLOW_BOUNDARY = "shallow-boundary"  # a commit whose parents were cut off by a shallow clone
    LFS_POINTER = "lfs-pointer"  # the content is kept elsewhere
    SUBMODULE = "submodule"  # another repository
    UNPARSABLE = "unparsable"  # a source file that its grammar or decoder refuses
    UNREADABLE = "unreadable"  # the file system refused (permission, vanished)
    UNSUPPORTED = "unsupported"  # valid, not handled here


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """One thing that was not read; *what* is a path or an object id, escaped so that it prints on one line."""

    reason: Reason
    what: str
    detail: str = ""


class CoverageLedger:
    """Counts gaps by reason and keeps the smallest few of each as examples, in any order of arrival the same.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._counts: dict[Reason, int] = {}
        self._examples: dict[Reason, list[Gap]] = {}
        self._lock = threading.Lock()

    def add(self, reason: Reason, what: bytes | str, detail: str = "") -> None:
        """Note that *what* was not read because of *reason*."""
        name = what.decode("utf-8", "backslashreplace") if isinstance(what, bytes) else what
        gap = Gap(reason, name, detail)
        with self._lock:
            self._counts[reason] = self._counts.get(reason, 0) + 1
            self._keep(gap)

    def merge(self, other: CoverageLedger) -> None:
        """Add everything that *other* noted."""
        with self._lock:
            for reason, count in other.counts().items():
                self._counts[reason] = self._counts.get(reason, 0) + count
            for gap in other.examples():
                self._keep(gap)

    @classmethod
    def restore(cls, told: Mapping[str, Any]) -> CoverageLedger:
        """Return the ledger that `as_dict` told."""
        ledger = cls()
        ledger._counts = {Reason(name): int(count) for name, count in told["counts"].items()}
        for gap in told["examples"]:
            ledger._keep(Gap(Reason(gap["reason"]), gap["what"], gap["detail"]))
        return ledger

    def _keep(self, gap: Gap) -> None:
        kept = self._examples.setdefault(gap.reason, [])
        kept.append(gap)
        kept.sort()
        del kept[_EXAMPLES_PER_REASON:]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing from the result."""
        return not self._counts

    def counts(self) -> dict[Reason, int]:
        """Return how many gaps there are, by reason, sorted."""
        return dict(sorted(self._counts.items()))

    def examples(self) -> Iterable[Gap]:
        """Return the kept gaps, sorted; at most 20 of each reason."""
        return [gap for reason in sorted(self._examples) for gap in self._examples[reason]]

    def as_dict(self) -> dict[str, object]:
        """Return ``complete``, ``counts`` by reason and ``examples``."""
        return {
            "complete": self.complete,
            "counts": {str(reason): count for reason, count in self.counts().items()},
            "examples": [{"reason": str(gap.reason), "what": gap.what, "detail": gap.detail} for gap in self.examples()],
        }
