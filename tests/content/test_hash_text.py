"""Hashes as text: published vectors, Nix itself, every style there and back, and that damage gives a typed error."""

import base64
import hashlib
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content.hash_text import DIGEST_SIZES, STYLES, Hash, format_hash, parse_hash
from siltstone.core.errors import ConfigError, CorruptDataError

ABC = Hash("sha256", hashlib.sha256(b"abc").digest())


@pytest.mark.oracle
@pytest.mark.parametrize(("style", "text"), [
    ("sri", "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
    ("nix32", "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"),
    ("base16", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("base64", "sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
])
def test_published_vectors(style, text):
    assert format_hash(ABC, style) == text
    assert parse_hash(text) == ABC
    assert parse_hash(text, "sha256") == ABC
    if style != "sri":
        assert parse_hash(text.partition(":")[2], "sha256") == ABC


@given(st.sampled_from(sorted(DIGEST_SIZES)).flatmap(
    lambda name: st.builds(Hash, st.just(name), st.binary(min_size=DIGEST_SIZES[name], max_size=DIGEST_SIZES[name]))))
def test_every_style_comes_back(value):
    for style in STYLES:
        text = format_hash(value, style)
        assert parse_hash(text) == value
        assert parse_hash(text.rstrip("=")) == value
        if style != "sri":
            assert parse_hash(format_hash(value, style, prefix=False), value.algorithm) == value
    assert str(value) == format_hash(value, "sri")


def test_no_size_has_the_same_length_in_two_bases():
    for size in set(DIGEST_SIZES.values()):
        lengths = [{2 * size}, {(8 * size + 4) // 5}, {4 * ((size + 2) // 3), (8 * size + 5) // 6}]
        assert sum(map(len, lengths)) == len(set().union(*lengths))


@pytest.mark.parametrize(("text", "algorithm", "offset"), [
    ("", None, 0),
    ("ba7816", "sha256", 6),
    (ABC.digest.hex(), None, 0),
    ("sha3:" + ABC.digest.hex(), None, 0),
    ("sha256:" + ABC.digest.hex(), "blake3", 0),
    ("sha256:g" + ABC.digest.hex()[1:], None, 7),
    ("sha256-" + ABC.digest.hex(), None, 71),
    ("sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5e", None, 58),
    ("sha256:2b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", None, 7),
    ("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1=", None, 50),
    ("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFaé", None, 49),
    ("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa*", None, 7),
    ("sha256:" + "0" * 1000, None, 160),
])
def test_wrong_texts_say_where(text, algorithm, offset):
    with pytest.raises(CorruptDataError) as caught:
        parse_hash(text, algorithm)
    assert caught.value.offset == offset


def test_every_truncation_and_every_changed_character_gives_a_hash_or_an_error():
    for style in STYLES:
        text = format_hash(ABC, style)
        for at in range(len(text)):
            for changed in (text[:at], *(text[:at] + symbol + text[at + 1:] for symbol in "\0=:-zE~é\ud800")):
                try:
                    value = parse_hash(changed)
                except CorruptDataError:
                    continue
                assert parse_hash(format_hash(value, style)) == value


def test_wrong_settings_are_refused():
    for work in (lambda: parse_hash("x", "crc32"), lambda: Hash("sha256", b"short"), lambda: Hash("crc32", b"1234"),
                 lambda: format_hash(ABC, "hex"), lambda: format_hash(ABC, "sri", prefix=False)):
        with pytest.raises(ConfigError):
            work()


@pytest.mark.oracle
@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_nix_reads_and_writes_the_same(algorithm):
    if shutil.which("nix-hash") is None:
        pytest.skip("nix-hash is not installed (Debian: nix-bin)")
    value = Hash(algorithm, hashlib.new(algorithm, b"siltstone").digest())

    def nix(option, text):
        done = subprocess.run(["nix-hash", "--type", algorithm, option, text], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    for style in STYLES:
        assert nix("--to-base16", format_hash(value, style)) == value.digest.hex()
    assert nix("--to-base32", base64.b64encode(value.digest).decode()) == format_hash(value, "nix32", prefix=False)
