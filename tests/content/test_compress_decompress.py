"""Whole buffers through every codec: round trips, frames joined, limits exact, and every kind of damage refused."""

import bz2
import lzma
import random
import subprocess
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content.codec_table import codec_named, detect_codec
from siltstone.content.compression import ZSTD, compress, compress_into, decompress, decompress_into
from siltstone.content.context_pools import BufferPool, ContextPool
from siltstone.content.frame_sequence import FrameLimits, FrameSequence, reader_of
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, SiltstoneError, UnsupportedError
from tests.content.compression_data import ALL, FRAMED, TEXT

SKIPPABLE = b"\x5a\x2a\x4d\x18\x03\0\0\0abc"


def unsized(data, codec):
    """One frame that does not state how much it holds."""
    encoder = codec_named(codec).new_encoder(codec_named(codec).DEFAULT_LEVEL)
    return encoder.encode(data) + encoder.finish()


def outcome(work, *arguments, **settings):
    """The result, or the class of the error in its place."""
    try:
        return work(*arguments, **settings)
    except SiltstoneError as error:
        return type(error)


@given(st.binary(max_size=3000), st.sampled_from(ALL), st.booleans())
def test_what_went_in_comes_out(data, codec, checksum):
    packed = compress(data, codec, checksum=checksum)
    assert decompress(packed, codec=codec) == data
    out = bytearray(len(packed))
    assert compress_into(data, out, codec, checksum=checksum) == len(out)
    assert decompress(out, codec=codec) == data
    content = bytearray(len(data))
    assert decompress_into(packed, content, codec=codec) == len(data)
    assert content == data


@pytest.mark.parametrize("codec", FRAMED)
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 131_072, 131_073, 700_001])
def test_sizes_around_the_blocks_of_the_formats(codec, size):
    data = (TEXT * 20)[:size]
    for packed in (compress(data, codec), unsized(data, codec)):
        assert detect_codec(packed) == codec
        assert decompress(packed, limit_bytes=size) == data
        assert decompress_into(packed, bytearray(size)) == size
        if size:
            assert outcome(decompress, packed, limit_bytes=size - 1) is BudgetExceeded
            assert outcome(decompress_into, packed, bytearray(size - 1)) is BudgetExceeded


@pytest.mark.parametrize("codec", FRAMED)
def test_every_level_is_read_back_and_others_are_refused(codec):
    levels = codec_named(codec).LEVELS
    for level in (levels[0], levels[-1]):
        assert decompress(compress(TEXT, codec, level=level)) == TEXT
    for level in (levels[0] - 1, levels[-1] + 1):
        with pytest.raises(ConfigError) as caught:
            compress(TEXT, codec, level=level)
        assert caught.value.field == "level"


@pytest.mark.parametrize("codec", FRAMED)
def test_all_frames_are_read_and_limits_count_over_all(codec):
    many = compress(TEXT, codec) + unsized(b"", codec) + unsized(TEXT[:100], codec) + compress(TEXT, codec)
    whole = TEXT + TEXT[:100] + TEXT
    assert decompress(many, limit_bytes=len(whole)) == whole
    assert outcome(decompress, many, limit_bytes=len(whole) - 1) is BudgetExceeded
    out = bytearray(len(whole) + 5)
    assert decompress_into(many, memoryview(out)[: len(whole)]) == len(whole)
    assert out == whole + bytes(5)
    guarded = bytearray(b"\xee" * (len(whole) + 100))
    assert outcome(decompress_into, many, memoryview(guarded)[: len(whole) - 1]) is BudgetExceeded
    assert guarded[len(whole) - 1 :] == b"\xee" * 101


