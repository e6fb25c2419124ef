"""zstd 3 on chunks of real data, a bare zstandard loop and ours in turn: python benchmarks/peers/compression.py FILE [ROUNDS]

FILE is cut into 64 KiB pieces, 256 MiB at most.  The median of the ratios of neighbouring runs counts; 1.00 is even.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from siltstone.content.compression import Compressor, compress, compress_into, decompress, decompress_into

PIECE_BYTES = 64 << 10
MOST_BYTES = 256 << 20


def seconds_of(work: Callable[[], object]) -> float:
    """Return the time on the processor that one call takes in this thread: others on the machine do not count."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def compare(name: str, size: int, theirs: Callable[[], object], ours: Callable[[], object], rounds: int) -> None:
    """Time both in turn and print speeds and ratio."""
    theirs(), ours()
    pairs = [(seconds_of(theirs), seconds_of(ours)) for _ in range(rounds)]
    bare, own = (size / statistics.median(column) / 1e6 for column in zip(*pairs, strict=True))
    ratio = statistics.median(peer / our for peer, our in pairs)
    print(f"{name:34} bare {bare:7.0f} MB/s   siltstone {own:7.0f} MB/s   ratio {ratio:.3f}", flush=True)


def main() -> int:
    """Print one line for each way of working."""
    import zstandard

    with Path(sys.argv[1]).open("rb") as file:
        data = file.read(MOST_BYTES)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    bare, plain = zstandard.ZstdCompressor(level=3), Compressor()
    summed = zstandard.ZstdCompressor(level=3, write_checksum=True)
    out, back = bytearray(PIECE_BYTES + 1024), bytearray(PIECE_BYTES)
    packed = [bare.compress(piece) for piece in pieces]
    sizes = [len(piece) for piece in pieces]
    reader = zstandard.ZstdDecompressor()
    print(f"{len(data) / 1e6:.0f} MB in {len(pieces)} pieces, zstd 3 takes {100 * sum(map(len, packed)) / len(data):.1f} %")

    def loop(inputs: list[bytes], function: Callable[..., object], *more: object, **settings: object) -> Callable[[], None]:
        def work() -> None:
            for piece in inputs:
                function(piece, *more, **settings)

        return work

    def read_chunks() -> None:
        for piece, size in zip(packed, sizes, strict=True):
            decompress(piece, codec=1, size=size)

    plain_read = loop(packed, reader.decompress)
    compare("Compressor.compress (store)", len(data), loop(pieces, bare.compress), loop(pieces, plain.compress), rounds)
    compare("compress, with checksum", len(data), loop(pieces, summed.compress), loop(pieces, compress), rounds)
    compare("compress_into, without checksum", len(data), loop(pieces, bare.compress),
            loop(pieces, compress_into, out, checksum=False), rounds)
    compare("decompress", len(data), plain_read, loop(packed, decompress), rounds)
    compare("decompress_into", len(data), plain_read, loop(packed, decompress_into, back), rounds)
    compare("decompress (store's chunks)", len(data), plain_read, read_chunks, rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
