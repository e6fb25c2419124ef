"""Codecs as a user calls them. A release of zstandard, lz4 or Python moves these; so does content/codecs and frame_sequence."""

import random
import struct

from siltstone.content.adaptive import compress_adaptive
from siltstone.content.codec_table import codec_named
from siltstone.content.compression import Compressor, compress, compress_into, decompress, decompress_into
from siltstone.content.parallel_frames import compress_frames

KIB, MIB = 1 << 10, 1 << 20
CODECS = ["zstd", "lz4", "xz", "bzip2"]
CONTENTS = ["zeros", "random", "text", "nar"]
SIZES = [KIB, 64 * KIB, MIB, 100 * MIB]


def content_of(kind, size):
    """The same bytes on every machine."""
    rng = random.Random(2016)
    if kind == "zeros":
        return bytes(size)
    if kind == "random":
        return rng.randbytes(size)
    words = [bytes(rng.randrange(97, 123) for _ in range(rng.randrange(2, 11))) for _ in range(2000)]
    lines = []
    while sum(map(len, lines)) < min(size, MIB):
        line = b" ".join(rng.choices(words, k=12)) + b"\n"
        if kind == "nar":
            fields = (b"entry", b"(", b"name", rng.choice(words), b"node", b"(", b"type", b"regular", b"contents",
                      line * 9, b")", b")")
            line = b"".join(struct.pack("<Q", len(field)) + field + bytes(-len(field) % 8) for field in fields)
        lines.append(line)
    return (b"".join(lines) * (size // MIB + 2))[:size]


class Codecs:
    """One frame in one call; peak memory beside it."""

    params = (CODECS, CONTENTS, SIZES)
    param_names = ("codec", "content", "size")
    timeout = 600

    def setup(self, codec, content, size):
        self.data = content_of(content, size)
        self.level = 1 if size == 100 * MIB and codec in ("xz", "bzip2") else codec_named(codec).DEFAULT_LEVEL
        self.packed = compress(self.data, codec, level=self.level)
        self.out = bytearray(max(size, len(self.packed)) + KIB)

    def time_compress(self, codec, content, size):
        compress(self.data, codec, level=self.level)

    def time_decompress(self, codec, content, size):
        decompress(self.packed)

    def time_compress_into(self, codec, content, size):
        compress_into(self.data, self.out, codec, level=self.level)

    def time_decompress_into(self, codec, content, size):
        decompress_into(self.packed, self.out)

    def peakmem_decompress_into(self, codec, content, size):
        decompress_into(self.packed, self.out)

    def track_ratio(self, codec, content, size):
        return len(self.packed) / size

    track_ratio.unit = "of the input"


class Chunks:
    """What the store does: 64 KiB pieces of 16 MiB by zstd 3, and the choice whether to."""

    params = (CONTENTS,)
    param_names = ("content",)

    def setup(self, content):
        data = content_of(content, 16 * MIB)
        self.data = data
        self.pieces = [data[at : at + 64 * KIB] for at in range(0, len(data), 64 * KIB)]
        self.compressor = Compressor()

    def time_compressor(self, content):
        for piece in self.pieces:
            self.compressor.compress(piece)

    def time_adaptive(self, content):
        for piece in self.pieces:
            compress_adaptive(piece)

    def time_frames_two_threads(self, content):
        compress_frames(self.data, frame_bytes=2 * MIB, threads=2)
