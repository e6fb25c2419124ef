"""The reference scan: Nix's own algorithm, plain search, every border of buffers, and columns that no scan made."""

import threading
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import refscan
from siltstone._native.refscan import ReferenceMatcher
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.reference import refscan as reference

A = b"g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q"
B = b"hy3qg1w7hy3qg1w7hy3qg1w7hy3q0000"  # begins inside of A
C = b"0" * 32  # overlaps with itself
PARTS = [A, B, C]
HOLE = bytes(32)
VARIANTS = refscan.variants()

# Pieces that make nearly right windows likely: whole parts, cut parts, runs of digits, what is no digit.
PIECES = st.one_of(
    st.sampled_from([A, B, C, HOLE, b"e", b"-", b"0", b"g1w7", A[:31], A[1:], A[4:], b"0" * 70, b"\xff" * 31, b"/nix/store/"]),
    st.binary(max_size=9), st.text(alphabet=reference.ALPHABET.decode(), max_size=40).map(str.encode),
)
DATA = st.lists(PIECES, max_size=12).map(b"".join)


def matcher(parts=PARTS, variant="auto"):
    return ReferenceMatcher(b"".join(parts), variant)


def marked(data, parts=PARTS, variant="auto"):
    seen = bytearray(len(parts))
    fresh = matcher(parts, variant).mark(data, seen)
    assert fresh == sum(seen)
    return {part for part, mark in zip(parts, seen, strict=True) if mark}


def outcome(work, *arguments):
    """A result as lists, or that it was refused: the twin names other places."""
    try:
        return tuple(map(list, work(*arguments)))
    except CorruptDataError:
        return "refused"


@pytest.mark.parametrize("variant", VARIANTS)
@given(DATA)
@example(b"")
@example(A[:31])
@example(A)
@example(b"e" + A + b"e")
@example(A + B[28:])
@example(b"0" * 100)
def test_marks_are_what_nix_finds(variant, data):
    assert marked(data, variant=variant) == reference.nix_scan(data, PARTS) == {part for part in PARTS if part in data}


@pytest.mark.parametrize("variant", VARIANTS)
@given(DATA)
@example(A * 3 + B + C + b"0")
@example(b"0" * 65)
def test_taking_agrees_with_reference_and_is_undone(variant, data):
    buffer = bytearray(data)
    offsets, numbers, rest = matcher(variant=variant).take(buffer, HOLE, 1 << 40)
    expected, places, found = reference.take(data, PARTS, HOLE)
    assert (bytes(buffer), [offset - (1 << 40) for offset in offsets], list(numbers)) == (expected, places, found)
    end = places[-1] + 32 if places else 0
    assert max(end, len(data) - 31) <= rest <= len(data)
    assert all(byte in reference.ALPHABET for byte in data[rest:])
    assert refscan.put(buffer, offsets, numbers, 0, b"".join(PARTS), HOLE, 1 << 40) == len(offsets)
    assert bytes(buffer) == data


