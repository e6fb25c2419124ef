"""A seeded pack for the suites that need one: files that change a little from version to version, written by git."""

import os
import random
import subprocess
import tempfile
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
}


def make_repository(versions: int, files: int = 20) -> Path:
    """Return a new repository of *versions* commits over *files* files in one pack; the caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="siltstone-bench-"))
    source = random.Random(849_014)
    lines = [[f"{source.getrandbits(64):x} {line}" for line in range(200)] for _ in range(files)]
    stream = []
    for version in range(versions):
        stream.append(f"commit refs/heads/main\ncommitter A <a@example.com> {1_700_000_000 + version} +0000\ndata 1\nx\n")
        for file in range(files):
            lines[file][source.randrange(200)] = f"{source.getrandbits(64):x} {version}"
            body = "\n".join(lines[file])
            stream.append(f"M 100644 inline d{file % 4}/f{file}\ndata {len(body)}\n{body}\n")
    run(folder, "init", "-q", "--bare")
    run(folder, "fast-import", "--quiet", text="".join(stream))
    run(folder, "repack", "-adfq", "--depth=50", "--window=20", "--threads=1")
    return folder


def run(folder: Path, *words: str, text: str = "") -> None:
    subprocess.run(["git", *words], cwd=folder, input=text.encode(), check=True, env=ENVIRONMENT)
