"""References found, taken out and put back: any split of the stream, any content, damaged tables, and Nix's own answers."""

import hashlib
import random
import struct
from array import array

import pytest
from fuzz import fuzz_reference_table
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone.content.base32 import decode_base32
from siltstone.content.chunking import cut_offsets
from siltstone.content.hash_text import Hash
from siltstone.content.hashing import digest_of
from siltstone.content.profiles import Profile
from siltstone.content.reference_rewrite import PLACEHOLDER, ReferenceNormalizer, ReferenceRestorer, hash_modulo
from siltstone.content.reference_table import ReferenceTable, format_reference_table, parse_reference_table
from siltstone.content.references import ReferenceScanner, find_references
from siltstone.content.store_path import ContentAddress, content_address_path, parse_store_path
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError, UnsupportedError

A, B, C = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q", "hy3qg1w7hy3qg1w7hy3qg1w7hy3q0000", "0" * 32
PARTS = (A, B, C)
PIECES = st.one_of(
    st.sampled_from([A.encode(), B.encode(), C.encode(), PLACEHOLDER, b"\0", A[:20].encode(), A[20:].encode()]),
    st.sampled_from([b"0" * 50, b"-"]),
    st.binary(max_size=9),
)
STREAMS = st.lists(st.lists(PIECES, max_size=4).map(b"".join), max_size=8)  # a stream, and one way to split it


def normalized(pieces, parts=PARTS):
    normalizer = ReferenceNormalizer(parts)
    body = b"".join(normalizer.feed(piece) for piece in pieces)
    tail, table = normalizer.finish()
    return body + tail, table


def restored(pieces, table):
    restorer = ReferenceRestorer(table)
    body = b"".join(restorer.feed(piece) for piece in pieces)
    restorer.finish()
    return body


def split(data, size):
    return [data[start:start + size] for start in range(0, len(data), size)]


@given(STREAMS)
@example([A[:7].encode(), A[7:].encode()])
@example([b"", A.encode(), b""])
@example([*split(A.encode() * 2, 1), b"-"])
def test_found_references_do_not_depend_on_the_split(pieces):
    data = b"".join(pieces)
    expected = {part for part in PARTS if part.encode() in data}
    assert find_references(pieces, PARTS) == find_references([data], PARTS) == expected
    assert find_references(split(data, 1), PARTS) == expected


@given(STREAMS, st.integers(1, 70))
@example([PLACEHOLDER * 2, A.encode(), PLACEHOLDER], 5)
@example([A.encode(), B[4:].encode(), A.encode()], 33)
@example([b"0" * 63], 32)
def test_what_was_taken_out_is_put_back_exactly(pieces, size):
    data = b"".join(pieces)
    body, table = normalized(pieces)
    assert (body, list(table.offsets)) == (normalized([data])[0], list(normalized([data])[1].offsets))
    assert len(body) == len(data) == table.size
    assert not find_references([body], PARTS)
    stored = parse_reference_table(format_reference_table(table))
    assert stored == table
    assert restored(split(body, size), stored) == data


def test_a_scanner_stops_when_nothing_is_missing():
    scanner = ReferenceScanner([A, A])
    assert (scanner.found, scanner.complete) == (frozenset(), False)
    scanner.feed(bytearray(f"/nix/store/{A}-x".encode()))
    assert (scanner.found, scanner.complete) == ({A}, True)
    assert find_references(iter([A.encode(), *[None] * 3]), [A]) == {A}
    assert ReferenceScanner([]).complete


@pytest.mark.parametrize("part", ["", A[:31], A + "0", A.upper(), "e" * 32, "é" * 32])
def test_what_is_no_hash_part_is_refused(part):
    for work in (ReferenceScanner, ReferenceNormalizer):
        with pytest.raises(ConfigError):
            work([part])


def test_a_stream_that_is_not_the_one_of_the_table_is_refused():
    body, table = normalized([b"x", A.encode(), b"yz"])
    for wrong, offset in ((body[:-1], 34), (body + b"!", 35), (body[1:] + b"!", 1), (b"", 0), (b"x" + A.encode() + b"yz", 1)):
        with pytest.raises(CorruptDataError) as caught:
            restored([wrong], table)
        assert caught.value.offset == offset


