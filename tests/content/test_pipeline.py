"""A pipeline gives the blocks of the plain loop over chunks, in order, whatever runs it and however little it may hold."""

from __future__ import annotations

import hashlib
import io
import random
import threading
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from blake3 import blake3
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone.content.block_source import BufferPool, longest_block, open_blocks
from siltstone.content.chunking import iter_chunks
from siltstone.content.compression import Compressor
from siltstone.content.pipeline import Pipeline, PipelineContext, PipelineOptions
from siltstone.content.pipeline_block import Block, DiscardingSink, Payload
from siltstone.content.profiles import PROFILES, Profile
from siltstone.core import Budget, BudgetExceeded, ConfigError, Metrics, Progress

SMALL = Profile(minimum=64, target=256, maximum=1024)


class KeepingSink:
    """Copies what it is given, as a store would."""

    def __init__(self) -> None:
        self.kept: dict[bytes, tuple[int, bytes]] = {}
        self.records: list[tuple[object, int, bytes, int]] = []

    def is_known(self, digest: bytes) -> bool:
        return digest in self.kept

    def put(self, block: Block) -> None:
        for at, payload in zip(block.fresh, block.payloads, strict=True):
            self.kept[block.digests[at]] = (payload.codec, bytes(payload.data))
        start = 0
        for digest, end in zip(block.digests, block.ends, strict=True):
            self.records.append((block.stream, block.offset + start, digest, end - start))
            start = end

    def result(self) -> tuple[object, object]:
        return list(self.kept.items()), self.records


def plainly(sources: Sequence[bytes], profile: Profile) -> tuple[object, object]:
    """Do the same in a loop over single chunks."""
    kept: dict[bytes, tuple[int, bytes]] = {}
    records: list[tuple[object, int, bytes, int]] = []
    compressor = Compressor("zstd", level=3)
    for stream, data in enumerate(sources):
        offset = 0
        for chunk in iter_chunks(data, profile=profile):
            digest = blake3(chunk).digest()
            if digest not in kept:
                codec, packed = compressor.compress(chunk)
                kept[digest] = (codec, bytes(packed))
            records.append((stream, offset, digest, len(chunk)))
            offset += len(chunk)
    return list(kept.items()), records


def piped(sources: Sequence[object], options: PipelineOptions, context: PipelineContext) -> tuple[object, object]:
    sink = KeepingSink()
    with Pipeline(options, context).open(sink) as run:
        for stream, source in enumerate(sources):
            run.add(source, stream=stream)
    assert context.budget.reserved("pipeline") == 0
    return sink.result()


def some_data(seed: int, size: int) -> bytes:
    """Return noise, repeats and zeros in turn."""
    rng = random.Random(seed)
    pieces, total = [], 0
    while total < size:
        kind = rng.randrange(4)
        piece = (rng.randbytes(rng.randrange(1, 3000)), bytes(rng.randrange(1, 5000)), b"silt and stone " * rng.randrange(200),
                 pieces[rng.randrange(len(pieces))] if pieces else b"")[kind]
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)[:size]


CONTENTS = st.builds(some_data, st.integers(0, 99), st.integers(0, 20_000))


@settings(max_examples=60)
@given(st.lists(CONTENTS, min_size=1, max_size=3), st.integers(0, 4), st.integers(1, 9_000), st.integers(1, 5))
@example([b""], 0, 1, 1)
@example([b"x"], 2, 1, 1)
@example([b"", bytes(5_000), b"", bytes(5_000)], 3, 1_000, 2)
def test_any_number_of_workers_gives_what_the_plain_loop_gives(sources, workers, block_bytes, blocks):
    options = PipelineOptions(profile=SMALL, block_bytes=block_bytes, blocks=blocks)
    expected = plainly(sources, SMALL)
    assert piped(sources, options, PipelineContext(workers=workers)) == expected
    assert piped([io.BytesIO(data) for data in sources], options, PipelineContext(workers=workers)) == expected


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_given_executor_stays_open_and_nothing_is_started_without_one(workers):
    data = some_data(7, 200_000)
    options = PipelineOptions(profile=SMALL, block_bytes=40_000)
    before = threading.active_count()
    with ThreadPoolExecutor(3) as pool:
        context = PipelineContext(executor=pool, workers=3) if workers else PipelineContext()
        started = threading.active_count()
        assert piped([data, data], options, context) == plainly([data, data], SMALL)
        assert threading.active_count() == started if not workers else pool.submit(len, b"abc").result() == 3
    piped([data], options, PipelineContext(workers=workers))
    assert threading.active_count() == before


