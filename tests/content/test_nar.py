"""The NAR reader and writer: events, any split of the input, what is refused and where, every prefix and every flipped bit."""

import hashlib
import io
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content.base32 import encode_base32
from siltstone.content.nar import NarReader, iter_nar, nar_root
from siltstone.content.nar_format import NarDirectory, NarDirectoryEnd, NarFile, NarLimits, NarSymlink, is_nar
from siltstone.content.nar_writer import NarWriter, encode_nar
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.content.nar_world import (
    DAMAGED,
    HELLO,
    SMALL,
    directory,
    nar,
    nar_of,
    nested,
    pieces_of,
    regular,
    string,
    strings,
    symlink,
    trees,
)


def joined(events):
    """Events with neighbouring contents put together, so that the split of the input does not show."""
    out = []
    for event in events:
        if isinstance(event, memoryview):
            if out and isinstance(out[-1], bytes):
                out[-1] += bytes(event)
            else:
                out.append(bytes(event))
        else:
            out.append(event)
    return out


def outcome(pieces):
    try:
        return joined(iter_nar(pieces))
    except CorruptDataError as error:
        return error.problem, error.offset


@pytest.mark.parametrize(("archive", "digest"), [
    (nar(regular(b"hi\n")), "1xmr8jicvzszfzpz46g37mlpvbzjl2wpwvl2b05psipssyp1sm8h"),
    (nar(symlink(b"/non-existent-48cujwe8ndf4as0bne")), "1bl5ry3x1fcbwgr5c2x50bn572iixh4j1p6ax5isxly2ddgn8pbp"),
    (nar(directory()), "0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5"),
    (nar(regular(b"")), "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p"),
])
@pytest.mark.oracle
def test_published_sha256_vectors(archive, digest):
    written = b"".join(encode_nar(iter_nar(archive)))
    assert encode_base32(hashlib.sha256(written).digest()) == digest


@pytest.mark.parametrize(("node", "digest"), [
    (HELLO, "ea9b55537dd4c7e104515b2ccfaf4100"),
    (regular(b"Hello World\n", executable=True), "20f3ffe011d4cfa7d72bfabef7882836"),
    (symlink(b"x"), "f78b733a68f5edbdf9413899339eaa4a"),
])
@pytest.mark.oracle
def test_published_md5_vectors(node, digest):
    written = b"".join(encode_nar(iter_nar(nar(directory((b"hello", node))))))
    assert hashlib.md5(written, usedforsecurity=False).hexdigest() == digest


def test_events_tell_paths_sizes_and_offsets():
    run, text = b"#!/bin/sh\nexit 0\n", b"12345678"
    starts = [match for match in range(len(SMALL)) if SMALL.startswith(string(b"entry"), match)]
    assert joined(iter_nar(SMALL)) == [
        NarDirectory(b"", 0), NarDirectory(b"bin", starts[0]),
        NarFile(b"bin/run", True, len(run), SMALL.index(run), starts[1]), run, NarDirectoryEnd(b"bin", starts[2] - 16),
        NarDirectory(b"empty", starts[2]), NarDirectoryEnd(b"empty", starts[3] - 16),
        NarSymlink(b"link", b"bin/run", SMALL.index(b"bin/run\0"), starts[3]),
        NarFile(b"text", False, 8, SMALL.index(text), starts[4]), text,
        NarFile(b"zero", False, 0, len(SMALL) - 48, starts[5]), NarDirectoryEnd(b"", len(SMALL)),
    ]


@given(trees, st.lists(st.integers(0, 10**6), max_size=6))
def test_any_tree_in_any_split_goes_through_reader_and_writer(tree, cuts):
    archive = nar_of(tree)
    pieces = pieces_of(archive, cuts)
    assert joined(iter_nar(pieces)) == joined(iter_nar(archive)) == joined(iter_nar(io.BytesIO(archive)))
    assert b"".join(encode_nar(iter_nar(pieces))) == archive


