"""A pipeline gives the blocks of the plain loop over chunks, in order, whatever runs it and however little it may hold."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

from blake3 import blake3
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone.content.chunking import iter_chunks
from siltstone.content.compression import Compressor
from siltstone.content.pipeline import Pipeline, PipelineContext, PipelineOptions
from siltstone.content.pipeline_block import Block
from siltstone.content.profiles import Profile

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
