"""What breaks with a name, asked on the command line: `codegraph impact` and `silt query blast-radius` in turn.

Run: python benchmarks/peers/impact.py REPOSITORY NAME [ROUNDS].  Both index a copy of the repository first, untimed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import alternate, measure, report


def main() -> int:
    """Print medians and ratio; 2 where the peer is missing."""
    if len(sys.argv) < 3 or not Path(sys.argv[1]).is_dir():
        print("usage: impact.py REPOSITORY NAME [ROUNDS]", file=sys.stderr)
        return 2
    if not shutil.which("codegraph"):
        print("codegraph is not installed: npm install -g @colbymchenry/codegraph", file=sys.stderr)
        return 2
    name, rounds = sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 7
    silt = str(Path(sys.executable).with_name("silt"))
    with tempfile.TemporaryDirectory() as copy:
        tree = Path(copy) / "tree"
        shutil.copytree(sys.argv[1], tree, symlinks=True)
        subprocess.run(["codegraph", "init"], cwd=tree, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([silt, "ingest", str(tree), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        ours = [silt, "query", "blast-radius", name, "--repo", str(tree), "--json"]
        results = alternate({
            "codegraph impact": lambda: measure(["codegraph", "impact", name], cwd=tree),
            "silt query": lambda: measure(ours),
        }, rounds=rounds)
        report(results)
    told = [json.loads(run.output) for run in results["silt query"]]
    print(f"silt found {len(told[0]['hits']):,} entities, the same each time: {all(one == told[0] for one in told)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
