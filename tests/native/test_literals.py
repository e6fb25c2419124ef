"""The literal matcher equals its reference, for every variant that this machine runs."""

from __future__ import annotations

import struct
import threading
from array import array

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native import literals as kernel
from siltstone.core.errors import ConfigError, UnsupportedError
from tests.reference import literals as reference

VARIANTS = kernel.variants()


def search(literals, data, bounds=None, variant="auto", limit=1 << 20):
    bounds = [(0, len(data))] if bounds is None else bounds
    starts, ends = array("q", (start for start, _ in bounds)), array("q", (end for _, end in bounds))
    packed, done = kernel.LiteralMatcher(literals, variant).search(data, starts, ends, 0, limit)
    assert done == len(bounds)
    return [(segment, offset, literal) for segment, literal, offset in struct.iter_unpack(kernel.HIT_FORMAT, packed)]


def expected(literals, data, bounds=None):
    bounds = [(0, len(data))] if bounds is None else bounds
    return reference.find_literals(literals, data, [start for start, _ in bounds], [end for _, end in bounds])


small_alphabet = st.lists(st.sampled_from(b"aAbB_\x00\xe9@"), min_size=1, max_size=9).map(bytes)
texts = st.lists(st.one_of(small_alphabet, st.sampled_from([b"." * 40, b"needle", b"NeEdLe"])), max_size=30).map(b"".join)


@pytest.mark.parametrize("variant", VARIANTS)
@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(small_alphabet | st.just(b"needle"), max_size=8), texts, st.data())
@example([b"a"], b"", None)
@example([b"a", b"A"], b"aA", None)
@example([b"ab", b"aba", b"abab"], b"ABABABAB" * 20, None)
@example([b"[", b"{", b"@", b"`"], b"[{@`" * 20, None)
@example([b"x" * 255], b"X" * 300, None)
@example([b"x" * 255], b"X" * 254, None)
def test_matcher_agrees_with_reference(variant, literals, text, data):
    bounds = [(0, len(text))]
    if data is not None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
        bounds = list(zip([0, *cuts], [*cuts, len(text)], strict=True))
    assert search(literals, text, bounds, variant) == expected(literals, text, bounds)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [1, 3, 4, 31, 32, 33, 34, 35, 36, 64, 4_095, 4_096, 4_097, 4_130, 8_192])
def test_literal_is_found_at_every_place_near_the_borders(variant, size):
    for length in (1, 2, 3, 4, 5, 17):
        literal = b"qZ_7!xkvw-0987654"[:length]
        for at in {0, 1, size // 2, max(0, size - length - 1), max(0, size - length)}:
            if at + length <= size:
                text = bytearray(b"." * size)
                text[at : at + length] = literal.swapcase()
                assert search([literal], bytes(text), variant=variant) == [(0, at, 0)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_thousands_of_literals_are_told_apart(variant):
    literals = [b"key%05d" % number for number in range(3_000)] + [b"%c" % byte for byte in range(3)]
    text = b" ".join(literals[::7]) + b"KEY02999"
    assert search(literals, text, variant=variant) == expected(literals, text)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_hit_crosses_a_segment_border(variant):
    text = b"pass" + b"word" + b"." * 50
    assert search([b"password"], text, [(0, 4), (4, 8), (8, len(text))], variant) == []
    assert search([b"password"], text, [(4, 8), (0, 8), (0, 7), (1, 8)], variant) == [(1, 0, 0)]


def test_limit_stops_before_the_segment_that_does_not_fit():
    matcher = kernel.LiteralMatcher([b"a"])
    starts, ends = array("q", [0, 2, 5]), array("q", [2, 5, 6])
    packed, done = matcher.search(b"aaaaaa", starts, ends, 0, 4)
    assert (len(packed) // struct.calcsize(kernel.HIT_FORMAT), done) == (2, 1)
    packed, done = matcher.search(b"aaaaaa", starts, ends, 1, 4)
    assert (len(packed) // struct.calcsize(kernel.HIT_FORMAT), done) == (4, 3)
    assert matcher.search(b"aaaaaa", starts, ends, 1, 2) == (b"", 1)
    assert matcher.search(b"bb", array("q", [0]), array("q", [2]), 0, 0) == (b"", 1)


@pytest.mark.parametrize("literals", [[b""], [b"ok", b"x" * 256], [b"a"] * 65_536])
def test_literals_out_of_range_are_refused(literals):
    with pytest.raises(ConfigError):
        kernel.LiteralMatcher(literals)


@pytest.mark.parametrize("bounds", [[(-1, 2)], [(2, 1)], [(0, 4)], [(0, 1), (3, 4)]])
def test_segment_outside_the_data_is_refused(bounds):
    with pytest.raises(ConfigError):
        search([b"a"], b"abc", bounds)


def test_segment_columns_of_different_length_are_refused():
    with pytest.raises(ConfigError):
        kernel.LiteralMatcher([b"a"]).search(b"a", array("q", [0]), array("q"), 0, 10)


def test_unknown_variant_is_refused():
    with pytest.raises(ConfigError):
        kernel.LiteralMatcher([b"a"], "neon512")
    assert kernel.LiteralMatcher([b"a"]).variant == VARIANTS[-1]
    assert issubclass(UnsupportedError, Exception)


def test_one_matcher_serves_several_threads():
    matcher = kernel.LiteralMatcher([b"needle", b"edl"])
    text = (b"." * 997 + b"NEEDLE") * 300
    results = []

    def work():
        results.append(matcher.search(text, array("q", [0]), array("q", [len(text)])))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results[0][0]) == 600 * struct.calcsize(kernel.HIT_FORMAT)
