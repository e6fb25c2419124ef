"""Random histories made with ``git fast-import``, and what the git CLI says about them."""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from siltstone.core.budget import Budget
from siltstone.gitobjects.ids import ALGORITHMS, HashAlgorithm
from siltstone.gitobjects.object_database import ObjectDatabase
from tests.conftest import GIT_ENVIRONMENT

FORMATS = ("sha1", "sha256")
STRANGE_NAMES = [
    b"plain", b"a", b"a.c", b"a0", b"with space", b'quote"d', b"new\nline", b"tab\tbed", b"\xff\xfe", b"caf\xc3\xa9",
    b"back\\slash", b"-dash", b"z" * 60,
]


def run_git(folder: Path, *words: str, data: bytes = b"") -> bytes:
    """Return what git prints in *folder*."""
    done = subprocess.run(
        ["git", "-c", "gc.auto=0", "-c", "core.quotePath=true", "-c", "protocol.file.allow=always", *words],
        cwd=folder, input=data, capture_output=True, timeout=60, env=GIT_ENVIRONMENT, check=False,
    )
    assert done.returncode == 0, (words, done.stderr.decode("utf-8", "replace"))
    return done.stdout


def make_bare(folder: Path, format_name: str) -> Path:
    """Return an empty bare repository."""
    folder.mkdir(parents=True)
    run_git(folder, "init", "-q", "--bare", "-b", "main", f"--object-format={format_name}")
    return folder


def quoted(path: bytes) -> bytes:
    """Return *path* as fast-import reads it in quotes."""
    return b'"' + b"".join(
        bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in path
    ) + b'"'


@dataclass
class Writer:
    """Builds a fast-import stream of random commits on some branches."""

    seed: int
    algorithm: HashAlgorithm
    lines: list[bytes] = field(default_factory=list)
    mark: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def path(self) -> bytes:
        """Return a path of one to four strange names."""
        return b"/".join(self.rng.choice(STRANGE_NAMES) for _ in range(self.rng.randint(1, 4)))

    def edit(self, paths: list[bytes]) -> bytes:
        """Return one change of a tree; *paths* are what earlier edits wrote, some may be gone."""
        choice = self.rng.random()
        known = self.rng.choice(paths) if paths else self.path()
        target = known if self.rng.random() < 0.4 else self.path()
        if choice < 0.15 and paths:
            return b"D " + quoted(known) + b"\n"
        paths.append(target)
        if choice < 0.25:
            return b"M 160000 " + self.rng.randbytes(self.algorithm.size).hex().encode() + b" " + quoted(target) + b"\n"
        mode = self.rng.choice([b"100644", b"100644", b"100755", b"120000"])
        content = b"content %d\n" % self.rng.randint(0, 40)
        return b"M " + mode + b" inline " + quoted(target) + b"\ndata %d\n" % len(content) + content + b"\n"

    def commit(self, branch: int, parents: list[int], time: int, paths: list[bytes]) -> int:
        """Add a commit and return its mark."""
        self.mark += 1
        self.lines.append(b"commit refs/heads/b%d\nmark :%d\n" % (branch, self.mark))
        self.lines.append(b"committer C <c@example.com> %d +0000\ndata 2\nm\n\n" % time)
        for position, parent in enumerate(parents):
            self.lines.append((b"merge" if position else b"from") + b" :%d\n" % parent)
        if self.rng.random() < 0.05:
            self.lines.append(b"deleteall\n")
        self.lines.extend(self.edit(paths) for _ in range(self.rng.randint(0, 5)))
        self.lines.append(b"\n")
        return self.mark


def make_history(folder: Path, format_name: str, seed: int, commits: int = 60, *, distinct_times: bool = False) -> Path:
    """Return a bare repository with *commits* random commits: branches, merges, skewed clocks, type changes, submodules."""
    repository = make_bare(folder, format_name)
    writer = Writer(seed, ALGORITHMS[format_name])
    rng, tips, paths, time = writer.rng, {}, [], 1_600_000_000
    for _ in range(commits):
        time += rng.randint(1, 5_000) if distinct_times else rng.choice([0, 0, 60, 60, -90, 3600])
        branch = rng.randint(0, 3)
        parents = [tips[branch]] if branch in tips else []
        if not parents and tips and rng.random() < 0.7:
            parents = [rng.choice(list(tips.values()))]
        others = sorted({mark for mark in tips.values() if mark not in parents})
        if parents and others and rng.random() < 0.3:
            parents += rng.sample(others, rng.randint(1, min(2, len(others))))
        tips[branch] = writer.commit(branch, parents, time, paths)
    run_git(repository, "fast-import", "--quiet", "--force", data=b"".join(writer.lines))
    run_git(repository, "symbolic-ref", "HEAD", f"refs/heads/b{min(tips)}")
    return repository


def open_database(path: Path, budget: Budget | None = None) -> ObjectDatabase:
    """Return the objects of *path*, a context manager."""
    return ObjectDatabase.open(path, budget=budget)
