"""narinfo: published vectors, every rule of its lines, round trips, damage, and what Nix itself writes and accepts."""

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from fuzz import fuzz_narinfo
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content import narinfo
from siltstone.content.hash_text import Hash, parse_hash
from siltstone.content.narinfo import NarInfo, fingerprint, format_narinfo, parse_narinfo, sign_narinfo, verify_narinfo
from siltstone.content.signing import PublicKey, SecretKey, parse_public_key, parse_secret_key
from siltstone.content.store_path import ContentAddress, StorePath, content_address_path, parse_store_path
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

CURL = b"""\
StorePath: /nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin
URL: nar/05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56.nar.xz
Compression: xz
FileHash: sha256:05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56
FileSize: 68852
NarHash: sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0
NarSize: 196040
References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0 6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115 \
j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12 yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n
Deriver: 5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0.drv
Sig: cache.nixos.org-1:TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==
"""
TRUSTED = parse_public_key("cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=")
FINGERPRINT = (
    b"1;/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin;"
    b"sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0;196040;"
    b"/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0,/nix/store/6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115,"
    b"/nix/store/j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12,/nix/store/yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n"
)
TEST_KEY = "test1:jbX9NxZp8WB/coK8k7yLf0gNYmBbIbCrOFwgJgI7OV+0sASf4R5oFQlioSlN3bJ56uvshzr7S9Z75pcv+9hSkQ=="  # published
OWN = SecretKey("own-1", bytes(range(32)))
LEAST = b"""\
StorePath: /nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-a
URL: a
NarHash: sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0
NarSize: 1
"""


@pytest.mark.oracle
def test_a_narinfo_of_the_public_cache_verifies():
    info = parse_narinfo(CURL)
    assert fingerprint(info) == FINGERPRINT
    assert verify_narinfo(info, [OWN.public, TRUSTED]).signer == TRUSTED
    assert format_narinfo(info) == CURL


@pytest.mark.oracle
def test_a_published_key_makes_its_published_signature():
    signed = sign_narinfo(parse_narinfo(CURL), parse_secret_key(TEST_KEY))
    expected = "test1:519iiVLx/c4Rdt5DNt6Y2Jm6hcWE9+XY69ygiWSZCNGVcmOcyL64uVAJ3cV8vaTusIZdbTnYo9Y7vDNeTmmMBQ=="
    assert signed.signatures[1] == expected
    assert parse_narinfo(format_narinfo(signed)) == signed


def test_what_is_absent_has_its_default():
    info = parse_narinfo(LEAST)
    assert (info.compression, info.file_hash, info.file_size, info.references) == ("bzip2", None, None, ())
    assert (info.deriver, info.signatures, info.content_address, info.extra) == (None, (), None, ())
    assert parse_narinfo(LEAST + b"Compression: \n") == info
    assert parse_narinfo(LEAST + b"Deriver: unknown-deriver\n") == info
    assert parse_narinfo(LEAST + b"References: \n") == info
    assert parse_narinfo(LEAST + b"CA: \n") == info
    assert parse_narinfo(LEAST + b"Compression: zstd\n").compression == "zstd"


@pytest.mark.parametrize("key", [b"StorePath", b"URL", b"NarHash", b"NarSize"])
def test_a_required_line_that_is_missing_is_told(key):
    lines = [line for line in LEAST.splitlines(keepends=True) if not line.startswith(key)]
    with pytest.raises(CorruptDataError, match=key.decode()) as caught:
        parse_narinfo(b"".join(lines), source="x.narinfo")
    assert caught.value.source == "x.narinfo"


def test_hashes_are_read_in_every_base_and_written_in_one():
    hexadecimal = parse_hash("sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0").digest.hex()
    text = LEAST.replace(b"1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0", hexadecimal.encode())
    assert format_narinfo(parse_narinfo(text)) == format_narinfo(parse_narinfo(LEAST))


