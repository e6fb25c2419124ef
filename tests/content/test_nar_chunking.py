"""Chunks of NARs: the definition told plainly, any split, the map to entries, padding, programs, and what it is good for."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content.chunking import cut_offsets
from siltstone.content.nar import iter_nar
from siltstone.content.nar_chunking import NarChunker, chunks_by_entry, is_program, iter_nar_chunks
from siltstone.content.nar_format import NarDirectory, NarFile, NarLimits, NarSymlink
from siltstone.content.profiles import Profile
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.content.nar_world import HELLO, SMALL, directory, nar, pieces_of, regular, string, symlink

TINY = Profile(minimum=64, target=256, maximum=1_024)
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9)


def package(seed, *, files=40, largest=3_000):
    """A NAR of text, programs, zeros and links; the same seed gives the same bytes."""
    rng = random.Random(seed)
    entries = []
    for number in range(files):
        size = rng.randrange(largest)
        kind = rng.randrange(8)
        if kind == 0:
            node = symlink(b"t" * (size // 8 + 1))
        elif kind == 1:
            node = regular(bytes(size))
        elif kind == 2:
            node = regular(PROGRAM + rng.randbytes(size), executable=True)
        elif kind == 3:
            node = directory((b"only", regular(rng.randbytes(size))), (b"some", directory()))
        else:
            node = regular(rng.randbytes(size // 2) + b"a line of text\n" * (size // 30))
        entries.append((b"%03d" % number, node))
    return nar(directory(*entries))


def boundaries_of(archive):
    found = []
    for event in iter_nar(archive):
        if isinstance(event, (NarFile, NarDirectory, NarSymlink)) and event.start:
            found.append(event.start)
        if isinstance(event, NarFile) and event.size >= 8 and is_program(archive[event.offset:event.offset + 8]):
            found.append(event.offset)
    return found


def plain_ends(archive, profile):
    """The definition in the module's docstring, with everything at hand."""
    natural = list(cut_offsets(archive, profile=profile))[:-1]
    bounds, window, size = boundaries_of(archive), profile.target // 4, len(archive)
    start, ends = 0, []
    while start < size:
        natural = [cut for cut in natural if cut > start]
        if not natural:
            start = min(size, start + profile.maximum)
            ends.append(start)
            continue
        cut = natural[0]
        low, high = max(start + profile.minimum, cut - window), min(start + profile.maximum, cut + window)
        near = [bound for bound in bounds if low <= bound <= high]
        if near:
            start = min(near, key=lambda bound: (abs(bound - cut), bound))
            natural.remove(cut)
        elif cut < start + profile.minimum:
            natural.remove(cut)
            continue
        else:
            start = min(cut, start + profile.maximum)
        ends.append(start)
    return ends


def ends_of(chunks):
    return [chunk.offset + len(chunk.data) for chunk in chunks]


@settings(max_examples=40)
@given(st.integers(0, 1_000), st.lists(st.integers(0, 10**6), max_size=8))
def test_chunks_follow_the_definition_for_any_split(seed, cuts):
    archive = package(seed)
    chunks = list(iter_nar_chunks(pieces_of(archive, cuts), profile=TINY))
    assert ends_of(chunks) == plain_ends(archive, TINY)
    assert b"".join(chunk.data for chunk in chunks) == archive
    assert all(64 <= len(chunk.data) <= 1_024 for chunk in chunks[:-1])
    assert chunks == list(iter_nar_chunks(archive, profile=TINY))


def test_one_byte_at_a_time_gives_the_same_chunks():
    archive = package(7, files=12)
    pieces = (archive[at:at + 1] for at in range(len(archive)))
    assert list(iter_nar_chunks(pieces, profile=TINY)) == list(iter_nar_chunks(archive, profile=TINY))


def test_most_chunks_end_where_entries_begin():
    profile = Profile(minimum=1_024, target=4_096, maximum=16_384)
    archive = package(1, files=900, largest=1_500)
    bounds = set(boundaries_of(archive))
    ends = ends_of(iter_nar_chunks(archive, profile=profile))[:-1]
    assert len(ends) > 100
    assert sum(end in bounds for end in ends) > 0.9 * len(ends)
    assert sum(end in bounds for end in cut_offsets(archive, profile=profile)) < 0.05 * len(ends)


def test_each_chunk_names_the_entries_it_holds_a_byte_of():
    archive = package(3)
    chunks = list(iter_nar_chunks(archive, profile=TINY))
    spans = {span for chunk in chunks for span in chunk.entries}
    paths = {event.path for event in iter_nar(archive) if isinstance(event, (NarFile, NarDirectory, NarSymlink))}
    assert {span.path for span in spans} == paths
    for span in spans - {span for span in spans if not span.path}:
        assert archive.startswith(string(b"entry"), span.start)
    for chunk in chunks:
        end = chunk.offset + len(chunk.data)
        assert set(chunk.entries) == {span for span in spans if span.start < end and span.end > chunk.offset}
    for span in spans:
        if isinstance(span.path, bytes) and span.path.endswith(b"only"):
            assert archive[:span.end].endswith(string(b")") * 2)
    ordered = sorted(spans, key=lambda span: span.start)
    assert all(one.end <= other.start for one, other in pairwise(ordered))


