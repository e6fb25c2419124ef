"""A whole ingest of a small made repository. Any layer may move these; `track_` names say what must not move."""

import shutil
import tempfile
from pathlib import Path

from siltstone.ingestion import ingest

from .packs import make_repository


class Ingest:
    """A bare repository of 250 commits over 20 files; the first run fills the store, the second re-uses it."""

    timeout = 120

    def setup(self) -> None:
        self.folder = make_repository(250)
        self.kept = Path(tempfile.mkdtemp(prefix="siltstone-bench-"))
        ingest(self.folder, output=self.kept / "store", repo_id="bench")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)
        shutil.rmtree(self.kept)

    def fresh(self):
        with tempfile.TemporaryDirectory() as output:
            return ingest(self.folder, output=Path(output) / "store", repo_id="bench", workers=1)

    def time_fresh(self) -> None:
        self.fresh()

    def time_unchanged(self) -> None:
        ingest(self.folder, output=self.kept / "store", repo_id="bench")

    def peakmem_fresh(self) -> None:
        self.fresh()

    def track_blobs(self) -> int:
        return self.fresh().history.blobs

    track_blobs.unit = "blobs"
