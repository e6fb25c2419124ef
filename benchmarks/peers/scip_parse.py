"""SCIP parse: protobuf (upb) and ours in turn, each in a fresh process. Run: python benchmarks/peers/scip_parse.py FILE

Both answer the same questions: occurrences, definitions, distinct symbols used.  Two figures are given of each: parsing
alone, and parsing with the counting that the answers need.  Times are CPU seconds of the one thread that runs, so that a
busy machine does not disturb them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5


def by_protobuf(path: Path) -> dict[str, object]:
    """Parse the whole file, then visit each occurrence."""
    sys.path.insert(0, str(ROOT))
    from tests.reference.scip_schema import message_classes

    index = message_classes()["Index"]()
    start = time.process_time()
    index.ParseFromString(path.read_bytes())
    parsed = time.process_time() - start
    occurrences = definitions = 0
    symbols = set()
    for document in index.documents:
        for occurrence in document.occurrences:
            occurrences += 1
            definitions += occurrence.symbol_roles & 1
            symbols.add(occurrence.symbol)
    return {"parse": parsed, "seconds": time.process_time() - start, "answer": [occurrences, definitions, len(symbols)]}


def by_siltstone(path: Path) -> dict[str, object]:
    """Stream the documents and count in their columns."""
    import numpy as np

    from siltstone.codeindex.scip_reader import read_scip

    start = time.process_time()
    for _document in read_scip(path):
        pass
    parsed = time.process_time() - start
    start = time.process_time()
    occurrences = definitions = 0
    symbols: set[bytes] = set()
    for document in read_scip(path):
        occurrences += len(document.roles)
        definitions += int(np.count_nonzero(document.roles & 1))
        symbols.update(document.symbols[row] for row in np.unique(document.occurrence_symbols).tolist())
    seconds = time.process_time() - start
    return {"parse": parsed, "seconds": seconds, "answer": [occurrences, definitions, len(symbols)]}


def measure(who: str, path: Path) -> dict[str, object]:
    """Run one side in a fresh process; its peak memory is that of the whole process."""
    done = subprocess.run([sys.executable, __file__, str(path), who], capture_output=True, check=True, timeout=600)
    return json.loads(done.stdout)


def main() -> int:
    """Print medians and ratios; 0 where the answers are equal, 2 where the peer or the file is missing."""
    if len(sys.argv) == 3:
        from siltstone.core.memory import peak_resident_bytes

        result = (by_protobuf if sys.argv[2] == "protobuf" else by_siltstone)(Path(sys.argv[1]))
        print(json.dumps({**result, "peak": peak_resident_bytes()}))
        return 0
    try:
        from google.protobuf import __version__ as version
        from google.protobuf.internal import api_implementation
    except ImportError:
        print("protobuf is not installed: pip install protobuf", file=sys.stderr)
        return 2
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        print("usage: scip_parse.py FILE (a SCIP index, not compressed)", file=sys.stderr)
        return 2
    rounds = [(measure("protobuf", Path(sys.argv[1])), measure("siltstone", Path(sys.argv[1]))) for _ in range(ROUNDS)]
    theirs, ours = zip(*rounds, strict=True)
    print(f"protobuf {version} ({api_implementation.Type()}) and siltstone, {ROUNDS} rounds, medians")
    figures = (("parse", "parse", "s", 1), ("parse and count", "seconds", "s", 1), ("peak", "peak", "MB", 1e6))
    for label, field, unit, scale in figures:
        peer, own = (statistics.median(one[field] for one in side) / scale for side in (theirs, ours))
        print(f"{label:16} protobuf {peer:8.3f} {unit}   siltstone {own:8.3f} {unit}   ratio {peer / own:5.2f}")
    equal = all(one["answer"] == theirs[0]["answer"] for one in (*theirs, *ours))
    print("answers", "equal" if equal else "DIFFER", theirs[0]["answer"])
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
