"""Cut points: published vectors, equality with the pure twin, the same cuts for any split, and the shape of the sizes."""

import hashlib
import json
import random
import threading
from array import array
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native.gear import CutScanner, cut_offsets
from siltstone.content.profiles import Profile, gear_table
from siltstone.core.errors import ConfigError
from tests.reference import gear as reference
from tests.reference.splitmix import splitmix_bytes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "fastcdc.json").read_text())
GEAR = gear_table()
WORDS = array("Q", GEAR)
TINY = (WORDS, 8, 24, 61, 0x0000000000003510, 0x0000000000000510)  # many cuts in a few hundred bytes
ODD = (WORDS, 7, 23, 61, 0x0000000000000110, 0x0000000000000010)
RULES = {"tiny": TINY, "odd": ODD, "tiny-2016": (*TINY, False), "odd-2016": (*ODD, False)}


@cache
def vector_input():
    data = splitmix_bytes(0, 1_000_000)
    assert hashlib.sha256(data).hexdigest() == VECTORS["splitmix_sha256"]
    return data


def profile_of(vector):
    return Profile(minimum=vector["min"], target=vector["avg"], maximum=vector["max"], normalization=vector["nc"],
                   seed=vector["seed"], log2=vector.get("log2", "round"))


def vector_name(vector):
    return "-".join(str(vector.get(key, "round")) for key in ("min", "avg", "max", "nc", "seed", "log2"))


def scan_in_pieces(data, rules, sizes):
    """Feed *data* in pieces of *sizes*, over and over, and return all cuts."""
    scanner, cuts, start, turn = CutScanner(*rules), [], 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        cuts.extend(scanner.feed(data[start:start + size]))
        start, turn = start + size, turn + 1
    return [*cuts, *scanner.finish()]


@pytest.mark.oracle
@pytest.mark.parametrize("vector", VECTORS["v2020"], ids=vector_name)
def test_cut_offsets_equals_published_vector(vector):
    ends = cut_offsets(vector_input(), *profile_of(vector).rules)
    assert len(ends) == vector["n"]
    assert list(ends[:len(vector["ends"])]) == vector["ends"]
    if "sha256_u64le_ends" in vector:
        assert hashlib.sha256(b"".join(end.to_bytes(8, "little") for end in ends)).hexdigest() == vector["sha256_u64le_ends"]


@pytest.mark.oracle
@pytest.mark.parametrize("vector", [v for v in VECTORS["v2020"] if v["min"] >= 2048 and "last_hash" in v], ids=vector_name)
def test_reference_equals_published_hashes(vector):
    data = vector_input()[:250_000]
    hashes, ends = reference.cuts(data, array("Q", profile_of(vector).gear), *profile_of(vector).rules[1:])
    count = min(len(vector["first_hashes"]), len(ends) - 1)
    assert hashes[:count] == vector["first_hashes"][:count]
    assert ends[:-1] == [end for end in vector["ends"] if end < len(data)][:len(ends) - 1]


@pytest.mark.oracle
def test_zeros_give_the_longest_chunks():
    rules = Profile(minimum=64, target=256, maximum=1024).rules
    assert list(cut_offsets(bytes(10_240), *rules)) == list(range(1024, 10_241, 1024))
    assert reference.cuts(bytes(1024), *rules)[0] == [14169102344523991076]


@pytest.mark.oracle
@pytest.mark.parametrize(("target", "normalization", "seed"), [(256, 1, 0), (1024, 0, 555), (4096, 2, 777), (16384, 3, 888)])
def test_cut_offsets_equals_pyfastcdc(target, normalization, seed):
    peer = pytest.importorskip("pyfastcdc", reason="pyfastcdc is not installed")
    data = random.Random(target).randbytes(2_000_001)
    theirs = peer.FastCDC(avg_size=target, min_size=target // 4, max_size=4 * target, seed=seed,
                          normalized_chunking=normalization).cut_buf(data)
    profile = Profile(minimum=target // 4, target=target, maximum=4 * target, normalization=normalization, seed=seed)
    assert list(cut_offsets(data, *profile.rules)) == [chunk.offset + chunk.length for chunk in theirs]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=700), st.sampled_from(sorted(RULES)))
