"""The git object layer as a user calls it: open, read one by one, list, walk."""

import random
import shutil

from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.object_database import ObjectDatabase

from .packs import make_repository


class Database:
    """A repository of 250 commits over 20 files in one pack."""

    def setup(self) -> None:
        self.folder = make_repository(250)
        self.database = ObjectDatabase.open(self.folder)
        self.ids = random.Random(5).choices(list(self.database.iter_ids()), k=2000)

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def time_open(self) -> None:
        ObjectDatabase.open(self.folder).close()

    def time_read(self) -> None:
        for oid in self.ids:
            self.database.read(oid)

    def time_iter_blob_ids(self) -> None:
        for _ in self.database.iter_ids([Kind.BLOB]):
            pass

    def time_walk_blobs(self) -> None:
        for _ in self.database.walk_objects([Kind.BLOB]):
            pass

    def peakmem_walk_blobs(self) -> None:
        self.time_walk_blobs()

    def track_walked_bytes(self) -> int:
        return sum(block.size for block in self.database.walk_objects(list(Kind)))

    track_walked_bytes.unit = "bytes"
