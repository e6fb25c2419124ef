"""Fuzz the NAR reader, writer, chunker, listing and unpacker. Run: python fuzz/fuzz_nar.py [--seed N --iterations N]

A mutated archive is either refused, alike for two splits, or read: then the writer gives the same bytes back, the chunks end
to end are the archive, and what it unpacks to packs to the same bytes and lies in its target only.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.mutation import run

from siltstone.content.nar import iter_nar
from siltstone.content.nar_chunking import iter_nar_chunks
from siltstone.content.nar_format import NarLimits
from siltstone.content.nar_listing import list_nar, nar_tree
from siltstone.content.nar_pack import iter_pack_nar
from siltstone.content.nar_unpack import unpack_nar
from siltstone.content.nar_writer import encode_nar
from siltstone.content.profiles import Profile
from siltstone.core.errors import BudgetExceeded, CorruptDataError, SiltstoneError

LIMITS = NarLimits(entries=1_000, contents_bytes=1 << 20)
TINY = Profile(minimum=64, target=256, maximum=1_024)


def string(text: bytes) -> bytes:
    """Return *text* as a NAR holds it."""
    return len(text).to_bytes(8, "little") + text + bytes(-len(text) % 8)


def make_node(rng: random.Random, depth: int) -> bytes:
    """Return a random node: a file, a link, or a directory of some."""
    kind = rng.randrange(4)
    if kind == 0:
        return b"".join(map(string, (b"(", b"type", b"symlink", b"target", rng.choice((b"..", b"/", b"a", b"../../x")), b")")))
    if kind == 1 or depth == 0:
        mark = (b"executable", b"") if rng.random() < 0.3 else ()
        contents = rng.randbytes(rng.choice((0, 1, 7, 8, 9, 300)))
        return b"".join(map(string, (b"(", b"type", b"regular", *mark, b"contents", contents, b")")))
    names = sorted({rng.choice((b"a", b"A", b"b", b"..a", b"\xff", b"long" * 9)) for _ in range(rng.randrange(4))})
    heads = (b"".join(map(string, (b"entry", b"(", b"name", name, b"node"))) for name in names)
    entries = b"".join(head + make_node(rng, depth - 1) + string(b")") for head in heads)
    return b"".join(map(string, (b"(", b"type", b"directory"))) + entries + string(b")")


def seeds(seed: int, count: int = 60) -> list[bytes]:
    """Return valid archives."""
    rng = random.Random(seed)
    return [string(b"nix-archive-1") + make_node(rng, 4) for _ in range(count)]


def refusal(data: bytes, step: int) -> str:
    """Return how *data*, fed *step* bytes at a time, is refused, or an empty text."""
    try:
        for _ in iter_nar((data[at:at + step] for at in range(0, len(data), step)), limits=LIMITS):
            pass
    except (CorruptDataError, BudgetExceeded) as error:
        return str(error)
    return ""


def check(data: bytes) -> None:
    """Read *data* in every way; AssertionError where two ways differ, the refusal where it is no archive."""
    refused = refusal(data, len(data) or 1)
    assert refused == refusal(data, 5), "the split of the input shows"
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack_nar(data, Path(folder) / "tree", limits=LIMITS)
        except SiltstoneError:
            assert refused, "only the unpacker refuses"
            assert not os.listdir(folder), "a refused archive left something"
            raise
        assert not refused, "only the unpacker takes it"
        assert os.listdir(folder) == ["tree"], "something lies beside the target"
        assert b"".join(iter_pack_nar(Path(folder) / "tree")) == data, "packed again it differs"
    assert b"".join(encode_nar(iter_nar(data))) == data, "written again it differs"
    assert b"".join(chunk.data for chunk in iter_nar_chunks(data, profile=TINY)) == data, "chunks do not make the archive"
    assert nar_tree(list_nar(data))


if __name__ == "__main__":
    sys.exit(run(check, seeds(1)))
