"""Keys and signatures: published vectors, files as Nix writes them, damage, and that a secret shows itself nowhere."""

import base64
import copy
import os
import pickle
import stat
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content import signing
from siltstone.content.signing import PublicKey, SecretKey, Signature, parse_public_key, parse_secret_key, parse_signature
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

SEED = bytes(range(32))
KEY = SecretKey("key-1", SEED)

# RFC 8032, section 7.1, tests 1 to 3 and 1024: seed, public key, message, signature
RFC_8032 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_vectors_of_the_rfc(seed, public, message, signature):
    key = SecretKey("rfc", bytes.fromhex(seed))
    assert key.public.data.hex() == public
    made = key.sign(bytes.fromhex(message))
    assert made.data.hex() == signature
    assert key.public.verifies(bytes.fromhex(message), made)
    assert not key.public.verifies(bytes.fromhex(message) + b"\0", made)


def test_a_signature_counts_for_its_key_alone():
    made = KEY.sign(b"message")
    other = SecretKey("key-2", bytes(32))
    renamed = PublicKey("key-2", KEY.public.data)
    assert KEY.public.verifies(b"message", made)
    assert not other.public.verifies(b"message", made)
    assert not renamed.verifies(b"message", made)
    assert signing.find_signer(b"message", [made], [other.public, renamed, KEY.public]) == KEY.public
    assert signing.find_signer(b"message", [made], [other.public, renamed]) is None
    assert signing.find_signer(b"message", [], [KEY.public]) is None


