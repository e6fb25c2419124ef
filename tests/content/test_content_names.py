"""Importing the content layer loads what is asked for, and no more. Its names are locked in tests/test_public_names.py."""

import subprocess
import sys


def test_cutting_loads_no_heavy_library():
    code = "import sys; from siltstone.content import cut_offsets; cut_offsets(b'x'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"numpy", "blake3", "zstandard"} & set(done.stdout.split())
