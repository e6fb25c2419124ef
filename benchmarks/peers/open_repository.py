"""What opening the object database of a repository costs, with its reverse indexes and without: CPU seconds and peak memory.

    python benchmarks/peers/open_repository.py REPOSITORY [--rounds 5]

Each opening runs in a process of its own, in turns (A B A B); the indexes are copied, the packs linked, so nothing is written
to the repository.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OPEN = """
import sys, time
from siltstone.gitobjects import ObjectDatabase
before = time.process_time()
with ObjectDatabase.open(sys.argv[1]) as database:
    objects = sum(len(pack) for pack in database.packs())
spent = time.process_time() - before
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(objects, spent, peak)
"""


def copy_of(repository: Path, folder: Path, *, with_reverse: bool) -> Path:
    """Return a bare repository in *folder* with the packs of *repository*."""
    objects = next(path for path in (repository / "objects", repository / ".git" / "objects") if path.is_dir())
    place = folder / "objects" / "pack"
    place.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    if (objects.parent / "config").exists():
        shutil.copy(objects.parent / "config", folder / "config")
    for path in (objects / "pack").iterdir():
        if path.suffix == ".pack":
            (place / path.name).symlink_to(path.resolve())
        elif path.suffix == ".idx" or (path.suffix == ".rev" and with_reverse):
            shutil.copy(path, place)
    return folder


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = {
            name: copy_of(options.repository, Path(folder) / name, with_reverse=name == "with")
            for name in ("with", "without")
        }
        rows: dict[str, list[tuple[float, int]]] = {name: [] for name in places}
        for _ in range(options.rounds):
            for name, place in places.items():
                words = [sys.executable, "-c", OPEN, str(place)]
                objects, spent, peak = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
                rows[name].append((float(spent), int(peak)))
        print(f"{int(objects):,} objects")
        for name, row in rows.items():
            spent, peak = statistics.median(spent for spent, _ in row), max(peak for _, peak in row)
            print(f"{name:>7} reverse index: {spent * 1e3:6.1f} ms CPU, peak {peak / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
