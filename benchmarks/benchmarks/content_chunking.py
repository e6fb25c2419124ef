"""Every way to chunk, over sizes and kinds of input. The gear kernels move the first suite; readers and threads the others."""

import asyncio
import io
import os
import random
import tempfile

from siltstone.content import (
    BufferStrategy,
    Chunker,
    ChunkPoller,
    PollState,
    chunk_batch,
    cut_offsets,
    file_cut_offsets,
    iter_chunks,
    iter_file_chunks,
    iter_file_chunks_async,
    read_chunks,
    warmup,
)

KIB, MIB = 1 << 10, 1 << 20
WORDS = [b"layer", b"silt", b"stone", b"river", b"bed", b"sand", b"clay", b"fossil", b"\n", b" ", b"\t", b"0x%x"]


def text(rng: random.Random, size: int) -> bytes:
    """Return words, different ones for the first 4 MiB."""
    block = b" ".join(rng.choices(WORDS, k=min(size, 4 * MIB) // 4 + 1))
    return (block * (size // len(block) + 1))[:size]


def nar_string(value: bytes) -> bytes:
    """Return *value* as an archive of Nix holds it: its length, itself, zeros up to 8 bytes."""
    return len(value).to_bytes(8, "little") + value + bytes(-len(value) % 8)


def nar(rng: random.Random, size: int) -> bytes:
    """Return what a NAR of small texts and some programs looks like to a chunker."""
    parts, total = [nar_string(b"nix-archive-1"), nar_string(b"("), nar_string(b"type"), nar_string(b"directory")], 0
    while total < size:
        length = rng.choice((300, 2_000, 9_000, 70_000))
        body = b"\x7fELF" + rng.randbytes(length // 2) + bytes(length // 2) if length > 20_000 else text(rng, length)
        name = rng.randbytes(8).hex().encode()
        words = (b"entry", b"(", b"name", name, b"node", b"(", b"type", b"regular", b"contents", body)
        parts.append(b"".join(map(nar_string, words)) + nar_string(b")") * 2)
        total += len(parts[-1])
    return b"".join(parts)[:size]


KINDS = {"zeros": lambda _rng, size: bytes(size), "random": random.Random.randbytes, "text": text, "nar": nar}


class CutOffsets:
    """One call over the whole, at the default profile."""

    params = ([KIB, 64 * KIB, MIB, 10 * MIB, 100 * MIB], [*KINDS])
    param_names = ("size", "content")

    def setup(self, size: int, content: str) -> None:
        self.data = KINDS[content](random.Random(1966), size)
        warmup()

    def time_cut_offsets(self, _size: int, _content: str) -> None:
        cut_offsets(self.data)

    def track_mean_chunk(self, size: int, _content: str) -> float:
        return size / len(cut_offsets(self.data))

    track_mean_chunk.unit = "bytes"


class Ways:
    """32 MiB by each way; the difference to `CutOffsets` is what the way costs."""

    def setup(self) -> None:
        self.data = random.Random(1966).randbytes(32 * MIB)
        view = memoryview(self.data)
        self.windows = [view[start:start + 4 * MIB] for start in range(0, len(view), 4 * MIB)]
        self.small = [view[start:start + 16 * KIB] for start in range(0, len(view), 16 * KIB)]
        self.memory = bytearray(2 * MIB)
        descriptor, self.path = tempfile.mkstemp(prefix="siltstone-bench-")
        with open(descriptor, "wb") as file:
            file.write(self.data)
        warmup()

    def teardown(self) -> None:
        os.unlink(self.path)

    def time_cut_offsets(self) -> None:
        cut_offsets(self.data)

    def time_cut_offsets_two_threads(self) -> None:
        cut_offsets(self.data, threads=2)

    def time_iter_chunks(self) -> None:
        for _ in iter_chunks(self.data):
            pass

    def time_feed_windows(self) -> None:
        self._feed(self.windows)

    def time_feed_small_pieces(self) -> None:
        self._feed(self.small)

    def time_read_chunks(self) -> None:
        for _ in read_chunks(io.BytesIO(self.data)):
            pass

    def time_read_chunks_owned(self) -> None:
        for _ in read_chunks(io.BytesIO(self.data), owned=True):
            pass

    def time_read_chunks_preallocated(self) -> None:
        for _ in read_chunks(io.BytesIO(self.data), buffer=BufferStrategy.preallocated(self.memory)):
            pass

    def time_file_chunks(self) -> None:
        for _ in iter_file_chunks(self.path):
            pass

    def time_file_chunks_mapped(self) -> None:
        for _ in iter_file_chunks(self.path, mapped=True):
            pass

    def time_file_cut_offsets_two_threads(self) -> None:
        file_cut_offsets(self.path, threads=2)

    def time_file_chunks_async(self) -> None:
        async def run() -> None:
            async for _ in iter_file_chunks_async(self.path):
                pass

        asyncio.run(run())

    def time_poll(self) -> None:
        poller = ChunkPoller(io.BytesIO(self.data))
        while poller.poll_next_chunk().state is not PollState.DONE:
            pass

    def time_batch_of_small_buffers(self) -> None:
        for _ in chunk_batch(self.small):
            pass

    def peakmem_file_chunks(self) -> None:
        self.time_file_chunks()

    def _feed(self, pieces: list[memoryview]) -> None:
        chunker = Chunker()
        for piece in pieces:
            chunker.feed(piece)
        chunker.finish()


class FirstCall:
    """What a process pays before its first cut: import, table, kernel."""

    def timeraw_first_cut(self) -> str:
        return "from siltstone.content import cut_offsets; cut_offsets(b'x')"

    def timeraw_warm_up(self) -> str:
        return "from siltstone.content import warmup; warmup()"
