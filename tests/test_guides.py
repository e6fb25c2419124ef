"""The examples of docs/guide run: a page is one program, from top to bottom, in an empty folder of its own.

Blocks marked ``python`` are its statements; of blocks marked ``console`` every line that begins with ``$ `` is a command for
bash that must succeed, with ``silt`` being this checkout's. What a command prints is not compared. A block marked otherwise
(``text``, ``json``) is not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))

_FENCE = re.compile(r"( *)```\s*(\w*)")

_RUNNER = """
import subprocess, sys
def run_command(line):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, f"exit code {done.returncode}: {line}"
page = sys.argv[1]
exec(compile(sys.stdin.read(), page, "exec"), {"__name__": "__main__", "run_command": run_command})
"""


def program_of(page: str) -> str:
    """Return the program of *page*: every statement and command stands on the line that it has in the page."""
    lines: list[str] = []
    kind, indent = "", 0
    for line in page.splitlines():
        fence = _FENCE.match(line)
        if fence:
            kind, indent = ("" if kind else fence[2] or "text"), len(fence[1])
            lines.append("")
        elif kind == "python":
            lines.append(line[indent:])
        elif kind == "console" and line[indent:].startswith("$ "):
            lines.append(f"run_command({line[indent + 2:]!r})")
        else:
            lines.append("")
    assert not kind, "a block is not closed"
    return "\n".join(lines) + "\n"


def run_page(name: str, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *program* in *folder*, with a ``silt`` on the path."""
    tools, work = folder / "tools", folder / "work"
    tools.mkdir()
    work.mkdir()
    silt = tools / "silt"
    silt.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m siltstone.cli.main "$@"\n')
    silt.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(work), "NO_COLOR": "1"}
    return subprocess.run([sys.executable, "-P", "-W", "error", "-c", _RUNNER, name], cwd=work, input=program, text=True,
                          env=environment, capture_output=True, timeout=100, check=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    program = program_of(page.read_text("utf-8"))
    if program.strip():
        done = run_page(page.name, program, tmp_path)
        assert done.returncode == 0, done.stderr[-4000:]


def test_a_page_is_one_program_whose_lines_are_those_of_the_page(tmp_path: Path) -> None:
    page = ("# Title\n```python\nsize = 3\n```\n```text\nnot run\n```\n- item\n  ```python\n  open('f', 'w').write('x' * size)"
            "\n  ```\n```console\n$ test \"$(wc -c < f)\" = 3 && silt --version\nsiltstone 0\n```\n```python\nmissing\n```\n")
    done = run_page("page.md", program_of(page), tmp_path)
    assert 'File "page.md", line 17' in done.stderr
    assert "NameError" in done.stderr
    assert done.stdout.startswith("siltstone")


def test_a_command_that_fails_fails_the_page(tmp_path: Path) -> None:
    done = run_page("page.md", program_of("```console\n$ silt chunk-nothing | cat\n```\n"), tmp_path)
    assert done.returncode != 0
    assert "exit code 1: silt chunk-nothing" in done.stderr
