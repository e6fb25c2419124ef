"""Extraction and resolution of generated Python. A change outside of codeindex should not move these."""

from __future__ import annotations

import random

MODULES = 60


def module(row: int, generator: random.Random) -> bytes:
    """Return a module of classes that import and call one another."""
    parts = [f"from pkg.m{generator.randrange(MODULES)} import C{part} as D{part}" for part in range(4)]
    for part in range(12):
        parts.append(f"\n\nclass C{part}(D{part % 4}):\n    limit: int = {part}\n")
        parts += [
            f"    def step{step}(self, value: int, *rest: str) -> int:\n        total = self.step{(step + 1) % 9}(value)\n"
            f"        return sorted([total, len(rest), D{step % 4}(value).limit])\n"
            for step in range(9)
        ]
    return "\n".join(parts).encode()


class Syntax:
    """One process, no cache."""

    def setup(self) -> None:
        generator = random.Random(2026)
        self.files = {f"pkg/m{row}.py".encode(): module(row, generator) for row in range(MODULES)}
        self.source = self.files[b"pkg/m0.py"]

    def time_extract_one_file(self) -> None:
        from siltstone.codeindex.syntax import extract

        extract("python", self.source)

    def index(self):
        from siltstone.codeindex.build import SourceFile, index_repository
        from siltstone.codeindex.entities import MemorySink

        files = [SourceFile(path) for path in self.files]
        return index_repository(files, lambda file: self.files[file.path], MemorySink(), repo_id="r")

    def time_index_60_files(self) -> None:
        self.index()

    def peakmem_index_60_files(self) -> None:
        self.index()

    def track_resolved_share(self) -> float:
        summary = self.index()
        return summary.resolved / (summary.resolved + summary.unresolved)

    track_resolved_share.unit = "share"
