"""The first error in the order of the input ends a run, whatever runs it; nothing works on, and nothing stays reserved."""

from __future__ import annotations

import io
import os
import random
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from siltstone.content.pipeline import Pipeline, PipelineContext, PipelineOptions
from siltstone.content.pipeline_block import Block, DiscardingSink, Payload
from siltstone.content.profiles import Profile
from siltstone.core import Budget, BudgetExceeded, Cancelled, ConfigError, CorruptDataError, Progress

PROFILE = Profile(minimum=2048, target=8192, maximum=32768)
BLOCK_BYTES = 50_000  # above what is done without a worker
DATA = random.Random(99).randbytes(8 * BLOCK_BYTES)
OPTIONS = PipelineOptions(profile=PROFILE, block_bytes=BLOCK_BYTES)
STAGES = ("read", "hash", "known", "compress", "put")


class Fault(Exception):
    """Raised on purpose."""


class BlocksSink(DiscardingSink):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[tuple[int, list[bytes]]] = []

    def put(self, block: Block) -> None:
        super().put(block)
        self.blocks.append((block.index, [bytes(chunk[:16]) for chunk in block.chunks()]))


def chunks_of_blocks() -> list[set[bytes]]:
    sink = BlocksSink()
    Pipeline(OPTIONS).run(DATA, sink)
    return [set(firsts) for _, firsts in sink.blocks]


BLOCKS = chunks_of_blocks()


class Saboteur:
    """A source, a sink and two stages that fail at the given blocks."""

    def __init__(self, faults: Sequence[tuple[str, int]], error: type[BaseException] = Fault) -> None:
        self.faults, self.error = faults, error
        self.put_blocks: list[int] = []
        self.read = io.BytesIO(DATA).readinto
        self.working = 0
        self.lock = threading.Lock()
        self._asked = 0

    def _fail(self, stage: str, block: int) -> None:
        if (stage, block) in self.faults:
            raise self.error(f"{stage} {block}")

    def readinto(self, window: memoryview) -> int:
        count = self.read(window)
        self._fail("read", self._asked)
        self._asked += 1
        return count

    def digest_chunks(self, chunks: Sequence[memoryview]) -> list[bytes]:
        with self.lock:
            self.working += 1
        try:
            self._fail("hash", self._block_of(bytes(chunks[0][:16])))
            return [bytes(chunk[:16]) for chunk in chunks]
        finally:
            with self.lock:
                self.working -= 1

    def pack(self, chunks: Sequence[memoryview]) -> list[Payload]:
        with self.lock:
            self.working += 1
        try:
            self._fail("compress", self._block_of(bytes(chunks[0][:16])))
            return [Payload(0, chunk) for chunk in chunks]
        finally:
            with self.lock:
                self.working -= 1

    def is_known(self, digest: bytes) -> bool:
        self._fail("known", self._block_of(digest))
        return False

    def put(self, block: Block) -> None:
        self._fail("put", block.index)
        self.put_blocks.append(block.index)

    @staticmethod
    def _block_of(first: bytes) -> int:
        return next(index for index, firsts in enumerate(BLOCKS) if first in firsts)


def run_with(saboteur: Saboteur, context: PipelineContext) -> BaseException:
    pipeline = Pipeline(OPTIONS, context, pack=saboteur.pack, digest_chunks=saboteur.digest_chunks)
    with pytest.raises(saboteur.error) as caught, pipeline.open(saboteur) as run:
        run.add(saboteur)
    assert saboteur.working == 0
    assert context.budget.reserved("pipeline") == 0
    with pytest.raises(ConfigError, match="over"):
        run.add(b"more")
    return caught.value


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("block", range(len(BLOCKS) - 1))
def test_an_error_in_any_stage_of_any_block_ends_the_run_at_that_block(stage, block):
    threads = threading.active_count()
    for workers in (0, 1, 3):
        saboteur = Saboteur([(stage, block)])
        error = run_with(saboteur, PipelineContext(workers=workers))
        assert str(error) == f"{stage} {block}"
        assert saboteur.put_blocks == list(range(block))
        assert threading.active_count() == threads


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_of_several_errors_the_first_in_the_order_of_the_input_is_raised(workers):
    rng = random.Random(5)
    places = [(stage, block) for stage in STAGES for block in range(len(BLOCKS) - 1)]
    for _ in range(25):
        faults = rng.sample(places, 4)
        saboteur = Saboteur(faults)
        first = min(faults, key=lambda fault: (fault[1], STAGES.index(fault[0])))
        assert str(run_with(saboteur, PipelineContext(workers=workers))) == f"{first[0]} {first[1]}"
        assert saboteur.put_blocks == list(range(first[1]))


def test_a_later_block_that_fails_sooner_waits_for_its_turn():
    failed = threading.Event()

    class Racing(Saboteur):
        def _fail(self, stage: str, block: int) -> None:
            if (stage, block) == ("hash", 3):
                failed.set()
            if (stage, block) == ("compress", 1):
                assert failed.wait(30)
            super()._fail(stage, block)

    saboteur = Racing([("compress", 1), ("hash", 3)])
    assert str(run_with(saboteur, PipelineContext(workers=2))) == "compress 1"
    assert saboteur.put_blocks == [0]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Cancelled])
