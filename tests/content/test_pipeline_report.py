"""Reports add up and name what the others wait for; tracing, metrics and warnings cost a run nothing when they are off."""

from __future__ import annotations

import json
import random
import sys

import pytest
from blake3 import blake3

from siltstone.content.buffer_plan import ADAPTIVE, FIXED, BufferPlan
from siltstone.content.pipeline import Pipeline, PipelineContext, PipelineOptions
from siltstone.content.pipeline_block import DiscardingSink
from siltstone.content.pipeline_builder import PipelineBuilder
from siltstone.content.pipeline_report import STAGES, StageTimes, find_bottleneck, report_of
from siltstone.content.profiles import PROFILES, Profile
from siltstone.core import Budget, ConfigError, Metrics
from siltstone.core.latency import LatencyWatch
from siltstone.core.memory_pressure import MemoryState, PressureLimits
from siltstone.core.tracing import BLOCKS, CHUNKS, OFF, STREAMS, Tracer

SMALL = Profile(minimum=64, target=256, maximum=1024)
OPTIONS = PipelineOptions(profile=SMALL, block_bytes=40_000)
DATA = random.Random(17).randbytes(400_000)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_report_adds_up(workers):
    summary = Pipeline(OPTIONS, PipelineContext(workers=workers)).run(DATA, DiscardingSink())
    report = summary.report
    assert [stage.name for stage in report.stages] == list(STAGES)
    assert sum(stage.share for stage in report.stages) == pytest.approx(1.0)
    assert {stage.size for stage in report.stages} == {len(DATA)}
    assert {stage.blocks for stage in report.stages} == {report.stages[0].latency["count"]}
    assert sum(stage.busy_seconds for stage in report.stages) <= report.seconds * (workers + 1)
    assert report.bottleneck in STAGES
    assert report.suggestion.startswith(("the ", "cutting", "hashing", "compressing"))
    assert json.loads(json.dumps(report.as_dict()))["stages"]["hash"]["bytes"] == len(DATA)


def test_a_run_that_did_nothing_has_a_report_too():
    report = Pipeline(OPTIONS).open(DiscardingSink()).report()
    assert (report.bottleneck, report.suggestion, report.seconds) == ("", "nothing was done", 0.0)


def busy(workers: int, **seconds: float) -> dict[str, StageTimes]:
    """Return times of one block; hashing and compressing were done by workers, where there are any."""
    times = {name: StageTimes() for name in STAGES}
    for name, spent in seconds.items():
        times[name].add(spent, 1, by_worker=workers > 0 and name in ("hash", "compress"))
    return times


@pytest.mark.parametrize(("seconds", "workers", "expected"), [
    ({"compress": 8.0, "read": 1.0}, 0, "compress"),
    ({"compress": 8.0, "read": 1.0}, 2, "compress"),
    ({"compress": 4.0, "read": 3.5, "put": 0.2}, 4, "read"),  # four workers are mostly idle: the one reader is not
    ({"compress": 4.0, "hash": 1.0, "put": 3.9}, 8, "put"),
    ({"compress": 7.5, "read": 3.9}, 2, "compress"),  # both are busy all the time
    ({}, 2, ""),
])
def test_the_bottleneck_is_what_was_scarce(seconds, workers, expected):
    assert find_bottleneck(busy(workers, **seconds), 4.0, workers) == expected


def test_a_reader_that_the_budget_stopped_is_told_so():
    times = {name: StageTimes() for name in STAGES}
    times["compress"].add(3.0, 10)
    report = report_of(times, seconds=4.0, workers=1, stalled_seconds=2.0, peak_bytes=7)
    assert "memory budget stopped the reader 50% of the time" in report.suggestion


class SpyingTracer(Tracer):
    """Counts how often it is looked at, and refuses to be called."""

    __slots__ = ("looks",)

    def __init__(self) -> None:
        self.looks = 0

    @property
    def level(self) -> int:
        self.looks += 1
        return OFF

    def emit(self, level, name, **fields):
        raise AssertionError("called while off")


def test_tracing_that_is_off_is_one_look_for_each_block_and_stream():
    tracer, metrics = SpyingTracer(), Metrics()
    Pipeline(OPTIONS, PipelineContext(tracer=tracer, metrics=metrics)).run(DATA, DiscardingSink())
    assert tracer.looks == metrics.counter("pipeline.blocks") + 1


@pytest.mark.parametrize(("level", "names"), [
    (STREAMS, {"stream"}), (BLOCKS, {"stream", "block"}), (CHUNKS, {"stream", "block", "chunk"}),
])
def test_each_level_of_tracing_tells_more(level, names):
    events = []
    context = PipelineContext(workers=1, tracer=Tracer(events.append, level=level))
    summary = Pipeline(OPTIONS, context).run(DATA, DiscardingSink(), stream="data")
    assert {event.name for event in events} == names
    if level == CHUNKS:
        assert sum(event.name == "chunk" for event in events) == summary.chunks
        ends = [event.fields["offset"] + event.fields["size"] for event in events if event.name == "chunk"]
        assert ends == sorted(ends)
        assert ends[-1] == len(DATA)


