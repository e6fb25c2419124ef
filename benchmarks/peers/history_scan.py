"""A secret scan over a whole object database, beside Kingfisher where that is installed (PyPI: kingfisher-bin).

Run: python benchmarks/peers/history_scan.py REPOSITORY [ROUNDS]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from measuring import Measured, alternate, measure, report

from siltstone.detection.scan import scan

_FINDINGS = (0, 10, 200, 205)  # exit codes of either program that mean a finished scan


def listed_blobs(repository: Path) -> set[str]:
    """Return the blobs of the object database as git lists them."""
    words = ["git", "--git-dir", str(git_folder(repository)), "cat-file", "--batch-all-objects", "--unordered",
             "--batch-check=%(objectname) %(objecttype)"]
    lines = subprocess.run(words, capture_output=True, check=True, text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if line.endswith(" blob")}


def git_folder(repository: Path) -> Path:
    """Return the folder that holds the objects."""
    return repository / ".git" if (repository / ".git").exists() else repository


def is_every_blob_scanned(repository: Path) -> bool:
    """Compare the set of blobs that a scan searched with git's own list, and print both sizes."""
    state = scan(repository).state
    ours = {state.blobs[at : at + state.id_size].hex() for at in range(0, len(state.blobs), state.id_size)}
    theirs = listed_blobs(repository)
    print(f"blobs: git lists {len(theirs):,}, searched {len(ours):,}: {'equal' if ours == theirs else 'DIFFER'}")
    return ours == theirs


def main() -> int:
    """Print medians; 0 where the blobs are those of git, 1 where not, 2 where the peer is missing."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        print("usage: history_scan.py REPOSITORY [ROUNDS]", file=sys.stderr)
        return 2
    repository, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = Path(sys.executable).parent
    peer = shutil.which("kingfisher") or shutil.which(str(folder / "kingfisher"))

    def ours() -> Measured:
        return measure([str(folder / "silt"), "scan", str(repository), "--format", "jsonl", "--quiet"])

    def theirs(*extra: str) -> Measured:
        return measure([str(peer), "scan", str(repository), "--no-validate", "--no-update-check", *extra])

    runs = {"kingfisher": theirs, "kingfisher --turbo": lambda: theirs("--turbo")} if peer else {}
    report(alternate({**runs, "silt scan": ours}, rounds=rounds, accept=_FINDINGS))
    equal = is_every_blob_scanned(repository)
    if not peer:
        print("kingfisher is not installed (pip install kingfisher-bin): ours alone", file=sys.stderr)
        return 2 if equal else 1
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