def test_a_stop_in_any_stage_leaves_no_thread_and_no_byte(stage, kind):
    threads = threading.active_count()
    for workers in (0, 2):
        saboteur = Saboteur([(stage, 2)], kind)
        run_with(saboteur, PipelineContext(workers=workers))
        assert saboteur.put_blocks in ([], [0], [0, 1])
        assert threading.active_count() == threads


def test_an_executor_that_was_given_works_on_after_an_error():
    with ThreadPoolExecutor(2) as pool:
        for stage in STAGES:
            run_with(Saboteur([(stage, 3)]), PipelineContext(executor=pool, workers=2))
            assert list(pool.map(len, [b"a", b"bc"])) == [1, 2]


def test_a_busy_executor_does_not_hold_up_the_error():
    release = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        class BlockedSink(Saboteur):
            def put(self, block: Block) -> None:
                pool.submit(release.wait)  # from now on the executor belongs to somebody else
                raise Fault("sink")

        run_with(BlockedSink([]), PipelineContext(executor=pool, workers=1))
        release.set()


def test_progress_stops_the_run_between_two_blocks():
    progress, sink = Progress(), BlocksSink()

    class StoppingSink(BlocksSink):
        def put(self, block: Block) -> None:
            super().put(block)
            if block.index == 2:
                progress.cancel()

    for workers in (0, 2):
        progress, sink = Progress(), StoppingSink()
        context = PipelineContext(workers=workers, progress=progress)
        with pytest.raises(Cancelled):
            Pipeline(OPTIONS, context).run(DATA, sink)
        assert [index for index, _ in sink.blocks] == [0, 1, 2]
        assert context.budget.reserved("pipeline") == 0


def test_an_interrupt_from_the_keyboard_stops_the_run():
    threads = threading.active_count()

    class InterruptedSink(BlocksSink):
        def put(self, block: Block) -> None:
            super().put(block)
            signal.raise_signal(signal.SIGINT)

    sink = InterruptedSink()
    with pytest.raises(KeyboardInterrupt):
        Pipeline(OPTIONS, PipelineContext(workers=2)).run(DATA, sink)
    assert len(sink.blocks) == 1
    assert threading.active_count() == threads


def test_an_error_between_two_streams_ends_the_run():
    context, sink = PipelineContext(workers=2), BlocksSink()
    with pytest.raises(Fault), Pipeline(OPTIONS, context).open(sink) as run:
        run.add(DATA)
        raise Fault("of the caller")
    assert context.budget.reserved("pipeline") == 0


@pytest.mark.parametrize(("count", "problem"), [(None, "wait"), (-1, "gave"), (1 << 30, "gave")])
def test_a_source_that_lies_is_refused(count, problem):
    class Liar:
        def readinto(self, window):
            return count

    with pytest.raises(ConfigError, match=problem):
        Pipeline(OPTIONS).run(Liar(), DiscardingSink())

    class CopyingLiar:
        def read(self, size):
            return None if count is None else bytes(size + 1)

    with pytest.raises(ConfigError, match=r"wait|gave"):
        Pipeline(OPTIONS).run(CopyingLiar(), DiscardingSink())


def test_stages_that_lose_a_chunk_are_found_out():
    with pytest.raises(ConfigError, match="digests for"):
        Pipeline(OPTIONS, digest_chunks=lambda chunks: [b"x"]).run(DATA, DiscardingSink())
    with pytest.raises(ConfigError, match="packed 1 of"):
        Pipeline(OPTIONS, pack=lambda chunks: [Payload(0, chunks[0])]).run(DATA, DiscardingSink())


def test_one_block_above_the_hard_limit_is_an_error_after_the_blocks_before_it():
    budget = Budget(pipeline=100_000)
    context, sink = PipelineContext(workers=2, budget=budget), BlocksSink()
    with pytest.raises(BudgetExceeded) as caught, Pipeline(OPTIONS, context).open(sink) as run:
        run.add(b"tiny, and a view: it needs no buffer" * 10)
        run.add(io.BytesIO(DATA))
    assert caught.value.name == "pipeline"
    assert budget.reserved("pipeline") == 0


def test_memory_that_others_hold_is_respected():
    needed = Budget(pipeline=10 << 20)
    Pipeline(OPTIONS, PipelineContext(budget=needed)).run(io.BytesIO(DATA), DiscardingSink())
    alone = needed.peak("pipeline")
    budget = Budget(pipeline=2 * alone)
    budget.reserve("pipeline", 2 * alone - alone // 2)
    with pytest.raises(BudgetExceeded):
        Pipeline(OPTIONS, PipelineContext(budget=budget, workers=2)).run(io.BytesIO(DATA), DiscardingSink())
    assert budget.reserved("pipeline") == 2 * alone - alone // 2


def test_a_file_that_shrinks_while_it_is_read_is_a_typed_error(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)

    class TruncatingSink(BlocksSink):
        def put(self, block: Block) -> None:
            super().put(block)
            os.truncate(path, BLOCK_BYTES)

    context, sink = PipelineContext(), TruncatingSink()
    with pytest.raises(CorruptDataError):
        Pipeline(OPTIONS, context).run(path, sink)
    assert context.budget.reserved("pipeline") == 0
