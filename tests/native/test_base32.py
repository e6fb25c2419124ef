"""Nix base 32: published vectors, the twin, Nix itself, and that only one text stands for each value."""

import hashlib
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siltstone._native.base32 import decode, decode_batch, encode, encode_batch, encode_texts, variants
from siltstone.core.errors import ConfigError, CorruptDataError
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


KERNELS = pytest.mark.parametrize("kernel", [*variants(), "auto"])


@st.composite
def batches(draw):
    """Values of one size, often of a block and its neighbours, packed."""
    size = draw(st.one_of(st.sampled_from([1, 19, 20, 21, 32, 39, 40, 41, 64, 80]), st.integers(1, 130)))
    count = draw(st.integers(0, 5))
    return size, draw(st.binary(min_size=size * count, max_size=size * count))


@KERNELS
@given(batches())
@example((32, b"\xff" * 96))
@example((40, b"\xff" * 80))
@example((20, b"\0" * 60))
def test_every_variant_encodes_and_decodes_batches_as_the_reference(kernel, batch):
    size, data = batch
    text = encode_batch(data, size, kernel)
    assert text == reference.encode_batch(data, size)
    assert decode_batch(text, size, kernel) == data
    length = reference.text_length(size)
    assert encode_texts(data, size, kernel) == [text[at:at + length].decode() for at in range(0, len(text), length)]
    assert encode(data, kernel) == reference.encode(data)
    assert decode(reference.encode(data), kernel) == data


@KERNELS
@given(st.sampled_from([1, 16, 20, 24, 32, 64]), st.data())
def test_every_variant_places_damage_as_the_reference(kernel, size, data):
    text = bytearray(encode_batch(data.draw(st.binary(min_size=3 * size, max_size=3 * size)), size))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    work = outcome(lambda changed: decode_batch(changed, size, kernel), bytes(text))
    assert work == outcome(lambda changed: reference.decode_batch(changed, size), bytes(text))


@KERNELS
def test_every_symbol_at_every_place_of_a_digest(kernel):
    text = encode(hashlib.sha256(b"abc").digest())
    for at in range(len(text)):
        for symbol in (*range(0, 256, 7), *b"`aeotuz{/0:", 0x80, 0xB0, 0xFF):
            changed = text[:at] + bytes((symbol,)) + text[at + 1:]
            assert outcome(lambda one: decode(one, kernel), changed) == outcome(reference.decode, changed)


@KERNELS
def test_long_values_and_long_batches_release_and_agree(kernel):
    data = b"".join(hashlib.sha256(bytes((i % 256, i // 256))).digest() for i in range(3000))
    assert encode(data, kernel) == encode(data, "scalar")
    assert decode(encode(data), kernel) == data
    text = encode_batch(data, 32, kernel)
    assert text == encode_batch(data, 32, "scalar")
    assert decode_batch(text, 32, kernel) == data
    wrong = text[:90_000] + b"e" + text[90_001:]
    assert outcome(lambda one: decode_batch(one, 32, kernel), wrong) == 90_000


def test_a_variant_is_forced_or_refused_by_name():
    assert variants()[0] == "scalar"
    for work in (lambda: encode(b"x", "neon2"), lambda: decode(b"0", ""), lambda: encode_batch(b"", 32, "sse"),
                 lambda: encode_batch(b"", 0), lambda: decode_batch(b"", -1), lambda: encode_texts(b"", 1 << 62)):
        with pytest.raises(ConfigError):
            work()


def test_a_batch_that_is_cut_short_says_where():
    assert outcome(lambda data: encode_batch(data, 32), bytes(33)) == 33
    text = encode_batch(bytes(64), 32)
    assert all(outcome(lambda cut: decode_batch(cut, 32), text[:size]) == size for size in range(1, 104) if size != 52)
    with pytest.raises(TypeError):
        encode_batch(None, 32)
