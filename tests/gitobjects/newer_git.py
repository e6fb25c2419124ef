"""A git newer than the system's where there is one: some formats cannot be written with the git of a stable distribution.

``SILTSTONE_NEWER_GIT`` names the program (``.ci/newer_git`` installs one); else the git on the path, if it is new enough.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import GIT_ENVIRONMENT

_NAMED = os.environ.get("SILTSTONE_NEWER_GIT", "none")  # none: there is no other than the one on the path
PROGRAM = (_NAMED if _NAMED != "none" else shutil.which("git")) or "git"


def require_git(*version: int) -> str:
    """Return the program of a git that is at least *version*, or skip."""
    text = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < version:
        pytest.skip(f"needs git {'.'.join(map(str, version))}, found {text.strip()} (SILTSTONE_NEWER_GIT)")
    return PROGRAM


def run_newer(folder: Path, *words: str, data: bytes = b"") -> bytes:
    """Return what the newer git prints in *folder*."""
    done = subprocess.run(
        [PROGRAM, "-c", "gc.auto=0", "-c", "init.defaultBranch=main", *words], cwd=folder, input=data,
        capture_output=True, timeout=60, env=GIT_ENVIRONMENT, check=False,
    )
    assert done.returncode == 0, (words, done.stderr.decode("utf-8", "replace"))
    return done.stdout
