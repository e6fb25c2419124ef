"""A pipeline over content: read, cut, hash, compress what is new, put; in order, in bounded memory, over any executor.

The options say what is made of the bytes, the context (executor, budget, progress …) how: no context ever changes a
stored byte, with one exception that `PipelineOptions.strategy` names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from siltstone.content.buffer_plan import FIXED, STRATEGIES
from siltstone.content.compression import Compressor
from siltstone.content.hashing import ALGORITHMS, BLAKE3, digests_of
from siltstone.content.pipeline_block import DigestChunks, Pack, Payload, Sink
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import ConfigError
from siltstone.core.latency import LatencyWatch
from siltstone.core.memory_pressure import MemoryState, PressureLimits, read_memory_state
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.core.tracing import NO_TRACER, Tracer

if TYPE_CHECKING:
    from siltstone.content.pipeline_run import PipelineRun, PipelineSummary

DEFAULT_BLOCK_BYTES = 4 * MIB
_BLOCK_RANGE = (1, 256 * MIB)
MOST_WORKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """What a pipeline makes of its input.

    *stream_digest* names the hash of each whole stream, None for none. *deduplicate*: ask the sink which chunks it knows;
    without, all are compressed. *block_bytes* are read for each piece of work, *blocks* is how many pieces may be on their
    way at once (None: twice the workers and one more). *strategy* ``adaptive`` lets both shrink while the system is short
    of memory, which moves the groups of a packer that joins chunks.
    """

    profile: Profile = DEFAULT_PROFILE
    algorithm: str = BLAKE3
    stream_digest: str | None = BLAKE3
    codec: str = "zstd"
    level: int = 3
    deduplicate: bool = True
    block_bytes: int = DEFAULT_BLOCK_BYTES
    blocks: int | None = None
    strategy: str = FIXED

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ConfigError(f"expected one of {', '.join(ALGORITHMS)}, got {self.algorithm!r}", field="algorithm")
        if self.stream_digest is not None and self.stream_digest not in ALGORITHMS:
            raise ConfigError(f"expected one of {', '.join(ALGORITHMS)}, got {self.stream_digest!r}", field="stream_digest")
        if self.strategy not in STRATEGIES:
            raise ConfigError(f"expected one of {', '.join(STRATEGIES)}, got {self.strategy!r}", field="strategy")
        low, high = _BLOCK_RANGE
        if type(self.block_bytes) is not int or not low <= self.block_bytes <= high:
            raise ConfigError(f"expected {low} to {high} bytes, got {self.block_bytes!r}", field="block_bytes")
        if self.blocks is not None and (type(self.blocks) is not int or not 1 <= self.blocks <= 4 * MOST_WORKERS):
            raise ConfigError(f"expected 1 to {4 * MOST_WORKERS}, got {self.blocks!r}", field="blocks")
        Compressor(self.codec, level=self.level)  # names the field that is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """What a pipeline works with: threads, limits, and who looks on.

    *executor* must run threads of this process; it stays open. *workers* is the number of its threads, or, without an
    executor, of a pool that each run starts and ends; 0 means none: all is done in the calling thread.
    """

    executor: Executor | None = None
    workers: int = 0
    budget: Budget = field(default_factory=Budget)
    budget_name: str = "pipeline"
    progress: Progress = NO_PROGRESS
    metrics: Metrics = NO_METRICS
    metrics_prefix: str = "pipeline"
    tracer: Tracer = NO_TRACER
    watch: LatencyWatch | None = None
    pressure_limits: PressureLimits = field(default_factory=PressureLimits)
    read_memory_state: Callable[[], MemoryState] = read_memory_state

    def __post_init__(self) -> None:
        if type(self.workers) is not int or not 0 <= self.workers <= MOST_WORKERS:
            raise ConfigError(f"expected 0 to {MOST_WORKERS}, got {self.workers!r}", field="workers")
        if self.executor is not None and self.workers == 0:
            raise ConfigError("an executor needs the number of its threads: expected 1 or more", field="workers")
        self.budget.limit(self.budget_name)


class Pipeline:
    """Options and context, checked and ready; holds nothing open, so any number of runs may follow or run side by side."""

    def __init__(self, options: PipelineOptions | None = None, context: PipelineContext | None = None, *,
                 pack: Pack | None = None, digest_chunks: DigestChunks | None = None) -> None:
        """Use *pack* and *digest_chunks* in place of what the options name, for compressing and hashing a block's chunks."""
        self.options = options or PipelineOptions()
        self.context = context or PipelineContext()
        self.pack = pack or pack_chunks_one_by_one(Compressor(self.options.codec, level=self.options.level))
        self.digest_chunks = digest_chunks or _digests_by(self.options.algorithm)

    def open(self, sink: Sink) -> PipelineRun:
        """Return a ``with`` block that takes streams one after the other and hands their blocks to *sink*."""
        from siltstone.content.pipeline_run import PipelineRun

        return PipelineRun(self, sink)

    def run(self, source: Any, sink: Sink, *, stream: object = None) -> PipelineSummary:
        """Send *source* (a path, a file object, a buffer, an iterable of buffers) through; return what came of it.

        The first error in the order of the input ends the run and is raised; no thread works on afterwards.
        """
        with self.open(sink) as run:
            run.add(source, stream=stream)
        return run.summary()


def pack_chunks_one_by_one(compressor: Compressor) -> Pack:
    """Return a packer that makes one payload of each chunk."""

    def pack(chunks: Sequence[memoryview]) -> list[Payload]:
        return [Payload(*compressor.compress(chunk)) for chunk in chunks]

    return pack


def _digests_by(algorithm: str) -> DigestChunks:
    def digest_chunks(chunks: Sequence[memoryview]) -> list[bytes]:
        return digests_of(chunks, algorithm=algorithm)

    return digest_chunks
