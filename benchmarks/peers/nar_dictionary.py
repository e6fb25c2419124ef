"""What a zstd dictionary wins on small chunks of NARs. Run: python benchmarks/peers/nar_dictionary.py TREE TREE [TREE…]

Each TREE is packed as a NAR and cut into chunks of 4 to 32 KiB (target 8 and 16); each is compressed by zstd 3 alone, with
a dictionary of NAR structure only (nothing of anybody's text: it could be shipped), and with one trained on all other
trees (which could not).  The gain is bytes saved of what zstd 3 takes alone.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from siltstone.content.chunking import iter_chunks
from siltstone.content.compression import compress
from siltstone.content.dictionaries import CompressionDictionary, train_dictionary
from siltstone.content.nar_pack import iter_pack_nar
from siltstone.content.profiles import Profile

SIZES = (8 << 10, 16 << 10)
TREE_BYTES = 12 << 20
SAMPLE_BYTES = 16 << 20


def chunks_of(tree: str, target: int) -> list[bytes]:
    """Return the chunks of the NAR of *tree*, at most 12 MiB of it and none above 32 KiB."""
    nar = bytearray()
    for piece in iter_pack_nar(Path(tree)):
        nar += piece
        if len(nar) >= TREE_BYTES:
            break
    profile = Profile(minimum=target // 4, target=target, maximum=2 * target)
    return [bytes(chunk.data if hasattr(chunk, "data") else chunk) for chunk in iter_chunks(bytes(nar), profile=profile)]


def structure_samples() -> list[bytes]:
    """Return pieces of NARs whose names and contents are made up by chance."""
    rng = random.Random(1)

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(8, "little") + value + bytes(-len(value) % 8)

    def entry() -> bytes:
        name = bytes(rng.randrange(97, 123) for _ in range(rng.randrange(3, 20)))
        fields = [b"entry", b"(", b"name", name, b"node", b"(", b"type", rng.choice([b"regular", b"directory", b"symlink"])]
        if rng.random() < 0.3:
            fields += [b"executable", b""]
        fields += [b"contents", rng.randbytes(rng.randrange(40)), b")", b")"]
        return b"".join(map(text, fields))

    head = b"".join(map(text, (b"nix-archive-1", b"(", b"type", b"directory")))
    return [head + b"".join(entry() for _ in range(rng.randrange(2, 12))) for _ in range(2000)]


def spread(chunks: list[bytes], most: int) -> list[bytes]:
    """Return some of *chunks*, *most* bytes at most, in an order by chance."""
    shuffled = random.Random(2).sample(chunks, len(chunks))
    kept, total = [], 0
    for chunk in shuffled:
        if total + len(chunk) <= most:
            kept.append(chunk)
            total += len(chunk)
    return kept


def packed_bytes(chunks: list[bytes], dictionary: CompressionDictionary | None) -> int:
    """Return what zstd 3 takes for *chunks*."""
    return sum(len(compress(chunk, checksum=False, dictionary=dictionary)) for chunk in chunks)


def main() -> int:
    """Print one line for each tree and chunk size."""
    trees = sys.argv[1:]
    structure = train_dictionary(structure_samples(), size=16 << 10)
    for target in SIZES:
        chunks = {tree: chunks_of(tree, target) for tree in trees}
        for tree in trees:
            others = [chunk for other in trees if other != tree for chunk in spread(chunks[other], SAMPLE_BYTES // len(trees))]
            trained = train_dictionary(others)
            alone = packed_bytes(chunks[tree], None)
            gains = [100 * (1 - packed_bytes(chunks[tree], each) / alone) for each in (structure, trained)]
            mean = sum(map(len, chunks[tree])) / len(chunks[tree]) / 1024
            print(f"{tree:40} {len(chunks[tree]):5} chunks, mean {mean:4.1f} KiB   structure {gains[0]:5.1f} %"
                  f"   trained on the others {gains[1]:5.1f} %", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
