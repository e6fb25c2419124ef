"""NARs: nix-store and silt in turn on one tree, packing and unpacking. Run: python benchmarks/peers/nar.py TREE [ROUNDS]

Both write the archive to a file in memory-backed storage where there is some, and both unpack to new names that are removed
at the end: ext4 makes files slowly for seconds after others were deleted.  Ours computes the hash as well, and starts Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measuring import Measured, alternate, measure, report

from siltstone.content.nar import iter_nar
from siltstone.content.nar_pack import pack_nar
from siltstone.content.nar_unpack import unpack_nar

SILT = (sys.executable, "-P", "-m", "siltstone.cli.main", "nar")


def shell(command: str, *words: str) -> Callable[[], Measured]:
    """Return what runs *command*, whose parameters are *words*, without its notes."""
    return lambda: measure(("bash", "-c", f"exec {command} 2>/dev/null", "bash", *words))


def in_process(work: Callable[[], object]) -> Callable[[], Measured]:
    """Return what calls *work* here: the same without the start of a program; its memory is not told."""

    def run() -> Measured:
        start = time.perf_counter()
        work()
        return Measured(time.perf_counter() - start, 0, 0, b"")

    return run


def fresh(folder: Path) -> Callable[[], str]:
    """Return what gives a new path at each call."""
    count = 0

    def path() -> str:
        nonlocal count
        count += 1
        return str(folder / f"tree{count}")

    return path


def compare(tree: str, folder: Path, rounds: int) -> None:
    """Print the three comparisons."""
    archive = str(folder / "tree.nar")
    words = " ".join(SILT)
    subprocess.run(["bash", "-c", f'{words} pack --quiet "$1" -o "$2"', "bash", tree, archive], check=True)
    size = os.path.getsize(archive)
    print(f"{size / 1e6:.0f} MB of NAR, {sum(1 for _ in Path(tree).rglob('*')):,} entries")
    print("pack")
    report(alternate({
        "nix-store --dump": shell('nix-store --dump "$1" > "$2"', tree, str(folder / "theirs.nar")),
        "silt nar pack": shell(f'{words} pack --quiet "$1" -o - > "$2"', tree, str(folder / "ours.nar")),
        "pack_nar": in_process(lambda: pack_nar(tree, len)),
    }, rounds=rounds))
    if Path(folder / "theirs.nar").read_bytes() != Path(folder / "ours.nar").read_bytes():
        sys.exit("the archives differ")
    target = fresh(folder)
    print("unpack")
    report(alternate({
        "nix-store --restore": lambda: shell('nix-store --restore "$1" < "$2"', target(), archive)(),
        "silt nar unpack": lambda: shell(f'{words} unpack --quiet "$2" "$1"', target(), archive)(),
        "unpack_nar": in_process(lambda: unpack_nar(open(archive, "rb"), target())),  # noqa: SIM115 - closed when dropped
    }, rounds=rounds))
    data = Path(archive).read_bytes()
    print("read, in memory")
    report(alternate({"iter_nar": in_process(lambda: sum(1 for _ in iter_nar(data)))}, rounds=rounds))


def main() -> int:
    """Compare on the tree that is named; 2 where Nix is missing."""
    if shutil.which("nix-store") is None:
        print("nix-store is not installed: apt install nix-bin", file=sys.stderr)
        return 2
    if len(sys.argv) < 2:
        print("name a tree: python benchmarks/peers/nar.py TREE [ROUNDS]", file=sys.stderr)
        return 1
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        compare(sys.argv[1], folder, int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
