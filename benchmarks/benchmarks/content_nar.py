"""NARs of many small files and of few long ones: read, written, packed, unpacked, listed, chunked."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from siltstone.content.chunking import cut_offsets
from siltstone.content.nar import iter_nar
from siltstone.content.nar_chunking import iter_nar_chunks
from siltstone.content.nar_listing import list_nar
from siltstone.content.nar_pack import iter_pack_nar, pack_nar
from siltstone.content.nar_unpack import unpack_nar
from siltstone.content.nar_writer import encode_nar
from siltstone.content.profiles import get_profile
from siltstone.core.budget import KIB, MIB

SHAPES = {"small files": (3_000, 4 * KIB), "long files": (4, 8 * MIB)}  # count, mean size: a source tree, a few libraries


def make_tree(root: Path, shape: str) -> None:
    """Write the files of *shape* below *root*, ten to a folder; the same bytes on every machine."""
    rng = random.Random(shape)
    count, size = SHAPES[shape]
    for number in range(count):
        folder = root / f"{number // 10:04}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 10}.py").write_bytes(rng.randbytes(rng.randrange(size // 2, 2 * size)))


class Archives:
    """In memory: what the format itself costs."""

    params = (list(SHAPES),)
    param_names = ("shape",)

    def setup(self, shape: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            make_tree(Path(folder), shape)
            self.archive = b"".join(iter_pack_nar(folder))

    def time_read(self, shape: str) -> None:
        for _ in iter_nar(self.archive):
            pass

    def time_read_and_write(self, shape: str) -> None:
        for _ in encode_nar(iter_nar(self.archive)):
            pass

    def time_list(self, shape: str) -> None:
        for _ in list_nar(self.archive):
            pass

    def time_chunk(self, shape: str) -> None:
        for _ in iter_nar_chunks(self.archive):
            pass

    def peakmem_chunk(self, shape: str) -> None:
        for _ in iter_nar_chunks(self.archive):
            pass

    def track_megabytes(self, shape: str) -> float:
        return len(self.archive) / 1e6

    track_megabytes.unit = "MB"


class Trees:
    """On disk: what files cost."""

    params = (list(SHAPES),)
    param_names = ("shape",)
    number = 1  # a target can be made once
    repeat = (3, 7, 20.0)

    def setup(self, shape: str) -> None:
        self.folder = Path(tempfile.mkdtemp())
        make_tree(self.folder / "tree", shape)
        self.archive = b"".join(iter_pack_nar(self.folder / "tree"))

    def teardown(self, shape: str) -> None:
        shutil.rmtree(self.folder)

    def time_pack(self, shape: str) -> None:
        pack_nar(self.folder / "tree", len)

    def time_unpack(self, shape: str) -> None:
        unpack_nar(self.archive, self.folder / "again")

    def peakmem_pack(self, shape: str) -> None:
        pack_nar(self.folder / "tree", len)


class Versions:
    """What a cache must store for the next version of a package: one file in thirty changed, some came and went."""

    params = (["nar-small", "nar", "nar-large"],)
    param_names = ("profile",)

    def setup(self, profile: str) -> None:
        rng = random.Random(9)
        names = [f"{number:05}.py" for number in range(2_500)]
        files = {name: rng.randbytes(rng.randrange(200, 12_000)) for name in names}
        self.old = self._archive(files)
        for name in rng.sample(names, 80):
            files[name] = files[name][:100] + b"an edit" + files[name][120:]
        for name in rng.sample(names, 8):
            files["new-" + name] = files.pop(name)
        self.new = self._archive(files)

    def _archive(self, files: dict[str, bytes]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                (Path(folder) / name).write_bytes(data)
            return b"".join(iter_pack_nar(folder))

    def track_new_bytes_aware(self, profile: str) -> float:
        settings = get_profile(profile)
        known = {bytes(chunk.data) for chunk in iter_nar_chunks(self.old, profile=settings)}
        fresh = {bytes(chunk.data) for chunk in iter_nar_chunks(self.new, profile=settings)} - known
        return sum(map(len, fresh)) / len(self.new)

    def track_new_bytes_plain(self, profile: str) -> float:
        fresh = self._plain(self.new, profile) - self._plain(self.old, profile)
        return sum(map(len, fresh)) / len(self.new)

    def _plain(self, archive: bytes, profile: str) -> set[bytes]:
        ends = cut_offsets(archive, profile=get_profile(profile))
        return {archive[start:end] for start, end in zip([0, *ends], ends, strict=False)}

    track_new_bytes_aware.unit = track_new_bytes_plain.unit = "of the archive"
