"""Whether the system runs short of memory, so that buffers can shrink before somebody is killed.

Three signs, the worst of them counts: stalls (Linux pressure stall information), memory that is still available, and the
limit of the control group, version 2.  Where a file is missing its sign is silent; elsewhere than on Linux all are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PRESSURE = Path("/proc/pressure/memory")
_MEMINFO = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """What the system tells: *stalled_percent* of the last 10 seconds, and two shares from 0 to 1; None is not told."""

    stalled_percent: float | None = None
    available_share: float | None = None
    group_used_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureLimits:
    """From where on memory counts as short."""

    stalled_percent: float = 5.0  # work lost more than a twentieth of its time to waiting for memory
    available_share: float = 0.05
    group_used_share: float = 0.90  # of memory.high, where the kernel begins to slow the group down, else of memory.max

    def are_passed_by(self, state: MemoryState) -> bool:
        """Return whether any sign of *state* says that memory is short."""
        stalled, available, used = state.stalled_percent, state.available_share, state.group_used_share
        return (
            (stalled is not None and stalled > self.stalled_percent)
            or (available is not None and available < self.available_share)
            or (used is not None and used > self.group_used_share)
        )


def read_memory_state(read_text: Callable[[Path], str] = Path.read_text) -> MemoryState:
    """Return what the system tells now; *read_text* stands for the file system."""

    def lines_of(path: Path) -> list[str]:
        try:
            return read_text(path).splitlines()
        except (OSError, UnicodeDecodeError):  # no such file here, or not for us: this sign is silent
            return []

    return MemoryState(
        stalled_percent=_stalled_percent(lines_of(_PRESSURE)),
        available_share=_available_share(lines_of(_MEMINFO)),
        group_used_share=_group_used_share(lines_of),
    )


def _stalled_percent(lines: list[str]) -> float | None:
    """Parse ``some avg10=0.00 avg60=…`` (Documentation/accounting/psi.rst)."""
    for line in lines:
        words = line.split()
        if words[:1] == ["some"]:
            return next((_number(word[6:]) for word in words if word.startswith("avg10=")), None)
    return None


def _available_share(lines: list[str]) -> float | None:
    fields = {words[0]: _number(words[1]) for line in lines if len(words := line.split()) >= 2}
    available, total = fields.get("MemAvailable:"), fields.get("MemTotal:")
    return available / total if available is not None and total else None


def _group_used_share(lines_of: Callable[[Path], list[str]]) -> float | None:
    """Read ``memory.current`` over ``memory.high`` or ``memory.max``, the tightest of this group and those above it."""
    own = next((line[3:] for line in lines_of(_OWN_GROUP) if line.startswith("0::")), None)
    if own is None:
        return None
    folder = _GROUPS / own.strip("/")
    shares: list[float] = []
    while True:
        used = _first_number(lines_of(folder / "memory.current"))
        limits = [_first_number(lines_of(folder / name)) for name in ("memory.high", "memory.max")]
        shares.extend(used / limit for limit in limits if used is not None and limit)
        if folder == _GROUPS or _GROUPS not in folder.parents:
            return max(shares, default=None)
        folder = folder.parent


def _first_number(lines: list[str]) -> float | None:
    return _number(lines[0]) if lines else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "max": no limit
        return None
