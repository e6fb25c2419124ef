"""What every layer pays: budgets, metrics on and off, whole files. A change outside core should not move these."""

import tempfile
from pathlib import Path

from siltstone.core.budget import MIB, Budget
from siltstone.core.files import WindowedFile, write_atomically
from siltstone.core.metrics import NO_METRICS, Metrics

ROUNDS = 10_000


class Accounting:
    def setup(self) -> None:
        self.budget, self.metrics = Budget(), Metrics()

    def time_hold(self) -> None:
        for _ in range(ROUNDS):
            with self.budget.hold("objects", 4096):
                pass

    def time_timer_on(self) -> None:
        for _ in range(ROUNDS):
            with self.metrics.timer("stage"):
                pass

    def time_timer_off(self) -> None:
        for _ in range(ROUNDS):
            with NO_METRICS.timer("stage"):
                pass


class Files:
    def setup(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "file"
        self.path.write_bytes(bytes(64 * MIB))

    def teardown(self) -> None:
        self.folder.cleanup()

    def time_windows(self) -> None:
        with WindowedFile(self.path) as file:
            for _ in file.windows(4 * MIB):
                pass

    def peakmem_windows(self) -> None:
        self.time_windows()

    def time_write_atomically(self) -> None:
        write_atomically(Path(self.folder.name) / "small", b"x" * 4096)
