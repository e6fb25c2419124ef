"""Memory pressure is read from what Linux tells; what it does not tell is silent, and nonsense is no pressure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.core.memory_pressure import MemoryState, PressureLimits, read_memory_state

CALM = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\n"
GROUP = Path("/sys/fs/cgroup/a/b")


def system(**files: str):
    """Return a reader of a machine that has just these files, named by their last words."""
    paths = {
        "pressure": Path("/proc/pressure/memory"), "meminfo": Path("/proc/meminfo"), "own": Path("/proc/self/cgroup"),
        "current": GROUP / "memory.current", "high": GROUP / "memory.high", "max": GROUP / "memory.max",
        "parent_current": GROUP.parent / "memory.current", "parent_max": GROUP.parent / "memory.max",
    }
    contents = {paths[name]: text for name, text in files.items()}

    def read_text(path: Path) -> str:
        if path not in contents:
            raise FileNotFoundError(path)
        return contents[path]

    return read_text


def test_everything_that_is_told_is_read():
    state = read_memory_state(system(
        pressure=CALM.replace("some avg10=0.00", "some avg10=12.50"), meminfo=MEMINFO, own="1:name=x:/\n0::/a/b\n",
        current="300\n", high="400\n", max="max\n", parent_current="700\n", parent_max="1000\n"))
    assert state == MemoryState(stalled_percent=12.5, available_share=0.25, group_used_share=0.75)


def test_the_tightest_group_counts():
    state = read_memory_state(system(own="0::/a/b\n", current="300", high="max", max="1000", parent_current="950",
                                     parent_max="1000"))
    assert state.group_used_share == 0.95


@pytest.mark.parametrize("files", [
    {}, {"own": "0::/a/b\n"}, {"own": "0::/a/b\n", "current": "5"}, {"own": "4:memory:/old\n"}, {"pressure": "full avg10=1"},
    {"meminfo": "MemTotal: 0 kB\nMemAvailable: 5 kB"}, {"own": "0::/../..\n", "current": "7"},
])
def test_what_is_not_told_is_silent(files):
    state = read_memory_state(system(**files))
    assert state == MemoryState()
    assert not PressureLimits().are_passed_by(state)


@given(st.text(), st.text(), st.text(), st.text())
def test_nonsense_never_raises(pressure, meminfo, own, current):
    read_memory_state(system(pressure=pressure, meminfo=meminfo, own=own, current=current, high=current))


@pytest.mark.parametrize(("state", "short"), [
    (MemoryState(stalled_percent=5.1), True), (MemoryState(stalled_percent=5.0), False),
    (MemoryState(available_share=0.04), True), (MemoryState(available_share=0.05), False),
    (MemoryState(group_used_share=0.91), True), (MemoryState(group_used_share=0.90), False),
    (MemoryState(stalled_percent=0.0, available_share=0.9, group_used_share=0.99), True),
])
def test_any_one_sign_is_enough(state, short):
    assert PressureLimits().are_passed_by(state) == short


def test_this_machine_answers():
    assert isinstance(read_memory_state(), MemoryState)