def test_every_byte_is_a_digit_or_none_for_each_variant_and_place():
    for variant in VARIANTS:
        for byte in range(256):
            for place in (0, 5, 15, 16, 27, 28, 31):
                part = A[:place] + bytes([byte]) + A[place + 1:]
                if byte in reference.ALPHABET:
                    assert marked(b"e" + part + b"e" * 40, [part], variant) == {part}
                else:
                    assert marked(part + b"x" * 40, [A], variant) == set()
                    with pytest.raises(ConfigError):
                        ReferenceMatcher(part, variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_part_is_found_at_every_distance_from_the_ends(variant):
    for before in range(70):
        for after in (0, 1, 31, 32, 33, 64):
            for filling in (b"e", b"1"):
                data = filling * before + A + filling * after
                assert marked(data, variant=variant) == {A}
                assert list(matcher(variant=variant).take(bytearray(data), HOLE)[0]) == [before]


def test_many_parts_are_told_apart():
    parts = [b"%032d" % number for number in range(5_000)]  # first digits alike: every filter passes
    found = matcher(parts).take(bytearray(b"-".join(parts)), HOLE)
    assert list(found[1]) == list(range(5_000))
    assert list(found[0]) == [33 * number for number in range(5_000)]
    assert len(matcher(parts)) == 5_000
    assert marked(b"x".join(parts[:7]), parts) == set(parts[:7])
    assert marked(b"", []) == marked(A, []) == set()


def test_a_hit_over_a_border_is_restored_in_parts():
    data = b"x" + A + b"-" + C
    taken = bytearray(data)
    offsets, numbers, _ = matcher().take(taken, HOLE)
    for size in range(1, len(data) + 1):
        out, hit = b"", 0
        for start in range(0, len(data), size):
            piece = bytearray(taken[start:start + size])
            hit = refscan.put(piece, offsets, numbers, hit, b"".join(PARTS), HOLE, start)
            out += piece
        assert (out, hit) == (data, 2)


@pytest.mark.parametrize(("offsets", "numbers", "first", "problem"), [
    ([0], [3], 0, CorruptDataError), ([1], [0], 0, CorruptDataError), ([0], [], 0, ConfigError), ([0], [0], 2, ConfigError),
    ([0], [0], -1, ConfigError), ([8, 0], [0, 0], 0, CorruptDataError), ([0, 0], [0, 0], 0, CorruptDataError),
    ([(1 << 64) - 1], [0], 0, None), ([100], [0], 0, None), ([(1 << 64) - 1, 0], [0, 0], 0, None),
])
def test_columns_that_no_scan_made_are_refused_or_harmless(offsets, numbers, first, problem):
    data = bytearray(HOLE + b"end")
    arguments = (data, array("Q", offsets), array("I", numbers), first, b"".join(PARTS), HOLE)
    if problem is None:
        assert refscan.put(*arguments) == 0
        assert data == HOLE + b"end"
    else:
        with pytest.raises(problem):
            refscan.put(*arguments)


def test_put_refuses_a_hit_before_its_bytes():
    with pytest.raises(CorruptDataError):
        refscan.put(bytearray(HOLE), array("Q", [0]), array("I", [0]), 0, A, HOLE, 32)
    with pytest.raises(CorruptDataError):
        refscan.put(bytearray(HOLE), array("Q", [(1 << 64) - 8]), array("I", [0]), 0, A, HOLE, (1 << 64) - 16)


@pytest.mark.parametrize("work", [
    lambda: ReferenceMatcher(A[:31]), lambda: ReferenceMatcher(A + A), lambda: ReferenceMatcher(A, "avx9"),
    lambda: ReferenceMatcher(A.upper()), lambda: matcher().mark(b"", bytearray(2)), lambda: matcher().take(bytearray(40), b""),
    lambda: refscan.put(bytearray(32), array("Q"), array("I"), 0, A[:30], HOLE),
    lambda: refscan.put(bytearray(32), array("Q"), array("I"), 0, A, b""),
    lambda: refscan.pack_hits(array("Q", [0, 31]), array("I", [0, 0])), lambda: refscan.pack_hits(array("Q", [0]), array("I")),
    lambda: refscan.pack_hits(array("Q", [(1 << 64) - 32]), array("I", [0])),
])
def test_arguments_that_do_not_fit_are_refused(work):
    with pytest.raises(ConfigError):
        work()


GAPS = st.lists(st.tuples(st.integers(0, 300) | st.integers(0, 1 << 50), st.sampled_from([0, 1, 200, (1 << 32) - 2])),
                max_size=20)


@given(GAPS)
def test_packed_hits_agree_with_reference_and_come_back(gaps):
    offsets, end = [], 0
    for gap, _ in gaps:
        offsets.append(end + gap)
        end += gap + 32
    numbers = [number for _, number in gaps]
    packed = refscan.pack_hits(array("Q", offsets), array("I", numbers))
    assert packed == reference.pack_hits(offsets, numbers)
    assert outcome(refscan.unpack_hits, packed, len(gaps), (1 << 32) - 1, end) == (offsets, numbers)
    if gaps:
        assert outcome(refscan.unpack_hits, packed, len(gaps), (1 << 32) - 1, end - 1) == "refused"
        assert outcome(refscan.unpack_hits, packed, len(gaps), max(numbers), end) == "refused"


@given(st.binary(max_size=14), st.integers(0, 4), st.integers(0, 3), st.integers(0, 1 << 16))
@example(b"\x80\0\0", 1, 1, 100)
@example(b"\0\x80\0", 1, 1, 100)
@example(b"\xff" * 9 + b"\x01\0", 1, 1, (1 << 64) - 1)
@example(b"\0\0", 1, 1, 31)
@example(b"\0\0", 1, 1, 32)
@example(b"\0\0", 1 << 40, 1, 32)
@example(b"\0\0\0\0", 2, 1, 63)
def test_unpacking_any_bytes_agrees_with_reference(data, count, known, size):
    found = outcome(refscan.unpack_hits, data, count, known, size)
    assert found == (outcome(reference.unpack_hits, data, count, known, size) if count <= len(data) else "refused")


def test_every_truncation_and_flip_of_packed_hits_agrees_with_reference():
    packed = refscan.pack_hits(array("Q", [5, 300, 70_000]), array("I", [0, 2, 1]))
    damaged = [packed[:size] for size in range(len(packed))]
    damaged += [packed[:at] + bytes([packed[at] ^ 1 << bit]) + packed[at + 1:] for at in range(len(packed)) for bit in range(8)]
    for data in damaged:
        found = outcome(refscan.unpack_hits, data, 3, 3, 80_000)
        assert found == outcome(reference.unpack_hits, data, 3, 3, 80_000)


def test_buffers_that_change_during_a_call_harm_nobody():
    data, stop = bytearray((b"x" * 40 + A) * 2_000), threading.Event()
    offsets, numbers, _ = matcher().take(bytearray(data), HOLE)

    def disturb():
        while not stop.is_set():
            for at in range(40, 40_000, 72):
                data[at:at + 32] = A if data[at] != A[0] else HOLE
                offsets[at % 2_000], numbers[at % 2_000] = (1 << 64) - at, (1 << 32) - 1

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(30):
            matcher().mark(data, bytearray(3))
            matcher().take(data, HOLE)
            for work in (lambda: refscan.put(data, offsets, numbers, 0, b"".join(PARTS), HOLE),
                         lambda: refscan.pack_hits(offsets, numbers)):
                try:
                    work()
                except (CorruptDataError, ConfigError):
                    continue
    finally:
        stop.set()
        thread.join()
    assert len(data) == 72 * 2_000


def test_threads_share_a_matcher():
    shared, data = matcher(), (b"x" * 999 + A + b"y" * 999 + C) * 50
    expected = reference.take(data, PARTS, HOLE)[0]
    results = []

    def work():
        for _ in range(5):
            buffer, seen = bytearray(data), bytearray(3)
            shared.take(buffer, HOLE)
            shared.mark(data, seen)
            results.append((bytes(buffer), bytes(seen)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == {(expected, b"\1\0\1")}
