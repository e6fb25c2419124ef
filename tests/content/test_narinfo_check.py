"""The file beside a narinfo: every codec, every field that can be wrong, archives that are longer than stated."""

import bz2
import hashlib
import io
import lzma
from dataclasses import replace

import pytest

from siltstone.content.codec_table import codec_named
from siltstone.content.compression import compress
from siltstone.content.hash_text import Hash
from siltstone.content.narinfo import NarInfo
from siltstone.content.narinfo_check import check_nar_file
from siltstone.content.store_path import StorePath
from siltstone.core.errors import BudgetExceeded, UnsupportedError

PART = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q"
ARCHIVE = f"any bytes, and /nix/store/{PART}-a too".encode() * 10_000
PACKED = {"none": ARCHIVE, "xz": lzma.compress(ARCHIVE), "bzip2": bz2.compress(ARCHIVE),
          "zstd": bytes(compress(ARCHIVE[:5_000], codec="zstd") + compress(ARCHIVE[5_000:], codec="zstd"))}


def sha256(data):
    return Hash("sha256", hashlib.sha256(data).digest())


def info_of(codec, data=None):
    data = PACKED[codec] if data is None else data
    return NarInfo(store_path=StorePath(f"{PART}-a"), url="nar/a", nar_hash=sha256(ARCHIVE), nar_size=len(ARCHIVE),
                   compression=codec, file_hash=sha256(data), file_size=len(data))


def problems_of(info, data):
    return [problem.partition(":")[0] for problem in check_nar_file(info, io.BytesIO(data)).problems]


@pytest.mark.parametrize("codec", PACKED)
def test_a_file_that_is_as_stated(codec):
    data = PACKED[codec]
    check = check_nar_file(info_of(codec), io.BytesIO(data))
    assert (check.problems, check.file_size, check.nar_size) == ((), len(data), len(ARCHIVE))
    assert problems_of(replace(info_of(codec), file_hash=None, file_size=None), data) == []
    assert problems_of(replace(info_of(codec), file_size=0), data) == []
    assert problems_of(replace(info_of(codec), file_hash=Hash("sha1", hashlib.sha1(data).digest())), data) == []


@pytest.mark.parametrize("codec", PACKED)
def test_each_field_that_is_wrong_is_named(codec):
    data, other = PACKED[codec], sha256(b"other")
    for change, expected in (
        ({"file_size": 3}, ["FileSize"]), ({"file_hash": other}, ["FileHash"]), ({"nar_hash": other}, ["NarHash"]),
        ({"nar_size": len(ARCHIVE) + 1}, ["NarSize"]), ({"nar_size": len(ARCHIVE) - 1}, ["NarSize"]),
    ):
        assert problems_of(replace(info_of(codec), **change), data) == expected
    assert problems_of(info_of(codec), data[:-3])[-2:] == ["FileSize", "FileHash"]
    assert problems_of(info_of(codec, data + b"more"), data + b"more")
    assert problems_of(info_of(codec), b"")


@pytest.mark.parametrize("codec", ["xz", "bzip2", "zstd"])
def test_a_damaged_file_is_told_to_the_end(codec):
    data = bytearray(PACKED[codec])
    data[len(data) // 2] ^= 1
    assert {"FileHash"} < set(problems_of(info_of(codec), bytes(data))) <= {"FileHash", "URL", "NarSize", "NarHash"}


def test_a_bomb_is_not_decoded():
    bomb = lzma.compress(bytes(8_000_000), preset=0)
    check = check_nar_file(replace(info_of("xz", bomb), nar_size=1_000), io.BytesIO(bomb))
    assert check.problems == ("NarSize: the archive is longer than 1,000 bytes",)
    assert check.nar_size <= 1_000


def test_a_frame_that_needs_too_much_history_says_nothing_of_the_archive():
    encoder = codec_named("zstd").new_encoder(3)
    packed = bytearray(encoder.encode(ARCHIVE) + encoder.finish())
    assert packed[4] & 0xE0 == 0  # a window and no content size
    packed[5] = 18 << 3  # 256 MiB
    with pytest.raises(BudgetExceeded) as caught:
        check_nar_file(info_of("zstd", bytes(packed)), io.BytesIO(packed))
    assert caught.value.name == "window"


def test_references_that_do_not_occur_are_told():
    absent = StorePath("0" * 32 + "-b")
    info = replace(info_of("xz"), references=(absent, StorePath(f"{PART}-a")))
    check = check_nar_file(info, io.BytesIO(PACKED["xz"]))
    assert (check.problems, check.unused) == ((), (str(absent),))


def test_what_is_not_known_is_unsupported():
    for change in ({"compression": "br"}, {"nar_hash": Hash("blake3", bytes(32))}):
        with pytest.raises(UnsupportedError):
            check_nar_file(replace(info_of("none"), **change), io.BytesIO(ARCHIVE))
