"""One big file into a store and out again: restic, borg, a plain script, and ours, in turn.

Run: python benchmarks/peers/backup.py FILE [ROUNDS]

Every round begins with empty stores on the same disk; each program syncs before it ends (restic and borg do so themselves).
restic and borg keep their own chunk sizes; borg compresses with zstd 3, restic with its automatic mode, ours with zstd 3 at
a 64 KiB target.  The script cuts with pyfastcdc, hashes with blake3 and compresses with zstandard, and writes nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Measured, alternate, measure, report

ROUNDS = 7
_SCRIPT = """
import sys, blake3, pyfastcdc, zstandard
known, compressor = set(), zstandard.ZstdCompressor(level=3)
for chunk in pyfastcdc.FastCDC(avg_size=65536, min_size=16384, max_size=262144).cut_file(sys.argv[1]):
    digest = blake3.blake3(chunk.data).digest()
    if digest not in known:
        known.add(digest)
        compressor.compress(chunk.data)
"""


def size_of(folder: Path) -> int:
    """Return the bytes of all files below *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def digest_of_file(path: Path) -> str:
    """Return SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Programs:
    """The commands of one comparison, each with a store of its own below *folder*."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.stored: dict[str, int] = {}
        os.environ.update(RESTIC_PASSWORD="benchmark", RESTIC_CACHE_DIR=str(folder / "cache"),
                          BORG_BASE_DIR=str(folder / "borg-base"))

    def _fresh(self, name: str) -> Path:
        store = self.folder / name
        shutil.rmtree(store, ignore_errors=True)
        return store

    def _run(self, name: str, words: list[str]) -> Measured:
        done = measure(words)
        self.stored[name] = size_of(self.folder / name)
        return done

    def restic(self) -> Measured:
        """Back up with restic."""
        store = self._fresh("restic")
        subprocess.run(["restic", "init", "-q", "-r", store], check=True, stdout=subprocess.DEVNULL)
        return self._run("restic", ["restic", "-q", "-r", str(store), "backup", str(self.source)])

    def borg(self) -> Measured:
        """Back up with borg."""
        store = self._fresh("borg")
        subprocess.run(["borg", "init", "-e", "none", store], check=True)
        return self._run("borg", ["borg", "create", "-C", "zstd,3", f"{store}::one", str(self.source)])

    def script(self) -> Measured:
        """Cut, hash and compress, in one thread."""
        return measure([sys.executable, "-c", _SCRIPT, str(self.source)])

    def ours(self) -> Measured:
        """Store with ``silt store put``."""
        store = self._fresh("ours")
        return self._run("ours", [*_silt("put"), "--store", str(store), "--quiet", "--name", "one", str(self.source)])

    def restore(self) -> Measured:
        """Write the file out again with ``silt store get``, every chunk verified."""
        target = self.folder / "restored"
        return measure([*_silt("get"), "--store", str(self.folder / "ours"), "--quiet", "--force", "-o", str(target), "one"])

    def read_back(self) -> Measured:
        """Read and verify the file with ``silt store get``, and drop it."""
        return measure([*_silt("get"), "--store", str(self.folder / "ours"), "--quiet", "-o", "/dev/null", "one"])

    def verify(self) -> Measured:
        """Check the whole store."""
        return measure([*_silt("verify"), "--store", str(self.folder / "ours"), "--quiet"])


def _silt(action: str) -> list[str]:
    return [sys.executable, "-P", "-m", "siltstone.cli.main", "store", action]


def main() -> int:
    """Compare; 2 where a peer is missing, 1 where what came back is not what went in."""
    missing = [name for name in ("restic", "borg") if shutil.which(name) is None]
    if missing or len(sys.argv) < 2:
        print(f"missing: {', '.join(missing)}" if missing else __doc__, file=sys.stderr)
        return 2
    source, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        programs = Programs(source, Path(folder))
        results = alternate({"restic backup": programs.restic, "borg create": programs.borg, "plain script": programs.script,
                             "silt store put": programs.ours}, rounds=rounds)
        report(results)
        smaller = min(programs.stored["restic"], programs.stored["borg"])
        for name, size in programs.stored.items():
            print(f"stored by {name:8} {size:>15,} bytes   {size / smaller:.3f} x the smaller peer")
        back = alternate({"get to a file": programs.restore, "get, dropped": programs.read_back, "verify": programs.verify},
                         rounds=rounds)
        for name, runs in back.items():
            seconds = statistics.median(run.seconds for run in runs)
            print(f"{name:16} {seconds:6.2f} s   {source.stat().st_size / seconds / 1e9:.2f} GB/s")
        equal = digest_of_file(Path(folder) / "restored") == digest_of_file(source)
        print(f"restored SHA-256 {'equal' if equal else 'DIFFERS'}")
        return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
