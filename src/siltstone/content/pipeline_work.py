"""One block on its way: the jobs done to it in the workers, the memory it holds, and how long everything took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

from siltstone.content.block_source import RawBlock
from siltstone.content.pipeline_block import Block, DigestChunks, Pack, Payload
from siltstone.core.errors import ConfigError

BYTES_PER_CHUNK = 512  # a view, a digest, an end, a payload and their places in lists; measured 430 on CPython 3.11


class Work:
    """Belongs to the thread that runs the pipeline, except while a job of it is in a worker."""

    __slots__ = ("_job", "block", "buffer", "busy", "by_workers", "chunks", "held_bytes", "ready", "waited")

    def __init__(self, block: Block, raw: RawBlock, held_bytes: int) -> None:
        self.block = block
        self.buffer = raw.buffer
        self.held_bytes = held_bytes  # reserved from the budget
        self.chunks: list[memoryview] = []
        self.busy: dict[str, float] = {}
        self.waited: dict[str, float] = {}
        self.by_workers: set[str] = set()  # the stages that were not done by the runner
        self.ready = 0.0  # when the last job had ended
        self._job: Future[None] | None = None

    @property
    def job(self) -> Future[None]:
        """The job that was started last."""
        assert self._job is not None, "no job was started"
        return self._job

    def start_hashing(self, digest_chunks: DigestChunks, executor: Executor | None) -> None:
        """Find the digest of every chunk, in a worker or here."""
        submitted = time.perf_counter()

        def work() -> None:
            begun = time.perf_counter()
            self.chunks = self.block.chunks()
            self.block.digests = digest_chunks(self.chunks)
            self._note("hash", submitted, begun)

        self._start("hash", work, executor)

    def start_packing(self, pack: Pack, executor: Executor | None) -> None:
        """Compress the new chunks, in a worker or here; a block without any needs no worker."""
        submitted = time.perf_counter()
        wanted = [self.chunks[at] for at in self.block.fresh]

        def work() -> None:
            begun = time.perf_counter()
            self.block.payloads = pack(wanted) if wanted else []
            wanted.clear()
            self._note("compress", submitted, begun)

        self._start("compress", work, executor if wanted else None)

    def _start(self, stage: str, work: Callable[[], None], executor: Executor | None) -> None:
        if executor is not None:
            self.by_workers.add(stage)
            self._job = executor.submit(work)
            return
        self._job = Future()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised when its turn comes, as that of a worker is
            self._job.set_exception(error)
        else:
            self._job.set_result(None)

    def _note(self, stage: str, submitted: float, begun: float) -> None:
        self.ready = time.perf_counter()
        self.busy[stage] = self.ready - begun
        self.waited[stage] = begun - submitted

    def drop(self) -> None:
        """Let go of everything that looks into the buffer; what the sink holds on to keeps it alive."""
        del self.block
        self.chunks = []
        self.buffer = None

    def check_digests(self) -> None:
        """Raise ConfigError where a hash function given from outside lost a chunk."""
        digests, ends = self.block.digests, self.block.ends
        if len(digests) != len(ends):
            raise ConfigError(f"gave {len(digests)} digests for {len(ends)} chunks", field="digest_chunks")

    def check_payloads(self) -> None:
        """Raise ConfigError where a packer given from outside lost a chunk."""
        packed, wanted = sum(payload.chunks for payload in self.block.payloads), len(self.block.fresh)
        if packed != wanted:
            raise ConfigError(f"packed {packed} of {wanted} chunks", field="pack")


def payload_bytes(payloads: Sequence[Payload]) -> int:
    """Return the memory of *payloads*; a view costs nothing, for what it looks into is accounted already."""
    return sum(len(payload.data) for payload in payloads if isinstance(payload.data, bytes))


def packed_size_limit(size: int, chunks: int) -> int:
    """Return the most that *size* bytes in *chunks* pieces can take when packed, with what is held for each chunk.

    The bound of zstd is 1/256 and 64 bytes more than the input, that of lz4 1/255 and 16.
    """
    return size + (size >> 7) + chunks * BYTES_PER_CHUNK