def test_each_entry_names_the_chunks_that_hold_it():
    chunks = list(iter_nar_chunks(package(4), profile=TINY))
    places = chunks_by_entry(chunks)
    for path, numbers in places.items():
        held = [number for number, chunk in enumerate(chunks) if path in {span.path for span in chunk.entries}]
        assert list(numbers) == held


def test_zero_chunks_are_told_and_can_be_left_out():
    archive = nar(directory((b"hole", regular(bytes(10_000))), (b"text", HELLO)))
    chunks = list(iter_nar_chunks(archive, profile=TINY))
    assert sum(chunk.is_padding for chunk in chunks) >= 8
    kept = [(len(chunk.data), None if chunk.is_padding else bytes(chunk.data)) for chunk in chunks]
    assert b"".join(bytes(size) if data is None else data for size, data in kept) == archive
    assert not any(any(chunk.data) for chunk in chunks if chunk.is_padding)
    assert all(any(chunk.data) for chunk in chunks if not chunk.is_padding)
    rest = list(iter_nar_chunks(archive, profile=TINY, skip_padding=True))
    assert [chunk.offset for chunk in rest] == [chunk.offset for chunk in chunks if not chunk.is_padding]
    restored = bytearray(len(archive))
    for chunk in rest:
        restored[chunk.offset:chunk.offset + len(chunk.data)] = chunk.data
    assert restored == archive


def test_the_padding_behind_a_string_is_never_a_chunk_of_its_own():
    for size in range(600, 700):
        archive = nar(directory((b"a", regular(random.Random(size).randbytes(size))), (b"b", HELLO)))
        assert not any(chunk.is_padding for chunk in iter_nar_chunks(archive, profile=TINY))


@pytest.mark.parametrize(("head", "expected"), [
    (PROGRAM[:8], True), (bytes.fromhex("feedfacf0000000c"), True), (bytes.fromhex("cffaedfe0c000001"), True),
    (bytes.fromhex("cafebabe00000002"), True), (bytes.fromhex("cafebabf00000002"), True),
    (bytes.fromhex("cafebabe00000034"), False), (b"#!/bin/s", False),
    (bytes.fromhex("feedface00000007"), True), (bytes.fromhex("cefaedfe07000000"), True), (bytes(8), False),
])
def test_programs_are_known_by_their_first_bytes(head, expected):
    assert is_program(head) is expected


def test_a_program_starts_a_chunk_where_a_cut_is_near():
    profile = Profile(minimum=256, target=4_096, maximum=8_192)
    starts = hits = 0
    for seed in range(150):
        rng = random.Random(seed)
        first, program = regular(rng.randbytes(4_500)), regular(PROGRAM + rng.randbytes(9_000))
        archive = nar(directory((b"a" * 255, first), (b"b" * 255, program)))
        offset = archive.index(PROGRAM)
        ends = ends_of(iter_nar_chunks(archive, profile=profile))
        assert ends == plain_ends(archive, profile)
        hits += offset in ends
        starts += 1
    assert hits > starts // 8


def test_what_is_no_nar_is_refused():
    for data in (b"", b"plain text" * 100, SMALL[:-1], SMALL + b"\0"):
        with pytest.raises(CorruptDataError):
            list(iter_nar_chunks(data, profile=TINY))
    with pytest.raises(BudgetExceeded):
        list(iter_nar_chunks(SMALL, profile=TINY, limits=NarLimits(entries=2)))
    chunker = NarChunker(profile=TINY)
    chunker.feed(SMALL)
    assert b"".join(chunk.data for chunk in chunker.finish()) == SMALL
    with pytest.raises(ConfigError):
        chunker.feed(b"x")


def test_what_is_held_does_not_grow_with_the_archive():
    def pieces():
        head, tail = nar(regular(b""))[:-24], string(b")")
        yield head + (64 << 20).to_bytes(8, "little")
        block = random.Random(5).randbytes(1 << 16)
        for _ in range(64 << 4):
            yield block
        yield tail

    chunker = NarChunker(profile=Profile(minimum=4_096, target=16_384, maximum=65_536))
    most = 0
    for piece in pieces():
        chunker.feed(piece)
        most = max(most, sum(map(len, chunker._pieces)))
    chunker.finish()
    assert most <= 2 * 65_536 + 4_096 + 8_192 + (1 << 16)


def test_a_changed_file_reaches_into_fewer_chunks():
    profile = Profile(minimum=4_096, target=16_384, maximum=65_536)
    new_bytes = {"aware": 0, "plain": 0}
    for seed in range(6):
        rng = random.Random(seed)
        files = [(b"%04d" % number, rng.randbytes(rng.randrange(200, 6_000))) for number in range(500)]
        changed = [(name, data[:-5] + b"other text" if rng.random() < 0.03 else data) for name, data in files]
        old, new = (nar(directory(*((name, regular(data)) for name, data in one))) for one in (files, changed))
        for way, cut in (("aware", aware), ("plain", plainly)):
            known = set(cut(old, profile))
            new_bytes[way] += sum(len(chunk) for chunk in cut(new, profile) if chunk not in known)
    assert new_bytes["aware"] < new_bytes["plain"]


def aware(archive, profile):
    return [bytes(chunk.data) for chunk in iter_nar_chunks(archive, profile=profile)]


def plainly(archive, profile):
    ends = list(cut_offsets(archive, profile=profile))
    return [archive[start:end] for start, end in zip([0, *ends], ends, strict=False)]
