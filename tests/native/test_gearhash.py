"""Cuts of xet: published vectors, equality with the pure twin, the same cuts for any split, and the shape of the sizes."""

import json
import random
import threading
from array import array
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native.gearhash import CutScanner, cut_offsets
from siltstone.content.gear_tables import GEARHASH, table_of
from siltstone.content.profiles import Profile
from siltstone.core.errors import ConfigError
from tests.reference import gearhash as reference
from tests.reference.splitmix import splitmix_bytes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "fastcdc.json").read_text())["xet"]
WORDS = array("Q", table_of(GEARHASH))
TINY = (WORDS, 8, 61, 0xF000000000000000)  # below the window: hashing begins with the chunk
SKIPPING = (WORDS, 80, 201, 0xF800000000000000)  # skips 15 bytes; matches before the minimum are passed over
EDGES = {"tiny": TINY, "skipping": SKIPPING, "window": (WORDS, 65, 66, 0xC000000000000000), "least": (WORDS, 1, 5, 1 << 63),
         "every byte": (WORDS, 3, 9, 0), "one size": (WORDS, 70, 70, 0xF << 60)}


@cache
def vector_input():
    return splitmix_bytes(0, 1_000_000)


def scan_in_pieces(data, rules, sizes):
    """Feed *data* in pieces of *sizes*, over and over, and return all cuts."""
    scanner, cuts, start, turn = CutScanner(*rules), [], 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        cuts.extend(scanner.feed(data[start:start + size]))
        start, turn = start + size, turn + 1
    return [*cuts, *scanner.finish()]


@pytest.mark.oracle
def test_cut_offsets_equals_published_vectors():
    rules = Profile.xet().rules
    assert list(cut_offsets(vector_input(), *rules)) == VECTORS["splitmix_ends"]
    assert list(cut_offsets(b"\x3b" * 1_000_000, *rules)) == VECTORS["const59_ends"]


@pytest.mark.oracle
def test_reference_equals_published_vector():
    assert reference.cut_offsets(vector_input(), *Profile.xet().rules) == VECTORS["splitmix_ends"]


def test_equal_bytes_of_every_value_are_cut_as_the_reference_does():
    rules = Profile.xet(1 << 10).rules
    for value in range(256):
        data = bytes([value]) * 4500
        assert list(cut_offsets(data, *rules)) == reference.cut_offsets(data, *rules), value


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=900), st.sampled_from(sorted(EDGES)))
@example(b"", "tiny")
@example(b"\0", "tiny")
@example(bytes(61), "tiny")
@example(bytes(62), "tiny")
@example(bytes(79), "skipping")
@example(bytes(80), "skipping")
@example(bytes(81), "skipping")
@example(bytes(402), "skipping")
@example(bytes(300), "least")
def test_compiled_gearhash_agrees_with_reference(data, rules):
    assert list(cut_offsets(data, *EDGES[rules])) == reference.cut_offsets(data, *EDGES[rules])


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 140), st.integers(0, 140), st.integers(0, 6), st.integers(0, 3000))
def test_compiled_gearhash_agrees_with_reference_for_any_sizes(seed, minimum, more, bits, size):
    data = random.Random(seed).randbytes(size)
    rules = (WORDS, minimum, minimum + more, (1 << bits) - 1 << 64 - bits)
    assert list(cut_offsets(data, *rules)) == reference.cut_offsets(data, *rules)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2000), st.lists(st.integers(1, 90), min_size=1, max_size=6),
       st.sampled_from(sorted(EDGES)))
@example(0, 500, [1], "tiny")
@example(0, 500, [1], "skipping")
@example(1, 2000, [2, 1], "window")
def test_any_split_gives_the_same_cuts(seed, size, pieces, rules):
    data = random.Random(seed).randbytes(size)
    assert scan_in_pieces(data, EDGES[rules], pieces) == list(cut_offsets(data, *EDGES[rules]))


def test_every_length_and_every_single_split_gives_the_same_cuts():
    data = random.Random(7).randbytes(420)
    for rules in EDGES.values():
        whole = list(cut_offsets(data, *rules))
        for split in range(len(data)):
            assert list(cut_offsets(data[:split], *rules)) == reference.cut_offsets(data[:split], *rules), split
            scanner = CutScanner(*rules)
            assert [*scanner.feed(data[:split]), *scanner.feed(data[split:]), *scanner.finish()] == whole, split


