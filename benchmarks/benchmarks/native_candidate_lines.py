"""The formatter of candidates alone. A change outside src/_native/candidate_lines.pyx and its header should not move these."""

from __future__ import annotations

import random

import numpy as np

from siltstone._native.candidate_lines import encode_lines

ROWS = 10_000


class CandidateLines:
    params = (["ascii", "utf-8", "bytes"],)
    param_names = ("paths",)

    def setup(self, paths: str) -> None:
        rng = random.Random(40_401)
        folders = {"ascii": b"Documentation/technical/", "utf-8": "Dokümentation/".encode(), "bytes": b"Dok\xfcmentation/"}
        folder = folders[paths]
        names = [folder + b"file%06d.txt" % rng.randrange(1 << 19) for _ in range(ROWS)]
        self.columns = (
            np.arange(ROWS, dtype=np.int32), np.arange(-1, ROWS - 1, dtype=np.int32),
            np.array([rng.randint(1, 2) for _ in names], np.uint8), np.full(ROWS, 0o100644, np.uint32),
            np.cumsum([len(name) for name in names]).astype(np.int64), rng.randbytes(20 * ROWS), b"".join(names),
            rng.randbytes(20 * ROWS), 20,
        )  # fmt: skip

    def time_encode(self, paths: str) -> None:
        encode_lines(*self.columns)
