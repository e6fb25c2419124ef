"""Codecs: round trips, and a size that is known beforehand is never passed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content.compression import NONE, ZSTD, Compressor, decompress
from siltstone.core.errors import ConfigError, CorruptDataError, UnsupportedError

TEXT = b"layers of silt " * 400


def outcome(data, codec, size):
    """A result of the right size, or the error in its place."""
    try:
        return len(decompress(data, codec=codec, size=size))
    except (CorruptDataError, UnsupportedError) as error:
        return type(error)


@given(st.binary(max_size=2000), st.sampled_from(["none", "zstd"]))
def test_round_trip(data, codec):
    used, packed = Compressor(codec).compress(data)
    assert len(packed) <= len(data)
    assert decompress(bytes(packed), codec=used, size=len(data)) == data


def test_what_does_not_shrink_is_kept_as_it_is():
    data = random.Random(1).randbytes(5000)
    assert Compressor().compress(data) == (NONE, data)
    assert Compressor().compress(memoryview(TEXT))[0] == ZSTD
    assert Compressor("none").compress(TEXT) == (NONE, TEXT)


@pytest.mark.parametrize("level", [1, 3, 19])
def test_every_level_is_read_back(level):
    used, packed = Compressor(level=level).compress(TEXT)
    assert decompress(bytes(packed), codec=used, size=len(TEXT)) == TEXT


def test_only_the_exact_size_is_accepted():
    used, packed = Compressor().compress(TEXT)
    for size in (0, 1, len(TEXT) - 1, len(TEXT) + 1, 1 << 40):
        assert outcome(packed, used, size) is CorruptDataError
    assert outcome(b"abc", NONE, 2) is CorruptDataError


def test_a_bomb_makes_no_more_than_was_expected():
    used, packed = Compressor().compress(bytes(64 << 20))
    assert len(packed) < 10_000
    assert outcome(packed, used, 1000) is CorruptDataError


def test_trailing_bytes_and_second_frames_are_corrupt():
    used, packed = Compressor().compress(TEXT)
    for tail in (b"\0", b"x", packed, b"\x50\x2a\x4d\x18\0\0\0\0"):
        assert outcome(packed + tail, used, len(TEXT)) is CorruptDataError


def test_every_truncation_and_bit_flip_gives_a_value_or_an_error():
    used, packed = Compressor().compress(TEXT)
    for size in range(len(packed)):
        assert outcome(packed[:size], used, len(TEXT)) is CorruptDataError
    for bit in range(8 * len(packed)):
        changed = bytearray(packed)
        changed[bit // 8] ^= 1 << bit % 8
        assert outcome(bytes(changed), used, len(TEXT)) in (len(TEXT), CorruptDataError)


def test_unknown_settings_are_refused():
    for settings, field in (({"codec": "lzma"}, "codec"), ({"level": 0}, "level"), ({"level": 23}, "level")):
        with pytest.raises(ConfigError) as caught:
            Compressor(**settings)
        assert caught.value.field == field
    assert outcome(b"", 9, 0) is UnsupportedError
