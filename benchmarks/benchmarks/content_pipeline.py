"""The content pipeline end to end, nothing written. The kernel that cuts, both hashes and the codec move these as well."""

import random
import struct
from concurrent.futures import ThreadPoolExecutor

from siltstone.content import PROFILES, Block, DiscardingSink, Pipeline, PipelineContext, PipelineOptions
from siltstone.core.tracing import CHUNKS, NO_TRACER, Tracer

KIB, MIB = 1 << 10, 1 << 20
WORDS = [b"layer", b"silt", b"stone", b"river", b"bed", b"sand", b"clay", b"fossil", b"\n", b" ", b"\t", b"0x%x"]


def text_of(rng: random.Random, size: int) -> bytes:
    """Return words with random numbers between them: compresses about as program text does."""
    pieces, total = [], 0
    while total < size:
        line = b" ".join(rng.choices(WORDS, k=8)) + b" %d\n" % rng.getrandbits(24)
        pieces.append(line)
        total += len(line)
    return b"".join(pieces)[:size]


def nar_like(rng: random.Random, size: int) -> bytes:
    """Return an archive of files of 1 to 64 KiB, half text and half noise, framed and padded as Nix does."""
    def framed(data: bytes) -> bytes:
        return struct.pack("<Q", len(data)) + data + bytes(-len(data) % 8)

    text, pieces, total = text_of(rng, 256 * KIB), [framed(b"nix-archive-1")], 0
    while total < size:
        length = rng.randrange(KIB, 64 * KIB)
        start = rng.randrange(len(text) - length)
        content = text[start:start + length] if rng.random() < 0.5 else rng.randbytes(length)
        entry = b"".join(map(framed, (b"entry", b"(", b"name", b"file-%d" % total, b"node", b"(", b"type", b"regular",
                                      b"contents", content, b")", b")")))
        pieces.append(entry)
        total += len(entry)
    return b"".join(pieces)[:size]


def content_of(kind: str, size: int) -> bytes:
    """Return the same bytes on every machine."""
    rng = random.Random(2020)
    if kind == "zeros":
        return bytes(size)
    if kind == "random":
        return rng.randbytes(size)
    return text_of(rng, size) if kind == "text" else nar_like(rng, size)


class WholePipeline:
    """Cut, hash, compress what is new, in the calling thread and over two workers."""

    params = (["zeros", "random", "text", "nar"], [KIB, MIB, 100 * MIB], [0, 2])
    param_names = ("content", "size", "workers")
    timeout = 120

    def setup(self, content: str, size: int, workers: int) -> None:
        self.data = content_of(content, size)
        self.pool = ThreadPoolExecutor(workers) if workers else None
        self.pipeline = Pipeline(PipelineOptions(), PipelineContext(executor=self.pool, workers=workers))

    def teardown(self, content: str, size: int, workers: int) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def time_run(self, content: str, size: int, workers: int) -> None:
        self.pipeline.run(self.data, DiscardingSink())

    def peakmem_run(self, content: str, size: int, workers: int) -> None:
        self.time_run(content, size, workers)

    def track_share_stored(self, content: str, size: int, workers: int) -> float:
        return self.pipeline.run(self.data, DiscardingSink()).packed_bytes / size

    track_share_stored.unit = "of the input"


class BlockOverhead:
    """What a block costs beside its bytes: 256 blocks of 16 KiB, nothing compressed; tracing off, and on down to chunks."""

    params = (["off", "chunks"],)
    param_names = ("tracing",)

    def setup(self, tracing: str) -> None:
        self.data = random.Random(7).randbytes(4 * MIB)
        self.options = PipelineOptions(
            profile=PROFILES["fastcdc-8k"], codec="none", stream_digest=None, block_bytes=16 * KIB)
        tracer = NO_TRACER if tracing == "off" else Tracer(lambda _event: None, level=CHUNKS)
        self.context = PipelineContext(tracer=tracer)

    def time_256_blocks(self, tracing: str) -> None:
        Pipeline(self.options, self.context).run(self.data, DiscardingSink())


class ManyStreams:
    """2,000 streams of 4 KiB one after the other in one run, as a folder of small files is."""

    def setup(self) -> None:
        rng = random.Random(11)
        self.sources = [rng.randbytes(4 * KIB) for _ in range(2_000)]

    def time_run(self) -> None:
        with Pipeline(PipelineOptions(), PipelineContext(workers=2)).open(DiscardingSink()) as run:
            for source in self.sources:
                run.add(source)


class CountingSink(DiscardingSink):
    """Looks at every payload, as a store does."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def put(self, block: Block) -> None:
        super().put(block)
        self.size += sum(len(payload.data) for payload in block.payloads)


class KnownContent:
    """32 MiB that the sink has already: cut and hashed, and neither compressed nor put."""

    def setup(self) -> None:
        self.data = content_of("nar", 32 * MIB)
        self.sink = CountingSink()
        self.pipeline = Pipeline(PipelineOptions(), PipelineContext(workers=2))
        self.pipeline.run(self.data, self.sink)

    def time_run(self) -> None:
        self.pipeline.run(self.data, self.sink)