def test_every_kind_of_source_gives_the_same(tmp_path):
    data = some_data(3, 100_000)
    path = tmp_path / "file"
    path.write_bytes(data)
    options, context = PipelineOptions(profile=SMALL, block_bytes=10_000), PipelineContext(workers=2)

    class Trickle(io.RawIOBase):
        def __init__(self):
            self.rest, self.turn = memoryview(data), 0

        def readinto(self, window):
            self.turn += 1
            count = min(len(window), len(self.rest), 1 + self.turn % 1000)
            window[:count], self.rest = self.rest[:count], self.rest[count:]
            return count

    class OnlyRead:
        def __init__(self):
            self.read = io.BytesIO(data).read

    pieces = (data[start:start + 777] for start in range(0, len(data), 777))
    with open(path, "rb") as file:
        sources = [data, bytearray(data), memoryview(data), path, str(path), file, io.BytesIO(data), Trickle(), OnlyRead(),
                   [data], [b"", data[:5], b"", memoryview(data)[5:]], pieces]
        results = [piped([source], options, context) for source in sources]
        assert not file.closed
    assert all(result == plainly([data], SMALL) for result in results)


@pytest.mark.parametrize("source", [7, None, object(), ["text"], io.StringIO("text")])
def test_what_gives_no_bytes_is_a_type_error(source):
    with pytest.raises(TypeError):
        Pipeline(PipelineOptions(profile=SMALL)).run(source, DiscardingSink())


def test_totals_and_the_digest_of_the_whole_stream_are_told():
    sources = [some_data(1, 50_000), b"", some_data(2, 1_000)]
    sink = KeepingSink()
    with Pipeline(PipelineOptions(profile=SMALL, block_bytes=9_000), PipelineContext(workers=2)).open(sink) as run:
        totals = [run.add(data, stream=at) for at, data in enumerate(sources)]
    assert [total.digest for total in totals] == [blake3(data).hexdigest() for data in sources]
    assert [total.size for total in totals] == [len(data) for data in sources]
    summary = run.summary()
    assert (summary.size, summary.streams) == (51_000, tuple(totals))
    assert summary.chunks == len(sink.records)
    assert summary.new_chunks == len(sink.kept)
    assert summary.new_bytes == sum({digest: size for _, _, digest, size in sink.records}.values())
    assert summary.packed_bytes == sum(len(packed) for _, packed in sink.kept.values())


def test_other_hashes_and_codecs_are_used_as_asked():
    data = some_data(5, 30_000)
    options = PipelineOptions(profile=SMALL, algorithm="sha256", stream_digest=None, codec="none", block_bytes=7_000)
    sink = KeepingSink()
    summary = Pipeline(options, PipelineContext(workers=1)).run(data, sink)
    assert summary.streams[0].digest == ""
    assert all(hashlib.sha256(packed).digest() == digest for digest, (codec, packed) in sink.kept.items())


