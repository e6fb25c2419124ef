"""The coverage ledger: what could not be read, counted by reason, so that a partial result never looks whole.

Notes stand beside the gaps: what was passed over without loss, such as a damaged accelerator.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_EXAMPLES_PER_REASON = 20  # enough to find the cause; the counts stay exact
_MOST_NOTES = 1_000


class Reason(StrEnum):
    """Why something was not read."""

    MISSING = "missing"  # named by another object, in no pack and not loose: damage
    PROMISED = "promised"  # left out of a partial clone on purpose: whoever it was cloned from has it
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
        self._notes: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def note(self, what: bytes | str, detail: str) -> None:
        """Tell that *what*, which only makes reading faster, was ignored because of *detail*; the result stays complete."""
        name = what.decode("utf-8", "backslashreplace") if isinstance(what, bytes) else what
        with self._lock:
            if len(self._notes) < _MOST_NOTES:
                self._notes.add((name, detail))

    def notes(self) -> list[tuple[str, str]]:
        """Return what was ignored without loss and why, sorted; each once, at most 1,000."""
        with self._lock:
            return sorted(self._notes)

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
        for what, detail in other.notes():
            self.note(what, detail)

    @classmethod
    def restore(cls, told: Mapping[str, Any]) -> CoverageLedger:
        """Return the ledger that `as_dict` told."""
        ledger = cls()
        ledger._counts = {Reason(name): int(count) for name, count in told["counts"].items()}
        for gap in told["examples"]:
            ledger._keep(Gap(Reason(gap["reason"]), gap["what"], gap["detail"]))
        ledger._notes = {(note["what"], note["detail"]) for note in told.get("notes", ())}
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
        """Return ``complete``, ``counts`` by reason, ``examples``, and ``notes`` where there are any."""
        notes = [{"what": what, "detail": detail} for what, detail in self.notes()]
        told: dict[str, object] = {
            "complete": self.complete,
            "counts": {str(reason): count for reason, count in self.counts().items()},
            "examples": [{"reason": str(gap.reason), "what": gap.what, "detail": gap.detail} for gap in self.examples()],
        }
        return told | {"notes": notes} if notes else told