@example(b"", "tiny")
@example(b"\0", "tiny")
@example(bytes(8), "tiny")
@example(bytes(9), "odd")
@example(bytes(61), "tiny")
@example(bytes(62), "odd")
@example(bytes(123), "tiny")
@example(bytes(62), "odd-2016")
def test_compiled_gear_agrees_with_reference(data, rules):
    assert list(cut_offsets(data, *RULES[rules])) == reference.cut_offsets(data, *RULES[rules])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(0, 40), st.integers(0, 80), st.integers(0, 3000),
       st.booleans())
def test_compiled_gear_agrees_with_reference_for_any_sizes(seed, minimum, more, most, size, pairs):
    data = random.Random(seed).randbytes(size)
    rules = (WORDS, minimum, minimum + more, minimum + more + most, 0x3510, 0x510, pairs)
    assert list(cut_offsets(data, *rules)) == reference.cut_offsets(data, *rules)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2000), st.lists(st.integers(1, 90), min_size=1, max_size=6),
       st.sampled_from(sorted(RULES)))
@example(0, 500, [1], "tiny")
@example(0, 500, [1], "odd")
@example(1, 2000, [2, 1], "odd")
def test_any_split_gives_the_same_cuts(seed, size, pieces, rules):
    data = random.Random(seed).randbytes(size)
    assert scan_in_pieces(data, RULES[rules], pieces) == list(cut_offsets(data, *RULES[rules]))


def test_every_length_and_every_single_split_gives_the_same_cuts():
    data = random.Random(7).randbytes(260)
    for rules in RULES.values():
        for size in range(len(data)):
            assert list(cut_offsets(data[:size], *rules)) == reference.cut_offsets(data[:size], *rules), size
        whole = list(cut_offsets(data, *rules))
        for split in range(len(data)):
            scanner = CutScanner(*rules)
            cuts = [*scanner.feed(data[:split]), *scanner.feed(data[split:]), *scanner.finish()]
            assert cuts == whole, split


def test_more_cuts_than_one_block_holds():
    data = random.Random(3).randbytes(200_000)
    assert list(cut_offsets(data, *TINY)) == reference.cut_offsets(data, *TINY)
    assert scan_in_pieces(data, TINY, [200_000]) == list(cut_offsets(data, *TINY))


def test_a_scanner_begins_anew_after_finish():
    data, scanner = random.Random(9).randbytes(999), CutScanner(*TINY)
    rounds = [[*scanner.feed(data), *scanner.finish()] for _ in range(2)]
    assert rounds[0] == rounds[1] == list(cut_offsets(data, *TINY))
    assert list(scanner.finish()) == []


def test_a_scanner_keeps_its_table_alive():
    table = array("Q", GEAR)
    scanner = CutScanner(table, *TINY[1:])
    with pytest.raises(BufferError):
        table.append(0)
    assert list(scanner.feed(b"")) == []


def test_sizes_follow_the_target():
    data = random.Random(2020).randbytes(8 << 20)
    for normalization, spread in ((0, 0.75), (1, 0.55), (2, 0.4), (3, 0.3)):
        ends = cut_offsets(data, *Profile(minimum=2048, target=8192, maximum=32768, normalization=normalization).rules)
        sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)][:-1]
        mean = sum(sizes) / len(sizes)
        deviation = (sum((size - mean) ** 2 for size in sizes) / len(sizes)) ** 0.5
        assert 0.9 * 8192 < mean < 1.35 * 8192, normalization
        assert deviation < spread * mean + 0.1 * mean, normalization
        assert min(sizes) >= 2048
        assert max(sizes) <= 32768


def test_threads_find_the_same_cuts_at_once():
    data, found = random.Random(1).randbytes(4 << 20), {}
    rules = Profile().rules

    def work(name):
        found[name] = cut_offsets(data, *rules)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[name] == cut_offsets(data, *rules) for name in range(4))


@pytest.mark.parametrize("rules", [
    (array("Q", [0] * 255), 8, 24, 61, 1, 1),
    (array("Q", [0] * 256), 1, 24, 61, 1, 1),
    (array("Q", [0] * 256), 25, 24, 61, 1, 1),
    (array("Q", [0] * 256), 8, 62, 61, 1, 1),
    (array("Q", [0] * 256), 8, 24, 2**30 + 1, 1, 1),
])
def test_wrong_rules_are_refused(rules):
    with pytest.raises(ConfigError):
        cut_offsets(b"data", *rules)
    with pytest.raises(ConfigError):
        CutScanner(*rules)


def test_none_is_no_buffer():
    with pytest.raises(TypeError):
        cut_offsets(None, *TINY)
