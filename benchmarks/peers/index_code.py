"""Index Python code: tree-sitter alone, ours, and codegraph where it is installed. Run: python index_code.py FOLDER

Tree-sitter alone parses every ``.py`` file and runs our query, in one process, and keeps nothing: the floor for whoever uses
it from Python.  Ours is ``silt index``, all languages, resolution included.  Figures are medians of wall seconds, in turn.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
FLOOR = """
import sys
from pathlib import Path
from siltstone.codeindex.syntax import _tools
parser, cursor = _tools("python")
for path in Path(sys.argv[1]).rglob("*.py"):
    tree = parser.parse(path.read_bytes())
    cursor.captures(tree.root_node)
"""


def seconds(command: list[str]) -> float:
    """Return the wall time of *command*."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def codegraph(folder: Path) -> float:
    """Index a copy, because the peer writes into the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy)
        return seconds(["codegraph", "init", str(copy)])


def main() -> int:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("usage: index_code.py FOLDER", file=sys.stderr)
        return 1
    folder = Path(sys.argv[1])
    floor, ours, peer = [], [], []
    installed = shutil.which("codegraph") is not None
    for _ in range(ROUNDS):
        floor.append(seconds([sys.executable, "-c", FLOOR, str(folder)]))
        ours.append(seconds([sys.executable, "-m", "siltstone.cli.main", "index", str(folder), "--quiet", "--json"]))
        if installed:
            peer.append(codegraph(folder))
    middle = statistics.median(ours)
    print(f"siltstone index        {middle:7.2f} s")
    print(f"tree-sitter, one query {statistics.median(floor):7.2f} s   ours / floor {middle / statistics.median(floor):.2f}")
    if not installed:
        print("codegraph is not installed: npm install -g @colbymchenry/codegraph", file=sys.stderr)
        return 2
    print(f"codegraph init         {statistics.median(peer):7.2f} s   peer / ours {statistics.median(peer) / middle:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