def test_the_level_changes_while_a_run_goes_on():
    events = []
    tracer = Tracer(events.append, level=OFF)

    class SwitchingSink(DiscardingSink):
        def put(self, block):
            super().put(block)
            tracer.level = BLOCKS if block.index in (2, 3) else OFF

    Pipeline(OPTIONS, PipelineContext(workers=2, tracer=tracer)).run(DATA, SwitchingSink())
    assert [event.fields["index"] for event in events] == [2, 3]


def test_a_stage_that_takes_too_long_is_warned_about_once(caplog):
    context = PipelineContext(watch=LatencyWatch({"pipeline.compress": 1e-9}))
    Pipeline(OPTIONS, context).run(DATA, DiscardingSink())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "pipeline.compress took" in caplog.text


def test_looking_on_changes_no_allocation_for_each_block_when_off():
    def blocks_allocated() -> int:
        before = sys.getallocatedblocks()
        Pipeline(OPTIONS).run(DATA, DiscardingSink())
        return sys.getallocatedblocks() - before

    blocks_allocated()
    assert min(blocks_allocated() for _ in range(5)) <= 50  # a run leaves nothing behind


# Buffers under pressure.


class System:
    """Stands for the machine: memory is short while *short* is true; each look at the clock takes a second."""

    def __init__(self) -> None:
        self.short = False
        self.seconds = 0.0

    def state(self) -> MemoryState:
        return MemoryState(available_share=0.01 if self.short else 0.9)

    def clock(self) -> float:
        self.seconds += 1.0
        return self.seconds


def test_buffers_shrink_step_by_step_and_recover():
    system = System()
    plan = BufferPlan(ADAPTIVE, block_bytes=4 << 20, blocks=6, read_state=system.state, clock=system.clock)
    sizes = []
    for system.short in [True] * 10 + [False] * 7:
        plan.update()
        sizes.append((plan.blocks, plan.block_bytes >> 10))
    shrinking = [(3, 4096), (1, 4096), (1, 2048), (1, 1024), (1, 512), (1, 256)]
    assert sizes[:10] == shrinking + [(1, 256)] * 4
    assert sizes[10:] == [*reversed(shrinking[:-1]), (6, 4096), (6, 4096)]
    assert plan.reductions == 6
    assert not plan.is_reduced


def test_a_fixed_plan_never_looks():
    def forbidden() -> MemoryState:
        raise AssertionError("must not be asked")

    plan = BufferPlan(FIXED, block_bytes=1000, blocks=4, read_state=forbidden)
    plan.update()
    assert (plan.blocks, plan.block_bytes, plan.is_reduced) == (4, 1000, False)


def test_the_system_is_asked_four_times_a_second_at_most():
    asked = []
    now = 0.0

    def state() -> MemoryState:
        asked.append(now)
        return MemoryState()

    plan = BufferPlan(ADAPTIVE, block_bytes=1000, blocks=4, read_state=state, clock=lambda: now)
    for step in range(101):
        now = step / 100
        plan.update()
    assert len(asked) <= 5


def test_a_run_under_pressure_stores_the_same_in_less_memory():
    system = System()
    peaks, results = [], []
    for system.short in (False, True):
        budget, sink = Budget(), DiscardingSink()
        builder = PipelineBuilder().cut(SMALL).read(block_bytes=100_000, blocks=6).workers(2).within(budget)
        pipeline = builder.shrink_under_pressure(PressureLimits(available_share=0.05), read_state=system.state).build()
        with pipeline.open(sink) as run:
            run._plan._clock = system.clock
            run.add([DATA])
        peaks.append(budget.peak("pipeline"))
        results.append(sink.digests)
    assert results[0] == results[1]
    assert peaks[1] < peaks[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_pressure_that_comes_and_goes_changes_no_result(workers):
    system, sink, sizes = System(), DiscardingSink(), []

    class WatchingSink(DiscardingSink):
        def put(self, block):
            super().put(block)
            sizes.append(len(block.data))
            system.short = block.index % 16 < 10

    context = PipelineContext(workers=workers, read_memory_state=system.state)
    options = PipelineOptions(profile=SMALL, block_bytes=200_000, blocks=4, strategy=ADAPTIVE)
    with Pipeline(options, context).open(WatchingSink()) as run:
        run._plan._clock = system.clock
        totals = run.add([DATA * 20])
    Pipeline(OPTIONS).run(DATA, sink)
    assert totals.size == sum(sizes) == len(DATA) * 20
    assert totals.digest == blake3(DATA * 20).hexdigest()
    assert min(sizes[:-1]) < 100_000 < max(sizes)
    assert run._plan.reductions > 4
    assert context.budget.reserved("pipeline") == 0


def test_a_builder_makes_what_the_options_say():
    base = PipelineBuilder().cut("fastcdc-16k").hash("sha256", streams="blake3").compress("zstd", level=9)
    pipeline = base.workers(2).read(block_bytes=1 << 20, blocks=3).keep_duplicates().build()
    assert pipeline.options == PipelineOptions(
        profile=PROFILES["fastcdc-16k"], algorithm="sha256", stream_digest="blake3", level=9, block_bytes=1 << 20, blocks=3,
        deduplicate=False)
    assert pipeline.context.workers == 2
    assert base.context.workers == 0
    with pytest.raises(ConfigError, match="level"):
        base.compress("zstd", level=77)
    own = base.hash_by(lambda chunks: [b"d" for _ in chunks]).compress_by(lambda chunks: []).build()
    assert own.digest_chunks([memoryview(b"x")]) == [b"d"]
    assert own.pack([]) == []
