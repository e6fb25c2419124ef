"""Mutated SCIP documents and symbols: the fuzz target, under the build that is being tested."""

from __future__ import annotations

import random
from pathlib import Path

from fuzz import fuzz_scip


def test_mutated_documents_give_what_the_twin_gives(tmp_path: Path) -> None:
    source = random.Random(104)
    for _ in range(600):
        data = fuzz_scip.mutate(source, fuzz_scip.seed_document(source))
        assert fuzz_scip.check(data, tmp_path / "index.scip"), data.hex()


def test_mutated_prefixes_are_split_like_the_twin_splits_them() -> None:
    source = random.Random(105)
    for _ in range(200):
        data = fuzz_scip.mutate(source, fuzz_scip.seed_document(source))
        for start in range(len(data) + 1):
            found = fuzz_scip.outcome(lambda text, at=start: fuzz_scip.scip.split_fields(text, at), data)  # type: ignore[misc]
            assert found == fuzz_scip.outcome(lambda text, at=start: fuzz_scip.reference.split_fields(text, at), data)  # type: ignore[misc]