def test_one_byte_at_a_time_gives_the_same():
    assert outcome([SMALL[i:i + 1] for i in range(len(SMALL))]) == outcome(SMALL)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_nix_refuses_is_refused_with_an_offset_in_any_split(name):
    archive = DAMAGED[name]
    problem, offset = outcome(archive)
    assert problem
    assert 0 <= offset <= len(archive)
    assert outcome([archive[i:i + 1] for i in range(len(archive))]) == (problem, offset)


@pytest.mark.parametrize(("name", "offset"), [
    ("padding of contents", 24 + 16 * 4 + 8 + 1), ("trailing", len(nar(HELLO))), ("empty target", 24 + 16 * 4), ("empty", 0),
    ("dotdot", 24 + 16 * 2 + 24 + 16 * 3 + 8), ("truncated contents", len(DAMAGED["truncated contents"])),
])
def test_the_offset_is_that_of_the_fault(name, offset):
    assert outcome(DAMAGED[name])[1] == offset


def test_every_prefix_is_refused():
    for size in range(len(SMALL)):
        assert isinstance(outcome(SMALL[:size]), tuple), size


def test_every_flipped_bit_gives_a_value_or_an_error_of_ours():
    values = 0
    for at, bit in itertools.product(range(len(SMALL)), range(8)):
        flipped = bytearray(SMALL)
        flipped[at] ^= 1 << bit
        found = outcome(bytes(flipped))
        if isinstance(found, list):
            values += 1
            assert b"".join(encode_nar(iter_nar(bytes(flipped)))) == flipped  # a NAR has one form
    assert values


def test_the_deepest_tree_is_read_and_written():
    archive = nar(nested(63, HELLO))
    assert b"".join(encode_nar(iter_nar(archive))) == archive


def test_the_longest_names_and_targets_are_read():
    archive = nar(directory((b"n" * 255, symlink(b"t" * 4_095))))
    assert b"".join(encode_nar(iter_nar(archive))) == archive


def test_contents_are_views_and_no_copies():
    data = bytes(range(256)) * 64
    archive = nar(regular(data))
    _, piece = NarReader().feed(archive)
    assert isinstance(piece, memoryview)
    assert piece.obj is archive


def test_limits_hold_at_the_number_and_not_below():
    archive = nar(directory((b"a", regular(b"12345")), (b"b", regular(b"6"))))
    assert len(list(iter_nar(archive, limits=NarLimits(entries=3, contents_bytes=6)))) == 6
    with pytest.raises(BudgetExceeded, match="allows 2 entries, 3 are needed"):
        list(iter_nar(archive, limits=NarLimits(entries=2)))
    with pytest.raises(BudgetExceeded, match="allows 5 bytes, 6 are needed"):
        list(iter_nar(archive, limits=NarLimits(contents_bytes=5)))
    with pytest.raises(ConfigError, match="entries"):
        NarLimits(entries=0)


def test_a_reader_takes_nothing_after_an_error():
    reader = NarReader()
    with pytest.raises(CorruptDataError):
        reader.feed(bytes(200))
    with pytest.raises(CorruptDataError, match="before"):
        reader.feed(SMALL)
    assert not reader.complete
    with pytest.raises(CorruptDataError):
        reader.finish()


