"""Peak memory of this process and of the processes below it, as Linux counts it.

A fresh process: VmHWM.  Several at once: sampled PSS, so shared pages count once.  A stage: write 5 to
``/proc/self/clear_refs`` and read VmHWM after.  Never ``ru_maxrss`` of a child, which inherits its parent's peak.
Elsewhere than on Linux every figure is 0 and `available` is False: a figure we cannot stand behind is not given.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path

_PROC = Path("/proc")
_SAMPLE_SECONDS = 0.05


def available() -> bool:
    """Return whether this system tells the figures."""
    return (_PROC / "self" / "status").exists()


def _status_bytes(process: str, field: str) -> int:
    try:
        lines = (_PROC / process / "status").read_text().splitlines()
    except OSError:  # the process ended between the listing and the read
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(field + ":")), 0)


def peak_resident_bytes() -> int:
    """Return VmHWM of this process since it started or since `reset_peak`."""
    return _status_bytes("self", "VmHWM")


def reset_peak() -> None:
    """Let `peak_resident_bytes` start anew from what is resident now; where the system refuses, the old peak stays."""
    try:
        (_PROC / "self" / "clear_refs").write_text("5")
    except OSError:
        return


def children_of(process: int) -> list[int]:
    """Return the ids of all living descendants of *process*."""
    found, open_list = [], [process]
    while open_list:
        below = _direct_children(open_list.pop())
        found.extend(below)
        open_list.extend(below)
    return found


def _direct_children(process: int) -> list[int]:
    below: list[int] = []
    try:
        for task in os.listdir(_PROC / str(process) / "task"):
            below.extend(int(word) for word in (_PROC / str(process) / "task" / task / "children").read_text().split())
    except OSError:  # the process or the thread ended while we looked
        return below
    return below


def _proportional_bytes(process: int) -> int:
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


class TreeMemory:
    """Samples the memory of this process and its descendants from a thread; `peak_bytes` is the largest sum.

    With no child alive a sample costs one small read; the own peak is exact (VmHWM), the tree's is sampled PSS.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_stopped, name="siltstone-memory", daemon=True)

    def __enter__(self) -> TreeMemory:
        if available():
            reset_peak()
            self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.peak_bytes = max(self.peak_bytes, peak_resident_bytes())

    def _sample_until_stopped(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            below = children_of(os.getpid())
            if below:
                total = sum(_proportional_bytes(process) for process in (os.getpid(), *below))
                self.peak_bytes = max(self.peak_bytes, total)


def return_free_memory() -> None:
    """Give pages that the C allocator keeps for later back to the system, where it can (glibc); costs milliseconds.

    Large blocks come and go in stages of a walk, and glibc keeps ever larger ones once such a block was freed.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