def test_every_flipped_bit_of_a_signature_or_a_key_spoils_it():
    made = KEY.sign(b"message")
    for at in range(512):
        flipped = bytearray(made.data)
        flipped[at // 8] ^= 1 << at % 8
        assert not KEY.public.verifies(b"message", Signature(made.key_name, bytes(flipped)))
    for at in range(256):
        flipped = bytearray(KEY.public.data)
        flipped[at // 8] ^= 1 << at % 8
        assert not PublicKey("key-1", bytes(flipped)).verifies(b"message", made)


def test_a_signature_with_a_scalar_above_the_order_is_refused():
    made = KEY.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(made.data[32:], "little") + order
    assert not KEY.public.verifies(b"message", Signature("key-1", made.data[:32] + scalar.to_bytes(32, "little")))


def test_a_key_of_small_order_verifies_nothing():
    for point in (b"\1" + bytes(31), bytes(32)):
        assert not PublicKey("key-1", point).verifies(b"any", Signature("key-1", point + bytes(32)))


@given(st.binary(max_size=100))
def test_what_is_signed_verifies_and_texts_round_trip(message):
    made = KEY.sign(message)
    assert parse_signature(str(made)) == made == KEY.sign(message)
    assert parse_public_key(str(KEY.public)).verifies(message, made)


@pytest.mark.parametrize("parse", [parse_signature, parse_public_key, parse_secret_key])
@pytest.mark.parametrize("text", [
    "", ":", "key-1", "key-1:", ":AAAA", "key 1:AAAA", "key-1:AA AA", "key-1:****", "key-1:é", "ké:AAAA", "k\0:AAAA",
    "key-1:AAAA", "key-1:" + "A" * 43 + "B", "key-1:" + "A" * 44, "k" * 256 + ":" + "A" * 43 + "=", "key-1:" + "A" * 100_000,
])
def test_what_is_no_key_and_no_signature(parse, text):
    with pytest.raises(CorruptDataError):
        parse(text)


@pytest.mark.parametrize(("parse", "text"), [
    (parse_public_key, str(KEY.public)), (parse_secret_key, KEY.to_text()), (parse_signature, str(KEY.sign(b""))),
], ids=["public", "secret", "signature"])
def test_bytes_have_one_text(parse, text):
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    other = bare[:-1] + digits[digits.index(bare[-1]) + 1] + text[len(bare):]
    assert base64.b64decode(other.partition(":")[2]) == base64.b64decode(text.partition(":")[2])
    for one in (other, bare, text + "=", text + "\n=", text.replace("+", "-").replace("/", "_") + "-"):
        with pytest.raises(CorruptDataError):
            parse(one)


def test_every_truncation_and_flip_of_a_key_gives_a_key_or_an_error():
    for parse, text in ((parse_public_key, str(KEY.public)), (parse_secret_key, KEY.to_text()),
                        (parse_signature, str(KEY.sign(b"")))):
        data = text.encode()
        damaged = [data[:size] for size in range(len(data))]
        damaged += [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:] for at in range(len(data)) for bit in range(8)]
        for one in damaged:
            assert not shows_secret(problem_of(parse, one.decode("latin-1")))


def problem_of(parse, text):
    """What is wrong with *text*, or nothing."""
    try:
        parse(text)
    except CorruptDataError as error:
        return str(error)
    return ""


def shows_secret(text):
    """Whether *text* holds a piece of the secret half, in any of its written forms."""
    digits = KEY.to_text().partition(":")[2]
    pieces = [digits[start:start + 12] for start in range(0, 40, 4)]
    return any(piece in text for piece in (*pieces, SEED[8:20].hex(), repr(SEED)[2:30]))


def test_a_secret_shows_itself_nowhere():
    assert shows_secret(KEY.to_text())
    for text in (repr(KEY), str(KEY), f"{KEY}", repr([KEY]), repr(KEY.public)):
        assert not shows_secret(text)
    for work in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            work(KEY)


def test_a_traceback_with_variables_shows_no_secret(tmp_path):
    digits = KEY.to_text().partition(":")[2]
    wrong_half = base64.b64encode(SEED + bytes(32)).decode()
    texts = (f"key 1:{digits}", f"key-1:{digits[:-4]}", f"key-1:{digits}!", f"key-1:{wrong_half}", digits)
    for number, text in enumerate(texts):
        path = tmp_path / str(number)
        path.write_text(text)
        with pytest.raises(CorruptDataError) as caught:
            signing.read_secret_key(path)
        assert str(path) in str(caught.value)
        frames_show_no_secret(caught.value)
        with pytest.raises(CorruptDataError) as caught:
            parse_secret_key(text)
        frames_show_no_secret(caught.value)


def frames_show_no_secret(error):
    """Assert that neither the message nor the variables of this module's frames hold the secret."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in found.stack if frame.filename == signing.__file__]
    assert frames
    assert not shows_secret(str(error) + "".join(str(frame.locals) for frame in frames))


def test_a_key_file_that_is_too_large_shows_no_secret(tmp_path):
    (tmp_path / "large").write_text(KEY.to_text() + "\n" * signing.LARGEST_KEY_FILE)
    with pytest.raises(BudgetExceeded) as caught:
        signing.read_secret_key(tmp_path / "large")
    frames_show_no_secret(caught.value)


def test_key_files_are_private_and_never_replaced(tmp_path):
    secret, public = tmp_path / "secret", tmp_path / "public"
    signing.write_key_files(KEY, secret, public)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert signing.read_secret_key(secret).public == KEY.public
    assert signing.read_public_keys(public) == [KEY.public]
    before = secret.read_bytes()
    with pytest.raises(FileExistsError):
        signing.write_key_files(SecretKey.generate("key-2"), secret, tmp_path / "other")
    with pytest.raises(FileExistsError):
        signing.write_key_files(SecretKey.generate("key-2"), tmp_path / "other", public)
    assert secret.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["public", "secret"]


def test_an_interrupt_while_keys_are_written_leaves_none(tmp_path, monkeypatch):
    real = os.open

    def interrupted(*words):
        os.close(real(*words))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        signing.write_key_files(KEY, tmp_path / "secret", tmp_path / "public")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_generated_keys_differ():
    first, second = SecretKey.generate("k"), SecretKey.generate("k")
    assert first.public != second.public
    assert not second.public.verifies(b"", first.sign(b""))


def test_lists_of_keys_have_comments_and_blanks(tmp_path):
    other = SecretKey("key-2", bytes(32)).public
    path = tmp_path / "keys"
    path.write_text(f"# ours\n{KEY.public} {other}\n\n  {other}# again\n")
    assert signing.read_public_keys(path) == [KEY.public, other, other]
    path.write_text(f"{KEY.public}\nnonsense\n")
    with pytest.raises(CorruptDataError) as caught:
        signing.read_public_keys(path)
    assert caught.value.offset == len(str(KEY.public)) + 1
    path.write_bytes(b"k" * (signing.LARGEST_KEY_FILE + 1))
    for read in (signing.read_public_keys, signing.read_secret_key):
        with pytest.raises(BudgetExceeded):
            read(path)


@pytest.mark.parametrize(("name", "data"), [("", bytes(32)), ("a:b", bytes(32)), ("a b", bytes(32)), ("a", bytes(31))])
def test_values_are_checked(name, data):
    for make in (PublicKey, SecretKey, lambda name, data: Signature(name, data * 2)):
        with pytest.raises(ConfigError):
            make(name, data)


@pytest.mark.oracle
def test_keys_of_nix_are_read(nix, tmp_path):
    nix.run("nix-store", "--generate-binary-cache-key", "cache.example.org-1", "secret", "public", cwd=tmp_path)
    key = signing.read_secret_key(tmp_path / "secret")
    assert signing.read_public_keys(tmp_path / "public") == [key.public]
    assert key.to_text() == (tmp_path / "secret").read_text()
    assert str(key.public) == nix.run("nix", "key", "convert-secret-to-public", input=key.to_text())
