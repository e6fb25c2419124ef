"""The adapters of the hash functions, and Nix base 32 over text."""

import hashlib
from array import array

import pytest

from siltstone.content.base32 import (
    decode_base32,
    decode_base32_batch,
    encode_base32,
    encode_base32_batch,
    encode_base32_texts,
    kernels,
)
from siltstone.content.hashing import digest_of, new_hasher
from siltstone.core.errors import ConfigError, CorruptDataError


@pytest.mark.oracle
@pytest.mark.parametrize(("data", "digest"), [
    (b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    (b"IETF", "83a2de1ee6f4e6ab686889248f4ec0cf4cc5709446a682ffd1cbb4d6165181e2"),
])
def test_blake3_vectors(data, digest):
    assert digest_of(data).hex() == digest


def test_pieces_hash_as_the_whole():
    for algorithm in ("blake3", "sha256"):
        hasher = new_hasher(algorithm)
        hasher.update(b"ab")
        hasher.update(memoryview(b"c"))
        assert hasher.digest() == digest_of(b"abc", algorithm=algorithm)
        assert hasher.hexdigest() == hasher.digest().hex()
    assert digest_of(b"abc", algorithm="sha256") == hashlib.sha256(b"abc").digest()


def test_any_contiguous_buffer_is_taken():
    words = array("H", range(1_000, 1_032))
    plain = words.tobytes()
    for algorithm in ("blake3", "sha256"):
        assert digest_of(words, algorithm=algorithm) == digest_of(plain, algorithm=algorithm)
    assert encode_base32(words) == encode_base32(plain)
    assert encode_base32_batch(words) == encode_base32_batch(bytearray(plain))
    assert encode_base32_texts(words) == encode_base32_texts(plain)
    assert decode_base32_batch(array("H", encode_base32_batch(plain))) == plain
    for work in (digest_of, encode_base32, encode_base32_batch, encode_base32_texts, decode_base32_batch):
        with pytest.raises(TypeError):
            work(memoryview(plain)[::2])


def test_an_unknown_hash_is_refused():
    with pytest.raises(ConfigError):
        new_hasher("md5")


def test_base32_over_text():
    text = encode_base32(hashlib.sha256(b"abc").digest())
    assert text == "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"
    assert decode_base32(text) == hashlib.sha256(b"abc").digest()
    for wrong, place in (("0é", 1), ("e0", 0), ("zz", 0), ("0", 1)):
        with pytest.raises(CorruptDataError) as caught:
            decode_base32(wrong)
        assert caught.value.offset == place


def test_base32_of_many_values():
    digests = [hashlib.sha256(bytes((n,))).digest() for n in range(9)]
    packed = b"".join(digests)
    assert encode_base32_batch(packed) == "".join(map(encode_base32, digests)).encode()
    assert encode_base32_texts(packed) == list(map(encode_base32, digests))
    for kernel in (*kernels(), "auto"):
        assert decode_base32_batch(encode_base32_batch(packed, kernel=kernel), kernel=kernel) == packed
        assert encode_base32_batch(packed, size=24, kernel=kernel) == encode_base32_batch(packed, size=24)
    with pytest.raises(ConfigError, match="kernel"):
        encode_base32_batch(packed, kernel="mmx")
