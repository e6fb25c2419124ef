"""Nix base 32: published vectors, the twin, Nix itself, and that only one text stands for each value."""

import hashlib
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native.base32 import decode, encode
from siltstone.core.errors import CorruptDataError
from tests.reference import base32 as reference

ALPHABET = reference.ALPHABET
SHA512_INPUT = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"


def outcome(work, data):
    """A result, or the place of the error, so that both sides compare with ==."""
    try:
        return work(data)
    except CorruptDataError as error:
        return error.offset


@pytest.mark.oracle
@pytest.mark.parametrize(("digest", "text"), [
    (hashlib.sha256(b"abc").digest(), b"1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"),
    (hashlib.sha256(b"").digest(), b"0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"),
    (hashlib.sha256(b"SMASH THE STATE").digest(), b"0d9n3r2i4m1zgy0wpqbsyabsfzgs952066bfp8gwvcg4mkr4r5g8"),
    (bytes.fromhex("800d59cfcd3c05e900cb4e214be48f6b886a08df"), b"vw46m23bizj4n8afrc0fj19wrp7mj3c0"),
    (hashlib.sha512(SHA512_INPUT).digest(),
     b"12k9jiq29iyqm03swfsgiw5mlqs173qazm3n7daz43infy12pyrcdf30fkk3qwv4yl2ick8yipc2mqnlh48xsvvxl60lbx8vp38yji0"),
])
def test_published_vectors(digest, text):
    assert encode(digest) == text
    assert decode(text) == digest


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=80))
@example(b"")
@example(b"\0")
@example(b"\xff")
@example(b"\xff" * 5)
@example(b"\0" * 20)
def test_compiled_encode_agrees_with_reference(data):
    assert encode(data) == reference.encode(data)
    assert decode(encode(data)) == data


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet=ALPHABET.decode(), max_size=60).map(str.encode)))
@example(b"0")
@example(b"zz")
@example(b"8z")
@example(b"7z")
@example(b"e0")
@example(b"0e")
def test_compiled_decode_agrees_with_reference(text):
    assert outcome(decode, text) == outcome(reference.decode, text)


def test_only_canonical_texts_are_accepted():
    accepted = [bytes((first, second)) for first in ALPHABET for second in ALPHABET
                if isinstance(outcome(decode, bytes((first, second))), bytes)]
    assert len(accepted) == 256
    assert all(encode(decode(text)) == text for text in accepted)


def test_every_truncation_and_every_other_symbol_gives_a_value_or_an_error():
    text = encode(hashlib.sha256(b"abc").digest())
    for size in range(len(text)):
        assert isinstance(outcome(decode, text[:size]), bytes | int)
    for at in range(len(text)):
        for symbol in range(256):
            changed = text[:at] + bytes((symbol,)) + text[at + 1:]
            result = outcome(decode, changed)
            assert result == (at if symbol not in ALPHABET else outcome(reference.decode, changed))


@pytest.mark.oracle
@pytest.mark.parametrize(("algorithm", "data"), [("sha1", b"abc"), ("sha256", b""), ("sha512", b"siltstone"), ("md5", b"x")])
def test_nix_agrees(algorithm, data):
    if shutil.which("nix-hash") is None:
        pytest.skip("nix-hash is not installed (Debian: nix-bin)")
    digest = hashlib.new(algorithm, data).digest()
    run = ["nix-hash", "--type", algorithm]
    text = subprocess.run([*run, "--to-base32", digest.hex()], capture_output=True, text=True, check=True).stdout.strip()
    assert encode(digest).decode() == text
    back = subprocess.run([*run, "--to-base16", encode(digest).decode()], capture_output=True, text=True, check=True)
    assert back.stdout.strip() == digest.hex()
