"""Ignore rules, against ``git check-ignore``."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from siltstone.gitobjects.ignore import IgnoreFile, IgnoreRules
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.worktree import WorkTree
from tests.gitobjects.histories import run_git

NAMES = [b"a", b"b", b"ab", b"a.c", b"b.c", b"abc", b"A", b".x", b"a b", b"-", b"]", b"!a", b"#a", b"a\\b", b"\xff", b"x1"]
PIECES = [
    b"a", b"b", b"ab", b"*", b"**", b"***", b"?", b"[ab]", b"[!a]", b"[^b]", b"[a-c]", b"[]a]", b"[!]]", b"[[:alpha:]]",
    b"*.c",
    b"a*", b"*b", b"a*c", b"[a", b"\\a", b"\\*", b"\\!a", b"\\#a", b"!a", b"#a", b"a ", b"a\\ ", b".x", b".*", b"a**c",
    b"x[0-9]",
    b"[[:digit:][:lower:]]", b"[z-a]", b"[a-]", b"[-a]", b"\xff", b"[\\]]", b"a\\\\b", b"[[:nope:]]", b"x\\", b"",
]


def random_pattern(rng: random.Random) -> bytes:
    text = b"/".join(rng.choice(PIECES) for _ in range(rng.choice([1, 1, 1, 2, 2, 3])))
    return (
        rng.choice([b"", b"", b"", b"!"]) + rng.choice([b"", b"", b"/"]) + text + rng.choice([b"", b"", b"/", b" ", b"\r"])
    )


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(12))
def test_single_patterns_agree_with_git(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    run_git(tmp_path, "init", "-q")
    folders = [[rng.choice(NAMES) for _ in range(rng.randint(1, 3))] for _ in range(12)]
    paths = sorted({b"/".join(parts) for parts in folders})
    for _ in range(8):
        pattern = random_pattern(rng)
        (tmp_path / ".gitignore").write_bytes(pattern + b"\n")
        asked = b"\0".join(paths)
        printed = run_git_tolerant(tmp_path, asked)
        rules = IgnoreRules().below(0, pattern + b"\n")
        for path in paths:
            parts = path.split(b"/")
            ours = any(rules.ignores(parts[:size], is_folder=size < len(parts)) for size in range(1, len(parts) + 1))
            assert ours == (path in printed), (pattern, path)


def run_git_tolerant(folder: Path, asked: bytes) -> set[bytes]:
    """Return the paths that git ignores; git exits with 1 where there is none."""
    import subprocess

    from tests.conftest import GIT_ENVIRONMENT

    done = subprocess.run(
        ["git", "check-ignore", "-z", "--no-index", "--stdin"], cwd=folder, input=asked, capture_output=True, timeout=60,
        env=GIT_ENVIRONMENT, check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.split(b"\0")) - {b""}


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(8))
def test_walks_agree_with_git(tmp_path: Path, seed: int) -> None:
    rng = random.Random(1_000 + seed)
    run_git(tmp_path, "init", "-q")
    root = os.fsencode(tmp_path)
    for _ in range(40):
        parts = [rng.choice(NAMES) for _ in range(rng.randint(1, 4))]
        path = os.path.join(root, *parts)
        if not os.path.exists(path) and all(os.path.isdir(up) or not os.path.lexists(up) for up in above(root, parts)):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(os.fsdecode(path)).write_bytes(b"")
    for folder, _, _ in list(os.walk(root)):
        if b".git" not in folder.split(b"/") and rng.random() < 0.6:
            lines = b"\n".join(random_pattern(rng) for _ in range(rng.randint(1, 4)))
            Path(os.fsdecode(folder), ".gitignore").write_bytes(lines)
    (tmp_path / ".git" / "info").mkdir(exist_ok=True)
    (tmp_path / ".git" / "info" / "exclude").write_bytes(random_pattern(rng) + b"\n" + random_pattern(rng))
    printed = run_git(tmp_path, "ls-files", "-z", "--others", "--exclude-standard").split(b"\0")[:-1]
    with ObjectDatabase.open(tmp_path) as db, WorkTree(db, "walk") as tree:
        assert [file.path for file in tree.list_files()] == sorted(printed)


def above(root: bytes, parts: list[bytes]) -> list[bytes]:
    return [os.path.join(root, *parts[:size]) for size in range(1, len(parts))]


def test_a_hostile_pattern_takes_no_time() -> None:
    rules = IgnoreFile(b"a*" * 60 + b"b\n" + b"**/a/" * 40 + b"b\n")
    started = time.process_time()
    rules.decide([b"a" * 255], is_folder=False)
    rules.decide([b"a"] * 250, is_folder=False)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(("text", "path", "expected"), [
    (b"\xef\xbb\xbfa\n", b"a", True),
    (b"a\n!a\n", b"a", False),
    (b"!a\n", b"a", False),
    (b"# a\n", b"# a", None),
    (b"/\n", b"a", None),
    (b"a\r\n", b"a", True),
])
def test_lines_of_a_file(text: bytes, path: bytes, expected: bool | None) -> None:
    assert IgnoreFile(text).decide(path.split(b"/"), is_folder=False) is expected
