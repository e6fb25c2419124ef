"""Cuts of ronomon: published results, equality with the pure twin, the same cuts for any split, and the shape of the sizes."""

import random
import threading
from array import array

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native.ronomon import CutScanner, cut_offsets
from siltstone.content.gear_tables import RONOMON, table_of
from siltstone.content.profiles import Profile
from siltstone.core.errors import ConfigError
from tests.reference import ronomon as reference

WORDS = array("I", table_of(RONOMON))


def rules_of(minimum, target, maximum, bits):
    """Return what the kernel takes, for what the twin takes."""
    center = reference.center_size(target, minimum, target)
    return WORDS, minimum, center, maximum, (1 << bits + 1) - 1, (1 << bits - 1) - 1


# minimum, target, maximum, bits; the center lies above the minimum, below it, at zero
SIZES = {"tiny": (8, 40, 61, 4), "late": (20, 31, 90, 5), "none": (9, 9, 50, 3), "odd": (7, 33, 34, 4), "least": (1, 2, 3, 1)}
EDGES = {name: rules_of(*sizes) for name, sizes in SIZES.items()}
TINY = EDGES["tiny"]


def scan_in_pieces(data, rules, sizes):
    """Feed *data* in pieces of *sizes*, over and over, and return all cuts."""
    scanner, cuts, start, turn = CutScanner(*rules), [], 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        cuts.extend(scanner.feed(data[start:start + size]))
        start, turn = start + size, turn + 1
    return [*cuts, *scanner.finish()]


@pytest.mark.oracle
def test_table_follows_its_published_rule():
    assert list(WORDS) == reference.table()
    assert (WORDS[0], WORDS[255]) == (0x5C95C078, 0x32E8EA7E)


@pytest.mark.oracle
def test_zeros_give_the_longest_chunks():
    rules = Profile(algorithm=RONOMON, minimum=64, target=256, maximum=1024).rules
    assert list(cut_offsets(bytes(10_240), *rules)) == list(range(1024, 10_241, 1024))
    assert reference.cuts(bytes(1024), WORDS, 64, 256, 1024, 8)[0] == [3106636015]


@pytest.mark.oracle
@pytest.mark.parametrize(("minimum", "average", "size", "center"), [(100, 50, 50, 0), (100, 200, 50, 50), (100, 200, 40, 40)])
def test_center_is_the_published_one(minimum, average, size, center):
    assert reference.center_size(average, minimum, size) == center


def test_equal_bytes_of_every_value_are_cut_as_the_reference_does():
    for value in range(256):
        data = bytes([value]) * 500
        assert list(cut_offsets(data, *TINY)) == reference.cut_offsets(data, WORDS, *SIZES["tiny"]), value


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=900), st.sampled_from(sorted(EDGES)))
@example(b"", "tiny")
@example(b"\0", "tiny")
@example(bytes(61), "tiny")
@example(bytes(62), "tiny")
@example(bytes(19), "late")
@example(bytes(20), "late")
@example(bytes(21), "late")
@example(bytes(180), "late")
@example(bytes(300), "least")
def test_compiled_ronomon_agrees_with_reference(data, rules):
    assert list(cut_offsets(data, *EDGES[rules])) == reference.cut_offsets(data, WORDS, *SIZES[rules])


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 140), st.integers(0, 140), st.integers(0, 140), st.integers(1, 7),
       st.integers(0, 3000))
def test_compiled_ronomon_agrees_with_reference_for_any_sizes(seed, minimum, more, most, bits, size):
    data = random.Random(seed).randbytes(size)
    sizes = (minimum, minimum + more, minimum + more + most, bits)
    assert list(cut_offsets(data, *rules_of(*sizes))) == reference.cut_offsets(data, WORDS, *sizes)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2000), st.lists(st.integers(1, 90), min_size=1, max_size=6),
       st.sampled_from(sorted(EDGES)))
@example(0, 500, [1], "tiny")
@example(0, 500, [1], "late")
@example(1, 2000, [2, 1], "odd")
def test_any_split_gives_the_same_cuts(seed, size, pieces, rules):
    data = random.Random(seed).randbytes(size)
    assert scan_in_pieces(data, EDGES[rules], pieces) == list(cut_offsets(data, *EDGES[rules]))