def first_stable(ends, start, minimum, maximum):
    """Return the end of the second of two chunks in a row whose sizes make it independent of what stood before *start*."""
    after = [end for end in ends if end >= start]
    for first, second, third in zip(after, after[1:], after[2:], strict=False):
        if all(2 * minimum <= size < maximum - minimum for size in (second - first, third - second)):
            return third
    return None


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3000), st.integers(0, 3000))
def test_no_change_moves_a_stable_cut(seed, size, other):
    rules, chance = (WORDS, 70, 900, 0xFF << 56), random.Random(seed)
    before, changed, after = chance.randbytes(size), chance.randbytes(other), chance.randbytes(30_000)
    ends = list(cut_offsets(before + after, *rules))
    stable = first_stable(ends, size, 70, 900)
    assert stable is not None
    moved = [end + size - other for end in cut_offsets(changed + after, *rules)]
    assert [end for end in ends if end >= stable] == [end for end in moved if end >= stable]


def test_more_cuts_than_one_block_holds():
    data = random.Random(3).randbytes(100_000)
    assert list(cut_offsets(data, *TINY)) == reference.cut_offsets(data, *TINY)
    assert scan_in_pieces(data, TINY, [100_000]) == list(cut_offsets(data, *TINY))


def test_a_scanner_begins_anew_after_finish():
    data, scanner = random.Random(9).randbytes(999), CutScanner(*TINY)
    rounds = [[*scanner.feed(data), *scanner.finish()] for _ in range(2)]
    assert rounds[0] == rounds[1] == list(cut_offsets(data, *TINY))
    assert list(scanner.finish()) == []


def test_a_scanner_keeps_its_table_alive():
    table = array("Q", WORDS)
    scanner = CutScanner(table, *TINY[1:])
    with pytest.raises(BufferError):
        table.append(0)
    assert list(scanner.feed(b"")) == []


def test_sizes_follow_the_target():
    data = random.Random(2020).randbytes(16 << 20)
    ends = cut_offsets(data, *Profile.xet(8 << 10).rules)
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)][:-1]
    # From the minimum T/8 on, the chance of a cut is 1/T a byte; what passes 2T is cut there: T (1/8 + 1 - exp(-15/8)).
    assert 0.94 * 7960 < sum(sizes) / len(sizes) < 1.06 * 7960
    assert min(sizes) >= 1 << 10
    assert max(sizes) == 16 << 10
    assert 0.12 < sum(size == 16 << 10 for size in sizes) / len(sizes) < 0.19  # exp(-15/8) is 0.153


def test_threads_find_the_same_cuts_at_once():
    data, found = random.Random(1).randbytes(4 << 20), {}
    rules = Profile.xet().rules

    def work(name):
        found[name] = cut_offsets(data, *rules)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[name] == cut_offsets(data, *rules) for name in range(4))


def test_a_scanner_is_not_used_while_it_is_fed():
    scanner, data, refused = CutScanner(*Profile.xet().rules), bytes(64 << 20), 0
    for _ in range(20):
        thread = threading.Thread(target=scanner.feed, args=(data,))
        thread.start()
        while thread.is_alive():
            try:
                scanner.finish()
            except ConfigError:
                refused += 1
        thread.join()
        if refused:
            break
    assert refused


def test_a_table_that_changes_meanwhile_harms_nothing():
    table, data = array("Q", WORDS), random.Random(4).randbytes(1 << 20)
    rules, going = (table, *TINY[1:]), threading.Event()

    def change():
        while not going.is_set():
            table[7] ^= 1

    thread = threading.Thread(target=change)
    thread.start()
    ends = [list(cut_offsets(data, *rules)) for _ in range(5)]
    going.set()
    thread.join()
    longest = TINY[2]
    assert all(cuts[-1] == len(data) for cuts in ends)
    assert all(1 <= end - start <= longest for cuts in ends for start, end in zip([0, *cuts], cuts, strict=False))


@pytest.mark.parametrize("rules", [
    (array("Q", [0] * 255), 8, 61, 1), (WORDS, 0, 61, 1), (WORDS, -1, 61, 1), (WORDS, 62, 61, 1), (WORDS, 8, 2**30 + 1, 1),
])
def test_wrong_rules_are_refused(rules):
    with pytest.raises(ConfigError):
        cut_offsets(b"data", *rules)
    with pytest.raises(ConfigError):
        CutScanner(*rules)


def test_none_is_no_buffer():
    with pytest.raises(TypeError):
        cut_offsets(None, *TINY)
