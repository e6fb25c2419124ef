"""Every kernel of the cut points finds what the scalar and the pure twin find, and says so where it cannot run."""

import random
from array import array

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native import gear
from siltstone._native.gear import CutScanner, cut_offsets
from siltstone.content.profiles import PROFILES, gear_table
from siltstone.core.errors import ConfigError
from siltstone.native import native_status
from tests.reference import gear as reference

KERNELS = gear.available()
LANES = "avx512-vbmi"
needs_lanes = pytest.mark.skipif(LANES not in KERNELS, reason="this machine lacks AVX-512 VBMI")
WORDS = array("Q", gear_table())
SMALL = (WORDS, 65, 301, 1200, 0x0000000103530000, 0x0000000003510000)
FASTCDC = sorted(name for name, profile in PROFILES.items() if profile.algorithm.startswith("fastcdc"))
TILE_BYTES, FIRST_BYTES = 6_016, 4_096  # a region of n tiles takes 6,016 n - 4,096 bytes


def content_of(kind, seed, size):
    """Return bytes that are random, of few values, periodic, constant, or parts of all of them."""
    rng = random.Random(seed)
    if kind == "random":
        return rng.randbytes(size)
    if kind == "few":
        return bytes(rng.choices(b"ab\n\0", k=size))
    if kind == "periodic":
        return (rng.randbytes(1 + seed % 700) * (size + 1))[:size]
    if kind == "constant":
        return bytes([seed % 256]) * size
    parts = [content_of(("random", "few", "periodic", "constant")[turn % 4], seed + turn, rng.randrange(1, 40_000))
             for turn in range(1 + size // 10_000)]
    return b"".join(parts)[:size]


def scan_in_pieces(data, rules, sizes, **options):
    scanner, cuts, start, turn = CutScanner(*rules, **options), [], 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        cuts.extend(scanner.feed(data[start:start + size]))
        start, turn = start + size, turn + 1
    return [*cuts, *scanner.finish()]


kinds = st.sampled_from(["random", "few", "periodic", "constant", "mixed"])


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), kinds, st.integers(0, 70_000), st.booleans())
@example(0, "constant", 70_000, True)
@example(1, "random", 65_536, False)
def test_every_kernel_agrees_with_reference(kernel, seed, kind, size, pairs):
    data, rules = content_of(kind, seed, size), (*SMALL, pairs)
    assert list(cut_offsets(data, *rules, kernel=kernel)) == reference.cut_offsets(data, *rules)


@needs_lanes
@settings(max_examples=120, derandomize=True, deadline=None)
@given(st.integers(0, 2**64 - 1), kinds, st.integers(0, 2_000_000), st.sampled_from(FASTCDC), st.booleans())
def test_lanes_agree_with_scalar_for_every_profile_and_seed(seed, kind, size, name, pairs):
    data, rules = content_of(kind, seed, size), PROFILES[name].rules[:6]
    rules = (memoryview(gear_table(seed)).cast("Q"), *rules[1:], pairs)
    assert cut_offsets(data, *rules, kernel=LANES) == cut_offsets(data, *rules, kernel="scalar")


@needs_lanes
@pytest.mark.parametrize("tiles", [6, 7, 8, 34, 35, 40, 41])
def test_lanes_agree_with_scalar_near_the_borders_of_regions(tiles):
    data = content_of("mixed", tiles, TILE_BYTES * tiles + 1_000)
    for around in (0, SMALL[1], SMALL[1] + 112):
        for more in (-65, -64, -63, -1, 0, 1, 2, 63, 64, 65, 129):
            piece = data[:TILE_BYTES * tiles - FIRST_BYTES + around + more]
            assert cut_offsets(piece, *SMALL, kernel=LANES) == cut_offsets(piece, *SMALL, kernel="scalar"), (around, more)


@needs_lanes
def test_lanes_agree_with_scalar_at_every_alignment():
    data = memoryview(content_of("mixed", 3, 120_000))
    for start in range(130):
        assert cut_offsets(data[start:], *SMALL, kernel=LANES) == cut_offsets(data[start:], *SMALL, kernel="scalar"), start


@needs_lanes
@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), kinds, st.lists(st.integers(1, 400_000), min_size=1, max_size=5), st.booleans(),
       st.sampled_from(["fastcdc-8k", "fastcdc-64k"]))