def test_many_entries_are_read_in_constant_memory():
    head, tail = nar(strings(b"(", b"type", b"directory")), string(b")")

    def pieces():
        yield head
        for block in range(25):
            yield b"".join(strings(b"entry", b"(", b"name", b"%09d" % (block * 200 + i), b"node") + HELLO + string(b")")
                           for i in range(200))
        yield tail

    tracemalloc.start()
    assert sum(isinstance(event, NarFile) for event in iter_nar(pieces())) == 5_000
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_long_contents_are_passed_over_where_nobody_wants_them():
    archive = nar(directory((b"big", regular(bytes(9_000_001))), (b"small", HELLO)))
    reads = []

    class Counted(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            reads.append(len(data))
            return data

    found = [event for event in iter_nar(Counted(archive), contents=False) if isinstance(event, NarFile)]
    assert [event.path for event in found] == [b"big", b"small"]
    assert sum(reads) < 2_000_000
    with pytest.raises(CorruptDataError, match="ends early"):
        list(iter_nar(io.BytesIO(archive[:5_000_000]), contents=False))


def test_contents_longer_than_any_file_are_an_early_end(tmp_path):
    for size in (1 << 62, (1 << 63) - 1):
        (tmp_path / "huge").write_bytes(nar(regular(b""))[:-24] + size.to_bytes(8, "little") + bytes(3_000_000))
        with open(tmp_path / "huge", "rb") as file, pytest.raises(CorruptDataError, match="ends early"):
            list(iter_nar(file, contents=False))
        with pytest.raises(CorruptDataError, match="ends early"):
            list(iter_nar(io.BytesIO((tmp_path / "huge").read_bytes()), contents=False))


def test_a_nar_is_told_by_its_first_24_bytes():
    assert is_nar(SMALL)
    assert is_nar(memoryview(SMALL)[:24])
    assert not is_nar(SMALL[:23])
    assert not is_nar(b"")
    assert not is_nar(b"\x7fELF" + bytes(30))


@pytest.mark.parametrize(("node", "enough"), [
    (directory((b"a", HELLO)), 96), (HELLO, 96), (regular(b"x" * 5_000, executable=True), 128), (symlink(b"t" * 4_095), 4_208),
])
def test_the_root_is_told_by_the_first_bytes(node, enough):
    archive = nar(node)
    root = next(iter_nar(archive))
    assert nar_root(archive) == nar_root(archive[:enough]) == root
    assert nar_root(archive[:enough - 1]) is None
    assert nar_root(b"") is None
    with pytest.raises(CorruptDataError):
        nar_root(b"plain text" * 20)


@pytest.mark.parametrize(("calls", "field"), [
    ([("file", b"named", {"size": 0})], "name"),
    ([("directory",), ("file", b"", {"size": 0})], "name"),
    ([("directory",), ("file", b"b", {"size": 0}), ("file", b"a", {"size": 0})], "name"),
    ([("directory",), ("file", b"a", {"size": 0}), ("symlink", b"a", {"target": b"x"})], "name"),
    ([("directory",), ("symlink", b"a", {"target": b""})], "target"),
    ([("directory",), ("file", b"a", {"size": 2}), ("contents", b"abc")], "piece"),
    ([("directory",), ("file", b"a", {"size": 2}), ("end_directory",)], "event"),
    ([("directory",), ("file", b"a", {"size": 2}), ("directory", b"b")], "event"),
    ([("file", b"", {"size": -1})], "size"),
    ([("file", b"", {"size": 1}), ("finish",)], "event"),
    ([("directory",), ("finish",)], "event"),
    ([("directory",), ("end_directory",), ("end_directory",)], "event"),
    ([("directory",), ("end_directory",), ("directory",)], "event"),
    ([("finish",)], "event"),
    ([("directory",), *[("directory", b"d")] * 63, ("symlink", b"x", {"target": b"y"})], "name"),
])
def test_the_writer_refuses_what_no_reader_takes(calls, field):
    writer = NarWriter(lambda block: None)
    *before, (last, *words) = calls
    for name, *arguments in before:
        call(writer, name, arguments)
    with pytest.raises(ConfigError) as caught:
        call(writer, last, words)
    assert caught.value.field == field


def call(writer, name, arguments):
    named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    getattr(writer, name)(*arguments, **named)


def test_events_out_of_place_are_refused():
    with pytest.raises(ConfigError, match="does not lie in"):
        list(encode_nar([NarDirectory(b"", 0), NarFile(b"a/b", False, 0, 0, 0)]))
    with pytest.raises(ConfigError, match="another directory"):
        list(encode_nar([NarDirectory(b"", 0), NarDirectoryEnd(b"x", 0)]))
    with pytest.raises(TypeError):
        list(encode_nar([b"bytes"]))


def test_long_contents_are_handed_on_as_they_are():
    blocks = []
    writer = NarWriter(blocks.append)
    data = memoryview(bytearray(300_000))
    writer.file(size=300_000)
    writer.contents(data)
    writer.finish()
    assert [len(block) for block in blocks[1:]] == [300_000, 16]
    assert blocks[1].obj is data.obj
    assert b"".join(blocks) == nar(regular(bytes(300_000)))
    assert writer.size == sum(map(len, blocks))
