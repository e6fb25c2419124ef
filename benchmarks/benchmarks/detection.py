"""Rules, engine and reports; no repository is read. A change outside siltstone/detection or the literal kernel should not
move these."""

from __future__ import annotations

import random

import numpy as np

from siltstone.detection.engine import Engine
from siltstone.detection.findings import place_findings
from siltstone.detection.report import iter_json_lines
from siltstone.detection.rules import default_rules, load_rules
from siltstone.detection.sarif import as_sarif
from siltstone.detection.scan_state import ScanState
from siltstone.gitobjects.ids import ObjectId
from siltstone.gitobjects.object_block import ObjectBlock

MIB = 1 << 20
WORDS = b"static int return const char struct token void if else for while NULL size_t buf len git_ error path".split()


def block_of_code(secrets_per_mib: int) -> ObjectBlock:
    """Return 8 MiB of text like code in 256 blobs, every hundredth line or so with the word *token*."""
    rng = random.Random(2021)
    lines = [b"\t" + b" ".join(rng.choices(WORDS, k=8)).replace(b"token", rng.choice([b"token", b"tok"])) + b";\n"
             for _ in range(2_000)]
    examples = [text.encode() + b"\n" for rule in default_rules() for text in rule.positive]
    data = bytearray()
    while len(data) < 8 * MIB:
        data += b"".join(rng.choices(lines, k=600))
        if secrets_per_mib and rng.random() < secrets_per_mib * 0.025:
            data += rng.choice(examples)
    size = len(data) // 256
    starts = np.arange(0, 256 * size, size, dtype=np.int64)
    oids = b"".join(rng.randbytes(20) for _ in range(256))
    return ObjectBlock(memoryview(bytes(data)), starts, starts + size, np.full(256, 3, np.uint8), oids, 20)


class SearchBlock:
    params = ([0, 4],)
    param_names = ("secrets_per_mib",)

    def setup(self, secrets_per_mib):
        self.engine = Engine(default_rules())
        self.block = block_of_code(secrets_per_mib)

    def time_search_block(self, secrets_per_mib):
        self.engine.search_block(self.block)

    def peakmem_search_block(self, secrets_per_mib):
        self.engine.search_block(self.block)

    def track_matches(self, secrets_per_mib):
        return len(self.engine.search_block(self.block))

    track_matches.unit = "matches"


class Rules:
    def setup(self):
        from importlib.resources import files

        self.text = files("siltstone.detection").joinpath("rules.json").read_bytes()

    def time_load(self):
        load_rules(self.text)

    def time_compile(self):
        Engine(default_rules())

    def track_rules(self):
        return len(load_rules(self.text))

    track_rules.unit = "rules"


class Reports:
    """5,000 findings."""

    def setup(self):
        matches = Engine(default_rules()).search_block(block_of_code(20))
        self.matches = (matches * (5_000 // len(matches) + 1))[:5_000]
        self.findings = place_findings(self.matches, default_rules(), {})
        self.state = ScanState({}, bytes(20 * 100_000), tuple(self.matches), 20, "")
        self.blob = ObjectId(bytes(20))

    def time_json_lines(self):
        return sum(map(len, iter_json_lines(self.findings)))

    def time_sarif(self):
        as_sarif(self.findings, default_rules(), version="0")

    def time_state_round_trip(self):
        ScanState.decode(self.state.encode())

    def track_state_bytes(self):
        return len(self.state.encode())

    track_state_bytes.unit = "bytes"