def test_occurrences_have_a_limit():
    data = A.encode() * 4
    normalizer = ReferenceNormalizer([A], limit_bytes=48)
    normalizer.feed(data)
    with pytest.raises(BudgetExceeded) as caught:
        normalizer.feed(A.encode())
    assert (caught.value.limit_bytes, caught.value.needed_bytes) == (48, 60)
    stored = format_reference_table(normalized([data])[1])
    assert len(parse_reference_table(stored, limit_bytes=48)) == 4
    with pytest.raises(BudgetExceeded):
        parse_reference_table(stored, limit_bytes=47)


def test_a_table_moves_a_stream_to_other_paths():
    body, table = normalized([f"{A} {B} {A}".encode()])
    assert restored([body], table.renamed({A: C.replace("0", "1")})) == f"{'1' * 32} {B} {'1' * 32}".encode()
    for names in ({A: B}, {A: "x"}):
        with pytest.raises(ConfigError):
            table.renamed(names)


# DO NOT CHANGE: a table that was stored has these bytes
GOLDEN = bytes.fromhex(
    "53494c5452454653010000000200000004000000000000002701000000000000787878787878787878787878787878787878787800000000"
    "0000000000000000000000000000000000000501a101000001d083a50777e35d48973c160e82bae90f0260f4f26e07c3a0b3bd3cd1cd063a"
    "39"
)


def test_the_golden_table_is_read_and_written():
    table = ReferenceTable((A, C), 295, array("Q", [0, 37, 230, 262]), array("I", [0, 1, 0, 1]))
    assert parse_reference_table(GOLDEN) == table
    assert format_reference_table(table) == GOLDEN


def sealed(version=1, parts=(A, C), count=2, size=100, packed=b"\0\0\5\1"):
    head = struct.pack("<8sIIQQ", b"SILTREFS", version, len(parts), count, size)
    body = head + b"".join(decode_base32(part) for part in parts) + packed
    return body + digest_of(body)


@pytest.mark.parametrize("forged", [
    {"parts": (A, A)}, {"count": 3}, {"count": 1}, {"count": 0}, {"count": 1 << 21}, {"size": 68}, {"parts": (A,)},
    {"packed": b"\0\0\x85\0\1"}, {"packed": b"\0\0\5"}, {"packed": b""}, {"version": 0},
])
def test_a_table_that_only_a_forger_could_write_is_corrupt(forged):
    assert list(parse_reference_table(sealed()).offsets) == [0, 37]
    assert parse_reference_table(sealed(size=69)).size == 69
    with pytest.raises(CorruptDataError) as caught:
        parse_reference_table(sealed(**forged), source="table")
    assert caught.value.source == "table"


def test_a_newer_table_is_told_apart():
    with pytest.raises(UnsupportedError):
        parse_reference_table(sealed(version=2))


def test_every_truncation_and_flip_of_a_table_is_corrupt():
    stored = sealed()
    damaged = [stored[:size] for size in range(len(stored))] + [stored + b"\0"]
    damaged += [stored[:at] + bytes([stored[at] ^ 1 << bit]) + stored[at + 1:] for at in range(len(stored)) for bit in range(8)]
    for data in damaged:
        with pytest.raises((CorruptDataError, UnsupportedError)):
            parse_reference_table(data)


def test_mutated_tables_give_a_value_or_an_error():
    assert fuzz_reference_table.find_difference(random.Random(6), 1_500) is None


def build_of(tree, own, inputs):
    """The bytes of a build: files of noise and text that name their own path and those of its inputs here and there."""
    rng = random.Random(tree)
    out = []
    for _ in range(300):
        out.append(rng.randbytes(rng.randrange(200, 3_000)))
        out.append(b"/nix/store/%s-%s/lib\0" % rng.choice([(own.encode(), b"self"), *((i.encode(), b"input") for i in inputs)]))
    return b"".join(out)