def test_references_are_a_set_in_order():
    a, b = "0jqd0rlxzra1rs38rdxl43yh6rxchgc6-z", "6w8g7njm4mck5dmjxws0z1xnrxvl81xa-a"
    for text in (f"{a} {b}", f"{b} {a}", f" {b}  {a} {b} "):
        info = parse_narinfo(LEAST + f"References: {text}\n".encode())
        assert [path.base_name for path in info.references] == [a, b]
        assert f"References: {a} {b}\n".encode() in format_narinfo(info)


def test_signatures_keep_their_order_and_are_not_repeated():
    info = parse_narinfo(LEAST + b"Sig: z:1\nSig: a:2\nSig: z:1\nSig: no form at all\n")
    assert info.signatures == ("z:1", "a:2", "no form at all")
    assert verify_narinfo(info, [OWN.public]) == narinfo.Verdict(None, (), (), (), 3, False)
    signed = sign_narinfo(sign_narinfo(info, OWN), OWN)
    assert signed.signatures[3:] == (str(OWN.sign(fingerprint(info))),)


def test_keys_that_are_not_known_are_kept():
    data = LEAST + "X-Note: größer: a\nSystem: x86_64-linux\n".encode()
    info = parse_narinfo(data)
    assert info.extra == (("X-Note", "größer: a"), ("System", "x86_64-linux"))
    assert parse_narinfo(format_narinfo(info)) == info
    assert fingerprint(info) == fingerprint(parse_narinfo(LEAST))


@pytest.mark.parametrize(("line", "offset"), [
    (b"no colon\n", 0), (b"\n", 0), (b": value\n", 0), (b"URL: b\n", 0), (b"References:\n", 11), (b"Deriver:x\n", 8),
    (b"Compression: xz\r\n", 15), (b"Compression: x\0z\n", 14), (b"Compression: x\tz\n", 14), (b"X\r: y\n", 0),
    (b"Compression: x\xc2\x9bz\n", 14),
    (b"X Y: z\n", 0), (b"X: \xff\n", 3), (b"\xff: x\n", 0), (b"Compression: xz", 15), (b"Sig: \n", 5),
    (b"FileSize: \n", 10), (b"FileSize: -1\n", 10),
    (b"FileSize: 1x\n", 10), (b"FileSize: 01\n", 10), (b"FileSize:  1\n", 10), (b"FileSize: 18446744073709551616\n", 10),
    (b"FileSize: \xd9\xa1\n", 10), (b"FileHash: sha256:00\n", 19), (b"FileHash: \n", 10), (b"Deriver: \n", 9),
    (b"Deriver: unknown\n", 9), (b"References: a\n", 12), (b"References: /nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-a\n", 12),
    (b"References: syd87l2rxw8cbsxmxl853h0r6pdwhwjr-a 1\n", 47), (b"CA: x\n", 4), (b"CA: fixed:r:sha1:0\n", 18),
    (b"X-A: 1\nX-A: 2\n", 7), (b"References: \nReferences: \n", 13), ("X: é\r\n".encode(), 5), (b"\xef\xbb\xbfX: y\n", 0),
])
def test_a_line_that_is_wrong_is_told_with_its_place(line, offset):
    with pytest.raises(CorruptDataError) as caught:
        parse_narinfo(LEAST + line, source="here")
    assert (caught.value.source, caught.value.offset) == ("here", len(LEAST) + offset)


def test_sizes_go_up_to_64_bits():
    text = LEAST.replace(b"NarSize: 1\n", b"NarSize: 18446744073709551615\nFileSize: 0\n")
    assert (parse_narinfo(text).nar_size, parse_narinfo(text).file_size) == ((1 << 64) - 1, 0)


def test_a_text_above_the_limit_is_not_read():
    with pytest.raises(BudgetExceeded) as caught:
        parse_narinfo(LEAST, limit_bytes=len(LEAST) - 1)
    assert caught.value.needed_bytes == len(LEAST)
    assert parse_narinfo(LEAST, limit_bytes=len(LEAST))
    with pytest.raises(BudgetExceeded):
        parse_narinfo(b"X" * (narinfo.LARGEST_NARINFO + 1))