def test_a_packer_may_join_chunks():
    data = some_data(11, 60_000)
    groups: list[list[bytes]] = []

    def pack(chunks: Sequence[memoryview]) -> list[Payload]:
        half = len(chunks) // 2
        parts = [part for part in (chunks[:half], chunks[half:]) if part]
        return [Payload(9, b"".join(part), len(part)) for part in parts]

    class GroupSink(DiscardingSink):
        def put(self, block: Block) -> None:
            super().put(block)
            at = 0
            for payload in block.payloads:
                inside = [bytes(block.chunks()[one]) for one in block.fresh[at:at + payload.chunks]]
                assert b"".join(inside) == payload.data
                groups.append(inside)
                at += payload.chunks

    for workers in (0, 2):
        groups.clear()
        options = PipelineOptions(profile=SMALL, block_bytes=10_000)
        Pipeline(options, PipelineContext(workers=workers), pack=pack).run(data, GroupSink())
        expected = list(dict.fromkeys(bytes(chunk) for chunk in iter_chunks(data, profile=SMALL)))
        assert [chunk for group in groups for chunk in group] == expected


def test_without_deduplication_every_chunk_is_compressed():
    class AllSink(DiscardingSink):
        def is_known(self, digest: bytes) -> bool:
            raise AssertionError("must not be asked")

        def put(self, block: Block) -> None:
            assert len(block.payloads) == len(block.digests)

    options = PipelineOptions(profile=SMALL, deduplicate=False, block_bytes=5_000)
    summary = Pipeline(options, PipelineContext(workers=2)).run(bytes(50_000), AllSink())
    assert summary.new_chunks == summary.chunks


def test_blocks_stay_valid_where_a_sink_keeps_them():
    data, kept = some_data(13, 80_000), []

    class HoardingSink(DiscardingSink):
        def put(self, block: Block) -> None:
            super().put(block)
            kept.append(block.data if block.index % 2 else block.chunks()[0])

    options = PipelineOptions(profile=SMALL, block_bytes=8_000)
    Pipeline(options, PipelineContext(workers=2)).run(io.BytesIO(data), HoardingSink())
    assert all(view.tobytes() in data for view in kept)


def test_buffers_are_used_again_once_nobody_looks_into_them():
    pool = BufferPool(2)
    pool.fit(longest_block(1_000, SMALL))
    with open_blocks(io.BytesIO(bytes(10_000)), SMALL, pool) as blocks:
        first = blocks.next_block(1_000)
        assert not pool.give(first.buffer)
        buffer = first.buffer
        del first
        assert pool.give(buffer)
        assert blocks.next_block(1_000).buffer is buffer


def test_at_most_the_stated_number_of_blocks_is_on_its_way():
    class CountingExecutor(ThreadPoolExecutor):
        waiting = most = 0
        lock = threading.Lock()

        def submit(self, work, /, *arguments, **options):
            with self.lock:
                self.waiting += 1
                self.most = max(self.most, self.waiting)
            future = super().submit(work, *arguments, **options)
            future.add_done_callback(lambda _: self.leave())
            return future

        def leave(self):
            with self.lock:
                self.waiting -= 1

    with CountingExecutor(2) as pool:
        options = PipelineOptions(profile=SMALL, block_bytes=33_000, blocks=3)
        Pipeline(options, PipelineContext(executor=pool, workers=2)).run(random.Random(1).randbytes(900_000), DiscardingSink())
        assert 1 <= pool.most <= 3


@pytest.mark.parametrize(("field", "settings"), [
    ("block_bytes", {"block_bytes": 0}), ("block_bytes", {"block_bytes": 1 << 40}), ("blocks", {"blocks": 0}),
    ("strategy", {"strategy": "hope"}), ("algorithm", {"algorithm": "md5"}), ("stream_digest", {"stream_digest": "md5"}),
    ("codec", {"codec": "rar"}), ("level", {"level": 99}),
])
def test_an_option_out_of_range_is_named(field, settings):
    with pytest.raises(ConfigError, match=field) as caught:
        PipelineOptions(**settings)
    assert caught.value.field == field


def test_a_context_out_of_range_is_named():
    with pytest.raises(ConfigError, match="workers"):
        PipelineContext(workers=-1)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ConfigError, match="workers"):
        PipelineContext(executor=pool)
    with pytest.raises(ConfigError, match="unheard"):
        PipelineContext(budget_name="unheard")


