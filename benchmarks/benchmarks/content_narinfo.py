"""narinfo, signatures and references as users call them. A change of the kernels moves the last as well."""

import random

from siltstone.content.hash_text import Hash
from siltstone.content.narinfo import NarInfo, format_narinfo, parse_narinfo, sign_narinfo, verify_narinfo
from siltstone.content.reference_rewrite import ReferenceNormalizer, ReferenceRestorer
from siltstone.content.reference_table import format_reference_table, parse_reference_table
from siltstone.content.references import find_references
from siltstone.content.signing import SecretKey
from siltstone.content.store_path import StorePath

from .native_refscan import content, parts_of

MIB = 1 << 20


class Narinfo:
    params = ([4, 1_000],)
    param_names = ("references",)

    def setup(self, references: int) -> None:
        rng = random.Random(9)
        paths = [StorePath("".join(rng.choices("0123456789abcdfg", k=32)) + "-name-1.0") for _ in range(references + 1)]
        self.key = SecretKey("bench-1", bytes(32))
        info = NarInfo(store_path=paths[0], url="nar/a.nar.zst", nar_hash=Hash("sha256", bytes(32)), nar_size=1,
                       references=tuple(paths[1:]))
        self.info = sign_narinfo(info, self.key)
        self.text = format_narinfo(self.info)

    def time_parse(self, references: int) -> None:
        parse_narinfo(self.text)

    def time_format(self, references: int) -> None:
        format_narinfo(self.info)

    def time_sign(self, references: int) -> None:
        sign_narinfo(self.info, self.key)

    def time_verify(self, references: int) -> None:
        verify_narinfo(self.info, [self.key.public])

    def track_text_size(self, references: int) -> int:
        return len(self.text)

    track_text_size.unit = "bytes"


class References:
    """16 MiB with a reference every 1,000 bytes, in pieces of 64 KiB."""

    def setup(self) -> None:
        self.parts = [part.decode() for part in parts_of(random.Random(7))]
        data = memoryview(content("store", 16 * MIB, random.Random(32)))
        self.pieces = [data[at:at + 65_536] for at in range(0, len(data), 65_536)]
        normalizer = ReferenceNormalizer(self.parts)
        self.taken = [normalizer.feed(piece) for piece in self.pieces]
        tail, table = normalizer.finish()
        self.taken.append(memoryview(tail))
        self.table = format_reference_table(table)

    def time_find(self) -> None:
        find_references(self.pieces, [*self.parts, "0" * 32])  # the last one never occurs: the whole stream is read

    def time_normalise(self) -> None:
        normalizer = ReferenceNormalizer(self.parts)
        for piece in self.pieces:
            normalizer.feed(piece)
        normalizer.finish()

    def time_restore(self) -> None:
        restorer = ReferenceRestorer(parse_reference_table(self.table))
        for piece in self.taken:
            restorer.feed(piece)
        restorer.finish()

    def peakmem_normalise(self) -> None:
        self.time_normalise()
