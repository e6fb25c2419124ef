"""One run of a pipeline: moves blocks from stage to stage until the sink has them.

One thread reads, cuts, asks the sink and puts; workers compress, and hash unless all of them are busy.  Blocks wait in two
queues, both in the order of the input, so every block is put after the one before it.  The runner sleeps until the head of a
queue is done: no thread polls.  An error of one block is raised after the blocks before it have been put, so which error is
raised and what the sink got do not depend on the number of workers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from siltstone.content.block_source import BlockSource, BufferPool, longest_block, open_blocks
from siltstone.content.buffer_plan import BufferPlan
from siltstone.content.hashing import new_hasher
from siltstone.content.pipeline import Pipeline
from siltstone.content.pipeline_block import Block, Sink
from siltstone.content.pipeline_report import STAGES, PipelineReport, StageTimes, report_of
from siltstone.content.pipeline_work import BYTES_PER_CHUNK, Work, packed_size_limit, payload_bytes
from siltstone.core.budget import KIB
from siltstone.core.errors import Cancelled, ConfigError
from siltstone.core.tracing import BLOCKS, CHUNKS, STREAMS

Result = TypeVar("Result")

_SMALL_BLOCK_BYTES = 32 * KIB  # below this the way to a worker and back (0.1 ms) costs more than the work


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """One stream, read to its end: *digest* is that of the whole, in hexadecimal, "" where none was asked for."""

    size: int
    chunks: int
    digest: str


@dataclass(frozen=True, slots=True)
class PipelineSummary:
    """What a run did: *new_bytes* in *new_chunks* were compressed to *packed_bytes*."""

    streams: tuple[StreamTotals, ...]
    size: int
    chunks: int
    new_chunks: int
    new_bytes: int
    packed_bytes: int
    report: PipelineReport


class PipelineRun:
    """Takes streams one after the other; leaving the ``with`` block without an error waits until all is put. One thread."""

    def __init__(self, pipeline: Pipeline, sink: Sink) -> None:
        self._options, self._context, self._sink = pipeline.options, pipeline.context, sink
        self._pack, self._digest_chunks = pipeline.pack, pipeline.digest_chunks
        context, options = self._context, self._options
        self._plan = BufferPlan(
            options.strategy, block_bytes=options.block_bytes, blocks=options.blocks or 2 * context.workers + 1,
            limits=context.pressure_limits, read_state=context.read_memory_state)
        self._pool = BufferPool(self._plan.blocks)
        self._hashing: deque[Work] = deque()
        self._packing: deque[Work] = deque()
        self._coming: set[bytes] = set()  # digests of new chunks that were not put yet
        self._held_bytes = 0
        self._peak_bytes = 0
        self._executor: Executor | None = None
        self._own_pool: ThreadPoolExecutor | None = None
        self._state = "new"
        self._failed = False
        self._index = 0
        self._times = {name: StageTimes() for name in STAGES}
        self._started = self._seconds = self._stalled = 0.0
        self._streams: list[StreamTotals] = []
        self._new_chunks = self._new_bytes = self._packed_bytes = 0

    def __enter__(self) -> PipelineRun:
        self._require("new", "a run is used once")
        context = self._context
        self._executor = context.executor
        if self._executor is None and context.workers:
            self._executor = self._own_pool = ThreadPoolExecutor(context.workers, thread_name_prefix="siltstone-pipeline")
        self._started = time.perf_counter()
        self._state = "open"
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        try:
            if kind is None:
                self.drain()
        finally:
            self._close()

    def add(self, source: Any, *, stream: object = None) -> StreamTotals:
        """Read *source* to its end; its last blocks may still be on their way. *stream* marks its blocks for the sink.

        Raises the first error in the order of the input, of this or of an earlier stream; the run is then over.
        """
        self._require("open", "the run is over")
        return self._guarded(lambda: self._add(source, stream))

    def drain(self) -> None:
        """Return when every block that was read has been put."""
        self._require("open", "the run is over")
        self._guarded(self._drain)

    def summary(self) -> PipelineSummary:
        """Return what the run has done so far; the whole, once its ``with`` block was left."""
        size, chunks = (sum(getattr(stream, name) for stream in self._streams) for name in ("size", "chunks"))
        return PipelineSummary(
            tuple(self._streams), size, chunks, self._new_chunks, self._new_bytes, self._packed_bytes, self.report())

    def report(self) -> PipelineReport:
        """Return where the time went so far."""
        seconds = self._seconds or (time.perf_counter() - self._started if self._state != "new" else 0.0)
        return report_of(self._times, seconds=seconds, workers=self._context.workers, stalled_seconds=self._stalled,
                         peak_bytes=self._peak_bytes)

    # The stages, in order.

    def _add(self, source: Any, stream: object) -> StreamTotals:
        try:
            totals = self._read_stream(source, stream)
        except Cancelled:
            raise
        except Exception as error:
            if self._failed:
                raise
            failure = error  # of the source: the blocks before it come first
        else:
            self._streams.append(totals)
            if self._context.tracer.level:
                self._context.tracer.emit(STREAMS, "stream", stream=stream, size=totals.size, chunks=totals.chunks)
            return totals
        self._drain()
        raise failure

    def _read_stream(self, source: Any, stream: object) -> StreamTotals:
        hasher = new_hasher(self._options.stream_digest) if self._options.stream_digest else None
        size = chunks = 0
        with open_blocks(source, self._options.profile, self._pool) as blocks:
            while (work := self._read_block(blocks, stream)) is not None:
                block = work.block
                if hasher is not None:
                    begun = time.perf_counter()
                    hasher.update(block.data)
                    work.busy["digest"] = time.perf_counter() - begun
                size, chunks = size + len(block.data), chunks + len(block.ends)
                # With something to compress for every worker this thread would only wait: it hashes as well.
                here = not self._hashing and (len(self._packing) >= self._context.workers
                                              or (len(block.data) < _SMALL_BLOCK_BYTES and not self._packing))
                work.start_hashing(self._digest_chunks, None if here else self._executor)
                self._hashing.append(work)
                self._advance()
        return StreamTotals(size, chunks, hasher.hexdigest() if hasher is not None else "")

    def _read_block(self, blocks: BlockSource, stream: object) -> Work | None:
        """Wait for room, then read a block; it holds the worst case of its payloads from now on, so it can always go on."""
        block_bytes, needed = self._make_room(blocks)
        own, pooled = blocks.buffer_bytes(block_bytes), self._pool.free_bytes()
        missing = needed - (self._pool.size if own and len(self._pool) else 0)  # what is in the pool is paid for
        self._reserve(missing)
        raw = blocks.next_block(block_bytes)
        if raw is None:
            self._give_back(missing + pooled - self._pool.free_bytes())
            return None
        work = Work(Block(stream, self._index, raw.offset, raw.data, raw.ends), raw, needed)
        work.busy.update(read=blocks.read_seconds, cut=blocks.cut_seconds)
        self._index += 1
        self._shrink(work, own + packed_size_limit(len(raw.data), len(raw.ends)))
        return work

    def _make_room(self, blocks: BlockSource) -> tuple[int, int]:
        """Return how much to read and what it needs, once blocks and bytes are left for it."""
        context, profile = self._context, self._options.profile
        while True:
            self._plan.update()
            block_bytes = self._plan.block_bytes
            longest = longest_block(block_bytes, profile)
            if self._plan.is_reduced or longest != self._pool.size:
                self._empty_pool()
                self._pool.fit(longest)
            most_chunks = longest // max(1, profile.minimum - 2) + 1
            needed = blocks.buffer_bytes(block_bytes) + packed_size_limit(longest, most_chunks)
            waiting = len(self._hashing) + len(self._packing)
            if waiting < self._plan.blocks and context.budget.has_room(context.budget_name, needed):
                return block_bytes, needed
            if waiting < self._plan.blocks and len(self._pool):
                self._empty_pool()
            elif not waiting:  # alone above the soft limit: only the hard one counts
                return block_bytes, needed
            else:
                begun = time.perf_counter()
                self._wait()
                self._stalled += time.perf_counter() - begun if waiting < self._plan.blocks else 0.0
                self._advance()

    def _advance(self) -> None:
        """Move on whatever is done, without waiting. An error here is the first in the order of the input."""
        try:
            while (self._packing and self._packing[0].job.done()) or (self._hashing and self._hashing[0].job.done()):
                while self._packing and self._packing[0].job.done():
                    self._put_first()
                if self._hashing and self._hashing[0].job.done():
                    self._promote_first()
        except BaseException:
            self._failed = True
            raise

    def _wait(self) -> None:
        """Sleep until the head of a queue is done."""
        wait([queue[0].job for queue in (self._packing, self._hashing) if queue], return_when=FIRST_COMPLETED)

    def _drain(self) -> None:
        self._advance()
        while self._hashing or self._packing:
            self._wait()
            self._advance()

    def _promote_first(self) -> None:
        """Let the first hashed block be compressed; an error of it comes after those of the blocks before it."""
        work = self._hashing.popleft()
        try:
            work.job.result()
            work.check_digests()
            self._choose_new(work)
            small = len(work.block.data) < _SMALL_BLOCK_BYTES and not self._packing
            work.start_packing(self._pack, None if small else self._executor)
            self._packing.append(work)
            return
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        while self._packing:
            self._put_first()
        raise failure

    def _choose_new(self, work: Work) -> None:
        block = work.block
        if not self._options.deduplicate:
            block.fresh = range(len(block.digests))
            return
        is_known, coming, fresh = self._sink.is_known, self._coming, []
        for at, digest in enumerate(block.digests):
            if digest not in coming and not is_known(digest):
                coming.add(digest)
                fresh.append(at)
        block.fresh = fresh

    def _put_first(self) -> None:
        work = self._packing.popleft()
        work.job.result()
        work.check_payloads()
        block = work.block
        packed = payload_bytes(block.payloads)
        self._count_packed(work)
        self._shrink(work, min(work.held_bytes, (len(work.buffer) if work.buffer is not None else 0) + packed
                               + len(block.ends) * BYTES_PER_CHUNK))
        begun = time.perf_counter()
        self._sink.put(block)
        work.busy["put"] = time.perf_counter() - begun
        work.waited["put"] = begun - work.ready
        if self._options.deduplicate:
            self._coming.difference_update(block.digests[at] for at in block.fresh)
        size = len(block.data)
        self._note(work)
        self._retire(work)
        self._context.progress.advance(size)

    # Bookkeeping.

    def _count_packed(self, work: Work) -> None:
        block, sizes = work.block, work.block.sizes()
        self._new_chunks += len(block.fresh)
        self._new_bytes += sum(sizes[at] for at in block.fresh)
        self._packed_bytes += sum(len(payload.data) for payload in block.payloads)

    def _note(self, work: Work) -> None:
        """Add up the times of a block that was put: once for each block, not for each chunk."""
        block, context = work.block, self._context
        for name, seconds in work.busy.items():
            self._times[name].add(seconds, len(block.data), work.waited.get(name, 0.0), by_worker=name in work.by_workers)
        if context.metrics.enabled:
            prefix = context.metrics_prefix
            context.metrics.add(
                counts={f"{prefix}.blocks": 1, f"{prefix}.bytes": len(block.data), f"{prefix}.chunks": len(block.ends),
                        f"{prefix}.new_chunks": len(block.fresh)},
                seconds={f"{prefix}.{name}": seconds for name, seconds in work.busy.items()})
            context.metrics.record_peak(prefix, self._peak_bytes)
        if context.watch is not None:
            for name, seconds in work.busy.items():
                context.watch.check(f"{context.metrics_prefix}.{name}", seconds)
        if context.tracer.level:
            context.tracer.emit(BLOCKS, "block", index=block.index, offset=block.offset, size=len(block.data),
                                chunks=len(block.ends), fresh=len(block.fresh), **work.busy)
            if context.tracer.level >= CHUNKS:
                for digest, end, size in zip(block.digests, block.ends, block.sizes(), strict=True):
                    context.tracer.emit(CHUNKS, "chunk", offset=block.offset + end - size, size=size, digest=digest.hex())

    def _reserve(self, size: int) -> None:
        self._context.budget.reserve(self._context.budget_name, size)
        self._held_bytes += size
        self._peak_bytes = max(self._peak_bytes, self._held_bytes)

    def _give_back(self, size: int) -> None:
        self._context.budget.release(self._context.budget_name, size)
        self._held_bytes -= size

    def _shrink(self, work: Work, size: int) -> None:
        self._give_back(work.held_bytes - size)
        work.held_bytes = size

    def _retire(self, work: Work) -> None:
        """Let go of a block that was put; its buffer is kept for the next one, and stays paid for."""
        buffer, held = work.buffer, work.held_bytes
        work.drop()
        if buffer is not None and self._pool.give(buffer):
            held -= len(buffer)
        self._give_back(held)

    def _empty_pool(self) -> None:
        self._give_back(self._pool.free_bytes())
        self._pool.clear()

    # Beginning and end.

    def _require(self, state: str, problem: str) -> None:
        if self._state != state:
            raise ConfigError(problem, field="run")

    def _guarded(self, work: Callable[[], Result]) -> Result:
        """Call *work*; whatever it raises ends the run, with no thread left that works for it."""
        try:
            return work()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        """End the run: jobs that did not begin are dropped, those that did are waited for."""
        if self._state == "over":
            return
        self._state = "over"
        self._seconds = time.perf_counter() - self._started
        try:
            running: list[Future[None]] = [work.job for work in (*self._hashing, *self._packing) if not work.job.cancel()]
            if self._own_pool is not None:
                self._own_pool.shutdown(wait=True, cancel_futures=True)
            else:
                wait(running)  # a cancelled one may lie in the queue of a busy executor for long
        finally:
            self._hashing.clear()
            self._packing.clear()
            self._coming.clear()
            self._pool.clear()
            self._give_back(self._held_bytes)