def test_a_run_is_used_once_and_only_inside_its_block():
    run = Pipeline(PipelineOptions(profile=SMALL)).open(DiscardingSink())
    with pytest.raises(ConfigError, match="over"):
        run.add(b"x")
    with run:
        run.add(b"x")
    with pytest.raises(ConfigError, match="over"):
        run.add(b"x")
    with pytest.raises(ConfigError, match="once"):
        run.__enter__()


def test_metrics_and_progress_see_every_block():
    metrics, seen = Metrics(), []
    progress = Progress(seen.append)
    progress.stage("store", 100_000)
    context = PipelineContext(workers=2, metrics=metrics, metrics_prefix="store", progress=progress)
    Pipeline(PipelineOptions(profile=SMALL, block_bytes=9_000), context).run(some_data(4, 100_000), DiscardingSink())
    progress.finish()
    assert metrics.counter("store.bytes") == 100_000 == seen[-1].done
    assert metrics.counter("store.chunks") >= metrics.counter("store.new_chunks") > 0
    assert metrics.latencies()["store.compress"]["count"] == metrics.counter("store.blocks")


@settings(max_examples=40)
@given(CONTENTS, st.integers(0, 3), st.integers(10_000, 400_000), st.integers(1, 30_000))
def test_any_budget_gives_the_same_result_or_says_that_it_is_too_small(data, workers, limit, block_bytes):
    budget = Budget(pipeline=limit)
    options, context = PipelineOptions(profile=SMALL, block_bytes=block_bytes), PipelineContext(workers=workers, budget=budget)
    try:
        assert piped([io.BytesIO(data)], options, context) == plainly([data], SMALL)
    except BudgetExceeded as error:
        assert error.needed_bytes > limit == error.limit_bytes  # noqa: PT017 - either outcome is right
    assert budget.reserved("pipeline") == 0
    assert budget.peak("pipeline") <= limit


def test_runs_side_by_side_share_threads_and_budget():
    sources = [some_data(seed, 300_000) for seed in range(4)]
    budget, results = Budget(pipeline=6 << 20), {}
    with ThreadPoolExecutor(2) as pool:
        context = PipelineContext(executor=pool, workers=2, budget=budget)

        def work(at: int) -> None:
            sink = KeepingSink()
            options = PipelineOptions(profile=SMALL, block_bytes=50_000, blocks=3)
            Pipeline(options, context).run(io.BytesIO(sources[at]), sink, stream=0)
            results[at] = sink.result()

        threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {at: plainly([data], SMALL) for at, data in enumerate(sources)}
    assert budget.reserved("pipeline") == 0


@pytest.mark.parametrize("limit_mib", [3, 6, 12])
def test_the_memory_that_python_gave_out_stays_within_the_hard_limit(limit_mib):
    """The allocator counts: all that a run holds at once is no more than its budget says, and a little for the run itself."""
    data, profile = random.Random(3).randbytes(12 << 20), PROFILES["fastcdc-16k"]
    budget = Budget(pipeline=limit_mib << 20)

    class ForgettingSink(DiscardingSink):
        def put(self, block: Block) -> None:
            pass

    pipeline = Pipeline(PipelineOptions(profile=profile, block_bytes=512 << 10, blocks=64),
                        PipelineContext(workers=3, budget=budget))
    pipeline.run(io.BytesIO(data), ForgettingSink())  # loads what is loaded once
    tracemalloc.start()
    try:
        source, before = io.BytesIO(data), tracemalloc.get_traced_memory()[0]
        pipeline.run(source, ForgettingSink())
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert budget.peak("pipeline") <= limit_mib << 20
    assert peak <= budget.peak("pipeline") + (256 << 10)
    assert peak > budget.peak("pipeline") // 4  # the account is of this size, not of another