def chunks_of(data):
    start, out = 0, set()
    for end in cut_offsets(data, profile=Profile(minimum=1_024, target=4_096, maximum=16_384)):
        out.add(digest_of(data[start:end]))
        start = end
    return out


def test_two_builds_of_one_tree_share_all_chunks_after_normalisation():
    rng = random.Random(8)
    first, second = ([bytes(rng.choices(b"0123456789abcdfg", k=32)).decode() for _ in range(4)] for _ in range(2))
    builds = [build_of(1, parts[0], parts[1:]) for parts in (first, second)]
    before = [chunks_of(data) for data in builds]
    assert len(before[0] & before[1]) < len(before[0]) / 5
    (one, table), (two, _) = (normalized([data], parts) for data, parts in zip(builds, (first, second), strict=True))
    assert one == two
    assert chunks_of(one) == chunks_of(two)
    assert len(format_reference_table(table)) < 4 * 300 + 200


@given(STREAMS)
def test_the_hash_modulo_is_what_nix_defines(pieces):
    data = b"".join(pieces)
    expected, here, places = bytearray(data), 0, b""
    while (here := bytes(expected).find(A.encode(), here)) >= 0:
        expected[here:here + 32] = bytes(32)
        places += b"|%d" % here
    assert hash_modulo(pieces, A) == Hash("sha256", hashlib.sha256(bytes(expected) + places).digest())


def test_the_hash_modulo_knows_its_functions():
    assert hash_modulo([], A, "sha512").digest == hashlib.sha512().digest()
    with pytest.raises(ConfigError):
        hash_modulo([], A, "blake3")


def built(nix, script, *inputs):
    """Build *script* with Nix, which scans the output for references; return its path."""
    names = "".join(f' i{number} = builtins.storePath "{path}";' for number, path in enumerate(inputs))
    expression = (f'derivation {{ name = "built"; system = builtins.currentSystem; builder = "/bin/sh";{names} '
                  f'PATH = "/usr/bin:/bin"; args = ["-c" {script}]; }}')
    return nix.run("nix-build", "--no-out-link", "--option", "sandbox", "false", "--expr", expression)


@pytest.mark.oracle
def test_a_build_has_the_references_that_nix_finds(nix, tmp_path):
    inputs = []
    for number in range(4):
        (tmp_path / f"input{number}").write_bytes(b"%d" % number)
        inputs.append(nix.run("nix-store", "--add", f"input{number}", cwd=tmp_path))
    script = r"""''mkdir $out; echo "a$i0/x" > $out/f; echo $out > $out/self; ln -s $i2 $out/link
        printf %s ''${i3##*/} | cut -c 1-31 > $out/cut
        printf %s $i1 | tr a-z A-Z > $out/upper''"""
    path = built(nix, script, *inputs)
    parts = {parse_store_path(one).hash_part: one for one in (*inputs, path)}
    expected = set(nix.run("nix-store", "-q", "--references", path).split())
    found = find_references(split(nix.dump(path), 100), parts)
    assert {parts[part] for part in found} == expected
    assert path in expected
    assert inputs[0] in expected
    assert inputs[1] not in expected


@pytest.mark.oracle
def test_a_path_that_refers_to_itself_is_moved_as_nix_moves_it(nix, tmp_path):
    (tmp_path / "input").write_bytes(b"1")
    other = nix.run("nix-store", "--add", "input", cwd=tmp_path)
    path = built(nix, "''mkdir $out; echo $out $out $i0 > $out/file; ln -s $out/file $out/link''", other)
    said = nix.run("nix", "store", "make-content-addressed", "--json", path)
    old, archive = parse_store_path(path), nix.dump(path)
    address = ContentAddress("nar", hash_modulo([archive], old.hash_part))
    moved = content_address_path(address, "built", references=[parse_store_path(other)], self_reference=True,
                                 directory=nix.directory)
    assert f'"{moved}"' in said
    body, table = normalized(split(archive, 1_000), [old.hash_part])
    assert restored([body], table.renamed({old.hash_part: moved.hash_part})) == nix.dump(str(moved))