@example(0, "mixed", [100_001, 3, 70_000, 1], True, "fastcdc-8k")
def test_lanes_give_the_same_cuts_for_any_split(seed, kind, sizes, pairs, name):
    data = content_of(kind, seed, 800_000)
    sizes = [*sizes, 40_000 + seed % 2]
    for rules in ((*PROFILES[name].rules[:6], pairs), (*SMALL, pairs)):
        whole = list(cut_offsets(data, *rules, kernel="scalar"))
        assert scan_in_pieces(data, rules, sizes, kernel=LANES) == whole


@needs_lanes
@pytest.mark.parametrize("entries", [(0,), (0, 7, 200), range(0, 256, 3)])
def test_lanes_carry_through_a_limb_of_ones(entries):
    table = array("Q", WORDS)
    for entry in entries:
        table[entry] |= 0xFFFF0000
    for kind in ("random", "mixed"):
        data, rules = content_of(kind, 11, 400_000), (table, *SMALL[1:])
        assert cut_offsets(data, *rules, kernel=LANES) == cut_offsets(data, *rules, kernel="scalar")


@needs_lanes
@pytest.mark.parametrize("mask", [0, 1, 0x10, 0x10000, 0x800000000000, 0xFFFF, 0x8000, 0xFFFFFFFFFFFF])
def test_lanes_agree_with_scalar_where_candidates_crowd_or_never_come(mask):
    for kind in ("random", "few", "constant"):
        data, rules = content_of(kind, 5, 300_000), (WORDS, 100, 5_000, 20_000, mask | 0x110, mask)
        assert cut_offsets(data, *rules, kernel=LANES) == cut_offsets(data, *rules, kernel="scalar")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("length", [1, 47, 48, 49, 63, 64, 65, 128, 4_095, 4_161, 9_000])
def test_runs_of_one_byte_agree_with_reference(kernel, length):
    rng = random.Random(length)
    for value in (0, 32, 90, 255):
        pieces = (rng.randbytes(rng.randrange(1, 300)) + bytes([value]) * length for _ in range(1 + 12_000 // length))
        data = b"".join(pieces)[:40_000]
        for rules in ((WORDS, 66, 600, 8_000, 0x3530000, 0x510000), (WORDS, 67, 601, 8_001, 0x3530000, 0x110000, False)):
            assert list(cut_offsets(data, *rules, kernel=kernel)) == reference.cut_offsets(data, *rules), value


def test_a_run_can_be_cut_at_each_of_its_bytes():
    value = next(value for value in range(256) if not -WORDS[value] & 0x510000)
    rules = (WORDS, 80, 600, 8_000, 0x510000, 0x510000)
    data = bytes([value]) * 5_000
    assert list(cut_offsets(data, *rules)) == reference.cut_offsets(data, *rules)
    assert len(cut_offsets(data, *rules)) > 30


def test_masks_of_64_bits_are_for_the_scalar():
    rules = (WORDS, 64, 500, 3_000, 0xFFF0000000000000, 0xFF00000000000000, False)
    for kind in ("random", "constant", "mixed"):
        data = content_of(kind, 8, 60_000)
        assert list(cut_offsets(data, *rules)) == reference.cut_offsets(data, *rules)
    with pytest.raises(ConfigError) as caught:
        cut_offsets(b"data", *rules, kernel=LANES)
    assert caught.value.field == "kernel"


@pytest.mark.parametrize("make", [lambda **options: cut_offsets(b"data", *SMALL, **options),
                                  lambda **options: CutScanner(*SMALL, **options)])
def test_a_kernel_that_cannot_run_is_refused_by_name(make):
    with pytest.raises(ConfigError) as caught:
        make(kernel="neon-512")
    assert caught.value.field == "kernel"
    for kernel in ("auto", *KERNELS):
        make(kernel=kernel)


@needs_lanes
def test_self_test_sees_a_broken_kernel():
    assert gear.self_test()
    assert not gear.self_test(spoil=True)


def test_a_kernel_is_refused_with_its_reason():
    assert gear.probe(supported=True, test=lambda: True) == (("scalar", LANES), {})
    assert gear.probe(supported=True, test=lambda: False) == (("scalar",), {LANES: "its self-test failed"})
    names, reasons = gear.probe(supported=False, test=lambda: True)
    assert names == ("scalar",)
    assert "lacks" in reasons[LANES]
    assert set(KERNELS) | set(gear.refused()) == {"scalar", LANES}


def test_native_status_tells_the_kernel_that_runs():
    assert native_status()["gear"] == KERNELS[-1]
    assert native_status("scalar")["gear"] == native_status("scalar")["literals"] == "scalar"
    assert native_status(KERNELS[-1])["gear"] == KERNELS[-1]
    with pytest.raises(ConfigError):
        native_status("neon-512")