@pytest.mark.parametrize("change", [
    {"url": ""}, {"url": "a\nSig: x"}, {"url": "a\x9b31m"}, {"url": "a\udcff"}, {"signatures": ("a\udcff",)},
    {"compression": ""}, {"compression": "x\r"}, {"nar_size": 0}, {"nar_size": 1 << 64},
    {"file_size": -1}, {"signatures": ("a\nb",)}, {"signatures": ("",)}, {"extra": (("URL", "b"),)}, {"extra": (("Sig", "b"),)},
    {"extra": (("a b", "c"),)}, {"extra": (("a", "b\n"),)}, {"extra": (("a", "b"), ("a", "c"))},
    {"references": (StorePath("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-b", "/other"),)},
])
def test_a_value_that_cannot_be_written_is_refused(change):
    with pytest.raises(ConfigError):
        replace(parse_narinfo(LEAST), **change)


DIGITS = st.text(alphabet="0123456789abcdfghijklmnpqrsvwxyz", min_size=32, max_size=32)
PATHS = st.builds(lambda digits, name: StorePath(f"{digits}-{name}"), DIGITS,
                  st.text(alphabet="abc-1_+?=", min_size=1, max_size=9))
LINES = st.text(alphabet=st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
HASHES = st.one_of(st.builds(lambda data: Hash("sha256", data), st.binary(min_size=32, max_size=32)),
                   st.builds(lambda data: Hash("sha512", data), st.binary(min_size=64, max_size=64)))
ADDRESSES = st.builds(lambda method, data: ContentAddress(method, Hash("sha256", data)),
                      st.sampled_from(["text", "flat", "nar", "git"]), st.binary(min_size=32, max_size=32))
INFOS = st.builds(
    NarInfo, store_path=PATHS, url=LINES.filter(bool), nar_hash=HASHES, nar_size=st.integers(1, (1 << 64) - 1),
    compression=st.sampled_from(["none", "xz", "zstd"]), file_hash=st.none() | HASHES,
    file_size=st.none() | st.integers(0, (1 << 64) - 1),
    references=st.lists(PATHS, max_size=4).map(tuple), deriver=st.none() | PATHS,
    signatures=st.lists(LINES.filter(bool), max_size=3).map(tuple), content_address=st.none() | ADDRESSES,
    extra=st.lists(st.tuples(st.text(alphabet="ABx-", min_size=1, max_size=4), LINES), max_size=3,
                   unique_by=lambda pair: pair[0]).map(tuple),
)


@given(INFOS)
def test_what_is_written_is_read_back(info):
    data = format_narinfo(info)
    assert parse_narinfo(data) == info
    assert format_narinfo(parse_narinfo(data)) == data
    signed = sign_narinfo(info, OWN)
    assert verify_narinfo(parse_narinfo(format_narinfo(signed)), [OWN.public]).signer == OWN.public


def test_the_verdict_names_the_keys():
    other, third = SecretKey("other-1", bytes(32)), SecretKey("third-1", b"3" * 32)
    info = sign_narinfo(sign_narinfo(parse_narinfo(LEAST), OWN), third)
    info = replace(info, signatures=(str(other.sign(b"something else")), *info.signatures))
    verdict = verify_narinfo(info, [other.public, third.public, OWN.public])
    assert verdict == narinfo.Verdict(third.public, ("own-1", "third-1"), ("other-1",), (), 0, False)
    assert verify_narinfo(info, [OWN.public]).unknown == ("other-1", "third-1")
    assert verify_narinfo(info, [PublicKey("own-1", other.public.data)]).bad == ("own-1",)
    assert verify_narinfo(info, []).signer is None


@pytest.mark.parametrize("change", [
    {"nar_size": 2}, {"nar_hash": Hash("sha256", bytes(32))}, {"store_path": StorePath("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-a")},
    {"references": (StorePath("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-a"),)},
])
def test_a_signature_covers_what_the_fingerprint_names(change):
    signed = sign_narinfo(parse_narinfo(LEAST), OWN)
    assert verify_narinfo(replace(signed, **change), [OWN.public]).bad == ("own-1",)
    assert verify_narinfo(replace(signed, url="b", compression="xz", file_size=7), [OWN.public]).good == ("own-1",)


def test_a_content_address_is_compared_with_the_path():
    address = ContentAddress("nar", Hash("sha256", hashlib.sha256(b"nar").digest()))
    other = StorePath("g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-b")
    info = replace(parse_narinfo(LEAST), content_address=address)
    assert not verify_narinfo(info, []).content_addressed
    for references, itself in (([], False), ([other], False), ([other], True)):
        path = content_address_path(address, "a", references=references, self_reference=itself)
        given_references = (*references, *([path] if itself else []))
        assert verify_narinfo(replace(info, store_path=path, references=given_references), []).content_addressed
        wrong = replace(info, store_path=path, references=(StorePath("0" * 32 + "-b"),))
        assert not verify_narinfo(wrong, []).content_addressed
    flat = ContentAddress("flat", address.hash)
    assert not verify_narinfo(replace(info, content_address=flat, references=(other,)), []).content_addressed


def test_every_truncation_and_every_flip_gives_a_value_or_an_error():
    data = CURL + b"CA: fixed:r:sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0\nX: y\n"
    damaged = [data[:size] for size in range(len(data))]
    damaged += [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:] for at in range(len(data)) for bit in range(8)]
    read = sum(fuzz_narinfo.is_read(one) for one in damaged)
    assert 0 < read < len(damaged) // 2


