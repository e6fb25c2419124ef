"""Store paths: published vectors, the rules of names, damage, and the same paths as Nix gives."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.content import store_path as paths
from siltstone.content.hash_text import Hash
from siltstone.content.store_path import ContentAddress, StorePath, content_address_path, parse_store_path
from siltstone.core.errors import ConfigError, CorruptDataError

DIGITS = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q"
BAR = StorePath(f"{DIGITS}-bar")
NAMES = st.text(alphabet="abzAZ09+-._?=", min_size=1, max_size=20)


def sha256(data):
    return Hash("sha256", hashlib.sha256(data).digest())


@pytest.mark.oracle
def test_published_vectors():
    address = ContentAddress("nar", sha256(b"(...)"))
    path = content_address_path(address, "foo", references=[BAR], self_reference=True)
    assert str(path) == "/nix/store/n5wkd9frr45pa74if5gpz9j7mifg27fh-foo"
    text = ContentAddress("text", sha256(b"hello"))
    assert str(content_address_path(text, "hello.txt")) == "/nix/store/q790zdjk75hm2cn42nh77pqw4gbv1b88-hello.txt"


def test_folding_is_exclusive_or():
    assert paths.fold_digest(bytes(range(6)), 4) == bytes([0 ^ 4, 1 ^ 5, 2, 3])
    assert paths.fold_digest(b"", 4) == bytes(4)
    assert len(paths.fold_digest(hashlib.sha512(b"").digest())) == 20


@pytest.mark.parametrize("name", ["a", "a" * 211, ".a", "..a", "...", ".a-", "a.b-c_d+e?f=g", "-", "--", "0", "=?"])
def test_names_that_nix_takes(name):
    assert parse_store_path(f"/nix/store/{DIGITS}-{name}").name == name


@pytest.mark.parametrize(("name", "offset"), [
    ("", 44), ("a" * 212, 255), (".", 44), ("..", 44), (".-a", 44), ("..-a", 44), ("a b", 45), ("é", 44), ("a\n", 45),
    ("ab@", 46), ("a\0", 45), ("a:b", 45),
])
def test_names_that_nix_refuses(name, offset):
    with pytest.raises(CorruptDataError) as caught:
        parse_store_path(f"/nix/store/{DIGITS}-{name}")
    assert caught.value.offset == offset
    with pytest.raises(ConfigError):
        paths.make_store_path("text", sha256(b""), name)
    with pytest.raises(ConfigError):
        StorePath(f"{DIGITS}-{name}")


@pytest.mark.parametrize("text", [
    "", "/", "nix/store/x", f"{DIGITS}-bar", f"/{DIGITS}-bar", f"/nix//store/{DIGITS}-bar", f"/nix/../store/{DIGITS}-bar",
    f"/nix/./{DIGITS}-bar", f"/nix/store/{DIGITS}-bar/", f"/nix/store/{DIGITS}-bar/bin", f"/nix/store/{DIGITS}",
    f"/nix/store/{DIGITS}_bar", f"/nix/store/{DIGITS[:-1]}e-bar", f"/nix/store/{DIGITS[:-1]}-bar",
    f"/nix/store/{DIGITS.upper()}-bar", f"/nix/st\nore/{DIGITS}-bar", f"/nix/st\x9bore/{DIGITS}-bar", f"/ni\udcff/{DIGITS}-bar",
])
def test_what_is_no_store_path(text):
    with pytest.raises(CorruptDataError) as caught:
        parse_store_path(text)
    assert 0 <= caught.value.offset <= len(text)


def test_another_store_is_refused_on_request():
    text = f"/other/store/{DIGITS}-bar"
    assert str(parse_store_path(text)) == text
    with pytest.raises(CorruptDataError):
        parse_store_path(text, directory="/nix/store")
    for directory in ("", "nix", "/nix/", "/nix/..", "/ni\0x", "/nix\nSig: x"):
        with pytest.raises(ConfigError):
            StorePath(f"{DIGITS}-bar", directory)


def test_every_truncation_and_flip_of_a_path_gives_a_path_or_an_error():
    text = f"/nix/store/{DIGITS}-bar-1.0".encode()
    damaged = [text[:size] for size in range(len(text))]
    damaged += [text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1:] for at in range(len(text)) for bit in range(8)]
    for data in damaged:
        shown = data.decode("latin-1")
        try:
            found = str(parse_store_path(shown))
        except CorruptDataError:
            continue
        assert found == shown


@pytest.mark.parametrize("text", [
    "text:sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s",
    "fixed:sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s",
    "fixed:r:sha1:kpcd173cq987hw957sx6m0868wv3x6d9", "fixed:git:sha1:kpcd173cq987hw957sx6m0868wv3x6d9",
    "fixed:r:md5:3jgzhjhz9zjvbb0kyj7jc500ch",
])
def test_content_addresses_round_trip(text):
    assert str(paths.parse_content_address(text)) == text


@pytest.mark.parametrize("text", [
    "", "text:", "text:sha1:kpcd173cq987hw957sx6m0868wv3x6d9", "fixed:git:md5:3jgzhjhz9zjvbb0kyj7jc500ch", "fixed:x:sha1:0",
    "fixed:r:", "r:sha1:kpcd173cq987hw957sx6m0868wv3x6d9", "fixed:sha1:kpcd173cq987hw957sx6m0868wv3x6d", "fixed:sha3:00",
])
def test_what_is_no_content_address(text):
    with pytest.raises(CorruptDataError):
        paths.parse_content_address(text)


def test_references_go_only_where_nix_allows_them():
    flat = ContentAddress("flat", sha256(b""))
    for address, others, itself in ((flat, [BAR], False), (flat, [], True), (ContentAddress("text", sha256(b"")), [], True),
                                    (ContentAddress("nar", Hash("sha1", bytes(20))), [BAR], False)):
        with pytest.raises(ConfigError):
            content_address_path(address, "x", references=others, self_reference=itself)
    for method, value in (("text", Hash("sha1", bytes(20))), ("git", Hash("md5", bytes(16))), ("tar", sha256(b""))):
        with pytest.raises(ConfigError):
            ContentAddress(method, value)


@given(NAMES, st.binary(max_size=40), st.lists(st.integers(0, 5), max_size=4))
def test_the_order_of_references_changes_nothing(name, data, numbers):
    references = [StorePath(DIGITS[:-1] + f"{number}-ref") for number in numbers]
    address = ContentAddress("nar", sha256(data))
    if name.split("-", 1)[0] in (".", ".."):
        return
    path = content_address_path(address, name, references=references)
    assert path == content_address_path(address, name, references=references[::-1] * 2)
    assert parse_store_path(str(path)) == path


@pytest.mark.oracle
def test_added_files_have_the_paths_that_nix_gives(nix, tmp_path):
    for number, name in enumerate(("f", "a-1.0_b+c?d=e", "n" * 211, "9")):
        data = hashlib.sha512(name.encode()).digest() * number
        (tmp_path / name).write_bytes(data)
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            address = ContentAddress("flat", Hash(algorithm, hashlib.new(algorithm, data).digest()))
            added = nix.run("nix-store", "--add-fixed", algorithm, name, cwd=tmp_path)
            assert str(content_address_path(address, name, directory=nix.directory)) == added


@pytest.mark.oracle
def test_added_trees_have_the_paths_that_nix_gives(nix, tmp_path):
    tree = tmp_path / "tree-1.0"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "run").write_bytes(b"#!/bin/sh\n")
    (tree / "bin" / "run").chmod(0o755)
    (tree / "link").symlink_to("bin/run")
    nar = nix.dump(tree)
    for algorithm in ("sha1", "sha256", "sha512"):
        address = ContentAddress("nar", Hash(algorithm, hashlib.new(algorithm, nar).digest()))
        added = nix.run("nix-store", "--add-fixed", "--recursive", algorithm, tree.name, cwd=tmp_path)
        assert str(content_address_path(address, tree.name, directory=nix.directory)) == added
    assert nix.run("nix-store", "--add", tree.name, cwd=tmp_path) == str(content_address_path(
        ContentAddress("nar", sha256(nar)), tree.name, directory=nix.directory))


@pytest.mark.oracle
def test_a_text_with_references_has_the_path_that_nix_gives(nix):
    one = nix.run("nix-instantiate", "--eval", "--expr", 'builtins.toFile "one.txt" "hello"').strip('"')
    assert one == str(content_address_path(ContentAddress("text", sha256(b"hello")), "one.txt", directory=nix.directory))
    expression = 'builtins.toFile "two.txt" "see ${builtins.toFile "one.txt" "hello"}"'
    two = nix.run("nix-instantiate", "--eval", "--expr", expression).strip('"')
    address = ContentAddress("text", sha256(f"see {one}".encode()))
    assert two == str(content_address_path(address, "two.txt", references=[parse_store_path(one)], directory=nix.directory))


@pytest.mark.oracle
def test_derivation_outputs_have_the_paths_that_nix_gives(nix):
    hexdigest = hashlib.sha256(b"siltstone").hexdigest()
    for mode, method in (("flat", "flat"), ("recursive", "nar")):
        expression = (f'(derivation {{ name = "src.tar"; system = "x"; builder = "/b"; outputHashAlgo = "sha256"; '
                      f'outputHashMode = "{mode}"; outputHash = "{hexdigest}"; }}).outPath')
        made = nix.run("nix-instantiate", "--eval", "--expr", expression).strip('"')
        address = ContentAddress(method, sha256(b"siltstone"))
        assert made == str(content_address_path(address, "src.tar", directory=nix.directory))
    made = nix.run("nix-instantiate", "--eval", "--expr",
                   '(derivation { name = "p"; system = "x"; builder = "/b"; outputs = ["out" "dev"]; }).dev.outPath').strip('"')
    names = [f'("{name}","","","")' for name in ("dev", "out")]
    variables = '("builder","/b"),("dev",""),("name","p"),("out",""),("outputs","out dev"),("system","x")'
    masked = f'Derive([{",".join(names)}],[],[],"x","/b",[],[{variables}])'
    assert made == str(paths.output_path(sha256(masked.encode()), "p", "dev", directory=nix.directory))
