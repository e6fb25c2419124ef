"""A whole ingest, fresh each time, beside `codegraph init` where that is installed.

Run: python benchmarks/peers/ingest.py REPOSITORY [ROUNDS]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Measured, alternate, measure, report


def main() -> int:
    """Print medians; 0 where every run gave the same graph and the files that git lists, else 1."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        print("usage: ingest.py REPOSITORY [ROUNDS]", file=sys.stderr)
        return 2
    repository, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    silt = Path(sys.executable).with_name("silt")

    def ours() -> Measured:
        with tempfile.TemporaryDirectory() as output:
            return measure([str(silt), "ingest", str(repository), "--output", f"{output}/store", "--json", "--quiet"])

    def theirs() -> Measured:
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(repository, f"{copy}/tree", symlinks=True)
            return measure(["codegraph", "init"], cwd=Path(copy) / "tree")

    runs = {"codegraph init": theirs} if shutil.which("codegraph") else {}
    if not runs:
        print("codegraph is not installed (npm @colbymchenry/codegraph): ours alone", file=sys.stderr)
    results = alternate({**runs, "silt ingest": ours}, rounds=rounds)
    report(results)
    told = [json.loads(run.output) for run in results["silt ingest"]]
    listed = subprocess.run(["git", "-C", str(repository), "ls-files", "-z"], capture_output=True, check=True).stdout
    same = len({one["graph_digest"] for one in told}) == 1
    files = told[0]["code"]["files"] == listed.count(b"\0")
    print("graphs", "equal" if same else "DIFFER", "  files as git lists them:", "yes" if files else "NO")
    return 0 if same and files else 1


if __name__ == "__main__":
    sys.exit(main())