def test_mutated_texts_give_a_value_or_an_error():
    assert fuzz_narinfo.find_difference(random.Random(5), 2_000) is None


@pytest.mark.oracle
def test_a_cache_that_nix_wrote_is_read_and_written_alike(nix, tmp_path):
    (tmp_path / "hello").write_bytes(b"hello\n")
    nix.run("nix-store", "--generate-binary-cache-key", "own-1", "secret", "public", cwd=tmp_path)
    path = nix.run("nix-store", "--add", "hello", cwd=tmp_path)
    expression = f'builtins.toFile "two" "${{builtins.storePath {path}}}"'
    two = nix.run("nix-instantiate", "--eval", "--read-write-mode", "--expr", expression).strip('"')
    cache = tmp_path / "cache"
    nix.run("nix", "copy", "--to", f"file://{cache}?secret-key={tmp_path}/secret&compression=xz", two)
    trusted = parse_public_key((tmp_path / "public").read_text())
    found = sorted(cache.glob("*.narinfo"))
    assert len(found) == 2
    for file in found:
        info = parse_narinfo(file.read_bytes())
        assert format_narinfo(info) == file.read_bytes()
        verdict = verify_narinfo(info, [trusted])
        assert (verdict.signer, verdict.content_addressed) == (trusted, True)
        assert hashlib.sha256((cache / info.url).read_bytes()).digest() == info.file_hash.digest


@pytest.mark.oracle
def test_nix_trusts_what_we_sign(nix, tmp_path):
    (tmp_path / "hello").write_bytes(b"hello\n")
    path = nix.run("nix-store", "--add", "hello", cwd=tmp_path)
    cache = tmp_path / "cache"
    nix.run("nix", "copy", "--to", f"file://{cache}?compression=none", path)
    [file] = cache.glob("*.narinfo")
    info = replace(parse_narinfo(file.read_bytes()), content_address=None)  # else Nix needs no signature
    assert parse_store_path(path) == info.store_path
    forged = sign_narinfo(info, SecretKey("own-1", bytes(32)))
    for signed, trusted in ((info, False), (forged, False), (sign_narinfo(info, OWN), True)):
        file.write_bytes(format_narinfo(signed))
        nix.run("nix", "store", "verify", "--no-contents", "--store", f"file://{cache}", "--option", "trusted-public-keys",
                str(OWN.public), "--option", "narinfo-cache-positive-ttl", "0", path, code=0 if trusted else 2)
        for state in Path(nix.environment["HOME"]).rglob("binary-cache-v6.sqlite*"):
            state.unlink()