@pytest.mark.parametrize("codec", ALL)
def test_a_buffer_that_is_too_small_is_refused_and_nothing_lies_beyond_it(codec):
    packed = compress(TEXT, codec)
    for size in (0, 1, len(packed) // 2, len(packed) - 1):
        guarded = bytearray(b"\xee" * (size + 1000))
        with pytest.raises(BudgetExceeded) as caught:
            compress_into(TEXT, memoryview(guarded)[:size], codec)
        assert caught.value.limit_bytes == size < caught.value.needed_bytes
        assert guarded[size:] == b"\xee" * 1000
    with pytest.raises(ConfigError, match="read-only"):
        compress_into(TEXT, memoryview(bytes(100)), codec)


@pytest.mark.parametrize("codec", FRAMED)
def test_what_follows_the_last_frame_is_corrupt(codec):
    packed = compress(TEXT, codec)
    for tail in (b"\0", b"x", b"garbage that is longer than a header", packed[:3], packed[:-1]):
        assert outcome(decompress, packed + tail) is CorruptDataError, tail
        assert outcome(decompress_into, packed + tail, bytearray(2 * len(TEXT))) is CorruptDataError, tail
    with pytest.raises(CorruptDataError) as caught:
        decompress(packed + b"garbage that is longer")
    assert caught.value.offset == len(packed)


def test_padding_is_of_xz_alone_and_in_fours():
    packed = compress(TEXT, "xz")
    assert decompress(packed + bytes(4) + packed + bytes(400_000)) == 2 * TEXT
    for zeros in (1, 2, 3, 5):
        assert outcome(decompress, packed + bytes(zeros) + packed) is CorruptDataError
    assert outcome(decompress, compress(TEXT) + bytes(4)) is CorruptDataError


def test_skippable_frames_count_as_zstd():
    assert detect_codec(SKIPPABLE) == "zstd"
    assert decompress(SKIPPABLE) == b""
    packed = compress(TEXT)
    assert decompress(SKIPPABLE + packed + SKIPPABLE + unsized(TEXT, "zstd") + SKIPPABLE) == 2 * TEXT
    assert outcome(decompress, packed + SKIPPABLE[:-1]) is CorruptDataError
    mixed = compress(TEXT, "lz4")
    assert decompress(mixed + SKIPPABLE + mixed + SKIPPABLE) == 2 * TEXT
    assert outcome(decompress, packed + mixed) is CorruptDataError


def test_unknown_beginnings_and_names_are_refused():
    for data in (b"not a frame", b"\x1f\x8b\x08", b"B", b"BZh0", b"\x02!L\x18" + bytes(9), b"(\xb5/", b"\xfd7zXZ"):
        assert outcome(decompress, data) is UnsupportedError, data
    assert outcome(decompress, b"") is CorruptDataError
    assert outcome(decompress, b"", codec="zstd") is CorruptDataError
    assert outcome(decompress, compress(TEXT, "xz"), codec="lz4") is CorruptDataError
    assert outcome(decompress, TEXT, codec="gzip") is ConfigError
    assert outcome(compress, TEXT, "auto") is ConfigError


def test_buffers_of_any_kind_are_taken_as_their_bytes():
    numbers = memoryview(array("Q", range(500)))
    out = bytearray(4000)
    for codec in FRAMED:
        packed = compress(numbers, codec)
        assert decompress(bytearray(packed)) == numbers.tobytes()
        size = compress_into(numbers, out, codec)
        assert decompress(memoryview(out)[:size]) == numbers.tobytes()
    with pytest.raises(TypeError):
        compress(numbers[::2])
    with pytest.raises(ConfigError, match="bytes"):
        compress_into(TEXT, memoryview(array("Q", range(5000))))


def test_an_exact_size_may_be_demanded():
    packed = compress(TEXT)
    assert decompress(packed, size=len(TEXT)) == TEXT
    assert outcome(decompress, packed, size=len(TEXT) + 1) is CorruptDataError
    assert outcome(decompress, packed, size=len(TEXT) - 1) is BudgetExceeded


@pytest.mark.parametrize("codec", FRAMED)
def test_a_bomb_is_stopped_by_the_ratio(codec):
    bomb = compress(bytes(20 << 20), codec)
    assert outcome(decompress, bomb, limit_ratio=100) is BudgetExceeded
    assert len(decompress(bomb, limit_ratio=1_000_000)) == 20 << 20
    assert len(decompress(compress(bytes(1 << 20), codec), limit_ratio=2)) == 1 << 20  # too little to judge


def test_a_header_that_lies_makes_nothing():
    packed = bytearray(compress(bytes(70_000)))
    assert packed[4] & 0xE0 == 0xA0  # single segment, four bytes of content size
    packed[5:9] = (100 << 20).to_bytes(4, "little")
    with pytest.raises(CorruptDataError, match="cannot hold"):
        decompress(packed)
    packed[5:9] = (1 << 31).to_bytes(4, "little")
    assert outcome(decompress_into, packed, bytearray(10)) is BudgetExceeded


def test_a_stored_chunk_that_states_more_than_it_can_hold_makes_nothing():
    size = 1 << 40
    frame = b"\x28\xb5\x2f\xfd\xc0\x00" + size.to_bytes(8, "little") + b"\x01\0\0"  # a small window, one empty block
    with pytest.raises(CorruptDataError, match="cannot hold"):
        decompress(frame, codec=ZSTD, size=size)


def test_a_frame_that_ends_before_the_size_it_states_is_corrupt_in_every_way_of_reading():
    short = bytes.fromhex("28b52ffd240101000099e9d851")  # states 1 byte, holds an empty block
    assert outcome(decompress, short) is CorruptDataError
    assert outcome(decompress_into, short, bytearray(9)) is CorruptDataError
    with pytest.raises(CorruptDataError, match="states 1"):
        list(FrameSequence(reader_of(short), "zstd", FrameLimits()).iter_content())
    empty = bytes.fromhex("28b52ffd240005000099e9d851")  # a compressed block of no bytes
    assert outcome(decompress, empty) is outcome(decompress_into, empty, bytearray(9)) is CorruptDataError


@pytest.mark.parametrize(("codec", "level", "needed"), [("zstd", 19, 8 << 20), ("xz", 9, 64 << 20), ("bzip2", 9, 900_000)])
def test_a_window_above_the_cap_is_refused(codec, level, needed):
    encoder = codec_named(codec).new_encoder(level)
    packed = encoder.encode(TEXT) + encoder.finish()
    assert decompress(packed, window_bytes=needed) == TEXT
    with pytest.raises(BudgetExceeded) as caught:
        decompress(packed, window_bytes=needed // 2)
    assert caught.value.name == "window"


def test_a_big_block_of_lz4_is_a_window():
    from lz4 import frame

    packed = frame.compress(bytes(9 << 20), block_size=frame.BLOCKSIZE_MAX4MB)
    assert len(decompress(packed, window_bytes=4 << 20)) == 9 << 20
    assert outcome(decompress, packed, window_bytes=1 << 20) is BudgetExceeded


def test_an_lz4_frame_that_needs_a_dictionary_is_told_apart():
    packed = bytearray(compress(TEXT, "lz4"))
    packed[4] |= 1
    for read in (decompress, lambda data: decompress_into(data, bytearray(len(TEXT)))):
        assert outcome(read, packed) is UnsupportedError


@pytest.mark.parametrize("codec", FRAMED)
@pytest.mark.parametrize("pack", [compress, unsized])
def test_every_truncation_and_bit_flip_gives_a_value_or_an_error(codec, pack):
    data = TEXT[:600]
    packed = pack(data, codec)
    out = bytearray(len(data))
    for size in range(len(packed)):
        assert outcome(decompress, packed[:size], codec=codec) is CorruptDataError, size
        assert outcome(decompress_into, packed[:size], out, codec=codec) is CorruptDataError, size
    for bit in range(8 * len(packed)):
        changed = bytearray(packed)
        changed[bit // 8] ^= 1 << bit % 8
        found = outcome(decompress, changed, codec=codec, limit_bytes=1 << 20)
        assert isinstance(found, type) or len(found) <= 1 << 20
        outcome(decompress_into, changed, out, codec=codec)
        outcome(decompress, changed)


def test_a_pool_keeps_the_newest_and_nothing_large():
    pool = ContextPool(lambda key: [key], lambda context: len(context[0]), most=2, most_bytes=5)
    first, second, third, large = (pool.take(key) for key in ("a", "bb", "ccc", "too large"))
    for context in (first, second, third, large):
        pool.give(context[0], context)
    assert pool.count() == 2
    assert pool.take("ccc") is third
    assert pool.take("ccc") is not third
    assert pool.take("a") is not first
    assert pool.take("too large") is not large


def test_contexts_are_kept_within_bounds_and_buffers_above_a_floor():
    from siltstone.content.codecs import zstd

    for level in (1, 2, 3, 4, 5, 6, 19):
        compress(TEXT, level=level)
    assert zstd._COMPRESSORS.count() == 4
    pool = BufferPool(most=2, most_bytes=1000, least_bytes=100)
    first, second, large = pool.take(10), pool.take(500), pool.take(1001)
    assert [len(first), len(second), len(large)] == [100, 500, 1001]
    for buffer in (first, second, large, bytearray(99)):
        pool.give(buffer)
    assert pool.count() == 2
    assert pool.take(300) is second
    assert pool.take(300) is not first
    pool.give(bytearray(200))
    pool.give(bytearray(200))
    assert pool.count() == 2


@pytest.mark.oracle
@pytest.mark.parametrize(("tool", "codec"), [("zstd", "zstd"), ("lz4", "lz4"), ("xz", "xz"), ("bzip2", "bzip2")])
def test_the_tools_read_ours_and_we_read_theirs(tool, codec):
    data = random.Random(5).randbytes(200_000) + bytes(300_000) + TEXT

    def run(word, content):
        return subprocess.run([tool, word, "-c"], input=content, capture_output=True, check=True, timeout=60).stdout

    try:
        theirs = run("-z", data)
    except FileNotFoundError:
        pytest.skip(f"{tool} is not installed")
    assert decompress(theirs + theirs) == 2 * data
    assert run("-d", compress(data, codec) + unsized(data, codec)) == 2 * data


def test_the_standard_library_reads_ours():
    assert bz2.decompress(compress(TEXT, "bzip2") + unsized(TEXT, "bzip2")) == 2 * TEXT
    assert lzma.decompress(compress(TEXT, "xz") + unsized(TEXT, "xz")) == 2 * TEXT
