"""Peak memory is this process's own peak, and a child's is added."""

from __future__ import annotations

import subprocess
import sys

import pytest

from siltstone.core import memory
from siltstone.core.budget import MIB

pytestmark = pytest.mark.skipif(not memory.available(), reason="needs /proc of Linux")


def test_peak_sees_what_was_touched_and_can_start_anew() -> None:
    memory.reset_peak()
    before = memory.peak_resident_bytes()
    block = bytearray(b"x" * (64 * MIB))
    after = memory.peak_resident_bytes()
    assert after - before > 48 * MIB
    del block


def test_tree_peak_adds_children() -> None:
    code = "import time; block = bytearray(b'x' * (64 << 20)); print('ready', flush=True); input()"
    with memory.TreeMemory() as tree:
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        own = memory.peak_resident_bytes()
        for _ in range(200):  # until the sampler has looked once; each round is one real read of /proc
            if tree.peak_bytes > own:
                break
            child.poll()
            memory.children_of(child.pid)
            tree._stop.wait(0.02)
        child.communicate(b"\n", timeout=30)
    assert tree.peak_bytes > 64 * MIB