def test_every_length_and_every_single_split_gives_the_same_cuts():
    data = random.Random(7).randbytes(420)
    for name, rules in EDGES.items():
        whole = list(cut_offsets(data, *rules))
        for split in range(len(data)):
            assert list(cut_offsets(data[:split], *rules)) == reference.cut_offsets(data[:split], WORDS, *SIZES[name]), split
            scanner = CutScanner(*rules)
            assert [*scanner.feed(data[:split]), *scanner.feed(data[split:]), *scanner.finish()] == whole, split


def test_more_cuts_than_one_block_holds():
    data = random.Random(3).randbytes(100_000)
    assert list(cut_offsets(data, *TINY)) == reference.cut_offsets(data, WORDS, *SIZES["tiny"])
    assert scan_in_pieces(data, TINY, [100_000]) == list(cut_offsets(data, *TINY))


def test_a_scanner_begins_anew_after_finish():
    data, scanner = random.Random(9).randbytes(999), CutScanner(*TINY)
    rounds = [[*scanner.feed(data), *scanner.finish()] for _ in range(2)]
    assert rounds[0] == rounds[1] == list(cut_offsets(data, *TINY))
    assert list(scanner.finish()) == []


def test_a_scanner_keeps_its_table_alive():
    table = array("I", WORDS)
    scanner = CutScanner(table, *TINY[1:])
    with pytest.raises(BufferError):
        table.append(0)
    assert list(scanner.feed(b"")) == []


def test_sizes_follow_the_target():
    data = random.Random(2020).randbytes(16 << 20)
    ends = cut_offsets(data, *Profile(algorithm=RONOMON, minimum=2 << 10, target=8 << 10, maximum=32 << 10).rules)
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)][:-1]
    # 2 KiB are skipped, 3 KiB follow at a chance of 2**-14 (exp(-3/16) = 0.829 survive), then 2**-12 a byte: mean 8241.
    assert 0.94 * 8241 < sum(sizes) / len(sizes) < 1.06 * 8241
    assert min(sizes) > 2 << 10
    assert max(sizes) <= 32 << 10
    assert 0.13 < sum(size <= 5 << 10 for size in sizes) / len(sizes) < 0.21  # 1 - 0.829 is 0.171


def test_threads_find_the_same_cuts_at_once():
    data, found = random.Random(1).randbytes(4 << 20), {}
    rules = Profile(algorithm=RONOMON).rules

    def work(name):
        found[name] = cut_offsets(data, *rules)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[name] == cut_offsets(data, *rules) for name in range(4))


def test_a_scanner_is_not_used_while_it_is_fed():
    scanner, data, refused = CutScanner(*Profile(algorithm=RONOMON).rules), bytes(64 << 20), 0
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
    table, data = array("I", WORDS), random.Random(4).randbytes(1 << 20)
    rules, going = (table, *TINY[1:]), threading.Event()

    def change():
        while not going.is_set():
            table[7] ^= 1

    thread = threading.Thread(target=change)
    thread.start()
    ends = [list(cut_offsets(data, *rules)) for _ in range(5)]
    going.set()
    thread.join()
    longest = TINY[3]
    assert all(cuts[-1] == len(data) for cuts in ends)
    assert all(1 <= end - start <= longest for cuts in ends for start, end in zip([0, *cuts], cuts, strict=False))


@pytest.mark.parametrize("rules", [
    (array("I", [0] * 255), 8, 9, 61, 1, 1), (WORDS, 0, 9, 61, 1, 1), (WORDS, -1, 9, 61, 1, 1), (WORDS, 62, 9, 61, 1, 1),
    (WORDS, 8, 9, 2**30 + 1, 1, 1), (WORDS, 8, -1, 61, 1, 1), (WORDS, 8, 62, 61, 1, 1),
])
def test_wrong_rules_are_refused(rules):
    with pytest.raises(ConfigError):
        cut_offsets(b"data", *rules)
    with pytest.raises(ConfigError):
        CutScanner(*rules)


def test_none_is_no_buffer():
    with pytest.raises(TypeError):
        cut_offsets(None, *TINY)
