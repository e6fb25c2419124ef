"""Literal kernel alone. A change outside src/_native/literals.pyx and teddy.h should not move these."""

from __future__ import annotations

import random
from array import array

from siltstone._native import literals

MIB = 1 << 20
WORDS = b"static int return const char struct void if else for while NULL size_t buf len name git_ error path".split()
ANCHORS = [b"akia", b"ghp_", b"github_pat_", b"glpat-", b"xoxb-", b"sk_live_", b"aiza", b"private key-----", b"npm_",
           b"secret", b"passw", b"token", b"api_key", b"postgres://", b"mysql://", b"mongodb+srv://", b"hooks.slack.com"]


def source_text(size: int) -> bytes:
    """Return *size* bytes that look like code, with no anchor in them; the same on every machine."""
    rng = random.Random(2019)
    line = lambda: b"\t" + b" ".join(rng.choices(WORDS, k=8)) + b" = %d;\n" % rng.getrandbits(20)  # noqa: E731
    page = b"".join(line() for _ in range(4_000))
    return (page * (size // len(page) + 1))[:size]


class Search:
    params = (["clean", "dense"], literals.variants())
    param_names = ("content", "variant")

    def setup(self, content, variant):
        self.data = source_text(8 * MIB)
        if content == "dense":
            self.data = self.data.replace(b"return", b"secret")
        self.starts = array("q", range(0, 8 * MIB, 32_768))
        self.ends = array("q", range(32_768, 8 * MIB + 1, 32_768))
        self.matcher = literals.LiteralMatcher(ANCHORS, variant)

    def time_search(self, content, variant):
        self.matcher.search(self.data, self.starts, self.ends)

    def peakmem_search(self, content, variant):
        self.matcher.search(self.data, self.starts, self.ends)

    def track_hits(self, content, variant):
        return len(self.matcher.search(self.data, self.starts, self.ends)[0]) // 16

    track_hits.unit = "hits"


class Compile:
    params = ([20, 3_000],)
    param_names = ("literals",)

    def setup(self, count):
        rng = random.Random(7)
        self.literals = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz_-", k=10)) for _ in range(count)]

    def time_compile(self, count):
        literals.LiteralMatcher(self.literals)
