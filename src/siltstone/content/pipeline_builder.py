"""A pipeline put together stage by stage, as one reads it.

    pipeline = PipelineBuilder().cut("fastcdc-64k").hash("blake3").compress("zstd", level=3).workers(2).build()

A builder never changes: each call returns another one, so a half-made pipeline can be shared and varied.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from siltstone.content.buffer_plan import ADAPTIVE
from siltstone.content.pipeline import DEFAULT_BLOCK_BYTES, Pipeline, PipelineContext, PipelineOptions
from siltstone.content.pipeline_block import DigestChunks, Pack
from siltstone.content.profiles import Profile, get_profile
from siltstone.core.budget import Budget
from siltstone.core.latency import LatencyWatch
from siltstone.core.memory_pressure import MemoryState, PressureLimits, read_memory_state
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress
from siltstone.core.tracing import NO_TRACER, Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineBuilder:
    """What was chosen so far; every choice is checked when it is made."""

    options: PipelineOptions = field(default_factory=PipelineOptions)
    context: PipelineContext = field(default_factory=PipelineContext)
    packer: Pack | None = None
    digester: DigestChunks | None = None

    def read(self, *, block_bytes: int = DEFAULT_BLOCK_BYTES, blocks: int | None = None) -> PipelineBuilder:
        """Read *block_bytes* for each piece of work; at most *blocks* of them are on their way at once."""
        return replace(self, options=replace(self.options, block_bytes=block_bytes, blocks=blocks))

    def cut(self, profile: str | Profile) -> PipelineBuilder:
        """Cut by *profile*, or by the one of that name."""
        profile = get_profile(profile) if isinstance(profile, str) else profile
        return replace(self, options=replace(self.options, profile=profile))

    def hash(self, algorithm: str, *, streams: str | None = None) -> PipelineBuilder:
        """Hash chunks by *algorithm*, and whole streams by *streams*, if by any."""
        return replace(self, options=replace(self.options, algorithm=algorithm, stream_digest=streams), digester=None)

    def hash_by(self, digest_chunks: DigestChunks) -> PipelineBuilder:
        """Hash the chunks of each block by *digest_chunks*."""
        return replace(self, digester=digest_chunks)

    def compress(self, codec: str, *, level: int = 3) -> PipelineBuilder:
        """Compress each new chunk by itself."""
        return replace(self, options=replace(self.options, codec=codec, level=level), packer=None)

    def compress_by(self, pack: Pack) -> PipelineBuilder:
        """Compress the new chunks of each block by *pack*, which may join them."""
        return replace(self, packer=pack)

    def keep_duplicates(self) -> PipelineBuilder:
        """Compress every chunk, without asking the sink which it knows."""
        return replace(self, options=replace(self.options, deduplicate=False))

    def workers(self, count: int) -> PipelineBuilder:
        """Hash and compress in *count* threads, which each run starts and ends; 0: all in the calling thread."""
        return replace(self, context=replace(self.context, executor=None, workers=count))

    def over(self, executor: Executor, *, workers: int) -> PipelineBuilder:
        """Hash and compress in *executor*, which has *workers* threads and stays open."""
        return replace(self, context=replace(self.context, executor=executor, workers=workers))

    def within(self, budget: Budget, *, name: str = "pipeline") -> PipelineBuilder:
        """Take all memory for blocks, payloads and queues from *budget*: wait above its soft limit, fail at its hard one."""
        return replace(self, context=replace(self.context, budget=budget, budget_name=name))

    def shrink_under_pressure(self, limits: PressureLimits | None = None, *,
                              read_state: Callable[[], MemoryState] = read_memory_state) -> PipelineBuilder:
        """Let blocks become fewer and smaller while the system is short of memory."""
        context = replace(self.context, pressure_limits=limits or PressureLimits(), read_memory_state=read_state)
        return replace(self, options=replace(self.options, strategy=ADAPTIVE), context=context)

    def observe(self, *, progress: Progress = NO_PROGRESS, metrics: Metrics = NO_METRICS, metrics_prefix: str = "pipeline",
                tracer: Tracer = NO_TRACER, watch: LatencyWatch | None = None) -> PipelineBuilder:
        """Tell how far the work is and what it takes, and be told to stop."""
        return replace(self, context=replace(self.context, progress=progress, metrics=metrics,
                                             metrics_prefix=metrics_prefix, tracer=tracer, watch=watch))

    def build(self) -> Pipeline:
        """Return the pipeline."""
        return Pipeline(self.options, self.context, pack=self.packer, digest_chunks=self.digester)
