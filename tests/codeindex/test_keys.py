"""Keys are those that Node.js computes, for every vector and for fresh text."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.codeindex import keys
from siltstone.codeindex.entities import EntityKind
from siltstone.codeindex.keys import (
    default_collections,
    edge_key,
    encode_like_node,
    entity_key,
    format_key,
    handle,
    parse_key,
)
from siltstone.core.errors import ConfigError

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "entity_keys.json"
NODE_SCRIPT = """
const {createHash} = require('crypto');
const rows = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const key = (parts) => createHash('sha256').update(parts.join('\\0')).digest('hex').slice(0, 16);
process.stdout.write(JSON.stringify(rows.map(key)));
"""


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    loaded = json.loads(VECTORS.read_text("utf-8"))
    assert (len(loaded["entities"]), len(loaded["edges"])) == (10_000, 1_000)
    return loaded


def joined_key(*fields: str | None) -> str:
    """The key without the check for NUL, which the vectors hold on purpose."""
    return format_key(keys._first_64_bits("\0".join(field or "" for field in fields)))


@pytest.mark.oracle
def test_entity_keys_equal_those_of_node(vectors: dict[str, Any]) -> None:
    for *fields, expected in vectors["entities"]:
        assert joined_key(*fields) == expected
        if any("\0" in (field or "") for field in fields):
            with pytest.raises(ConfigError):
                entity_key(*fields)
        else:
            assert format_key(entity_key(*fields)) == expected


@pytest.mark.oracle
def test_edge_keys_equal_those_of_node(vectors: dict[str, Any]) -> None:
    for source, target, kind, expected in vectors["edges"]:
        if "\0" in source + target + kind:
            assert joined_key(source, target, kind) == expected
        else:
            assert format_key(edge_key(source, target, kind)) == expected


@pytest.mark.oracle
def test_node_agrees_on_fresh_text() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    rng = random.Random(7)
    alphabet = ["a", "é", "日", "🚀", "\ud83d", "\ude80", "\ufeff", "\u0301", "\uffff", "/"]
    rows = [["".join(rng.choices(alphabet, k=rng.randrange(6))) for _ in range(5)] for _ in range(500)]
    done = subprocess.run([node, "-e", NODE_SCRIPT], input=json.dumps(rows).encode(), capture_output=True, check=True,
                          timeout=60)
    assert json.loads(done.stdout) == [format_key(entity_key(*row)) for row in rows]


def test_no_signature_is_an_empty_signature() -> None:
    assert entity_key("r", "p", "k", "n") == entity_key("r", "p", "k", "n", "") == entity_key("r", "p", "k", "n", None)


def test_the_field_with_nul_is_named() -> None:
    for place, field in enumerate(("repo_id", "path", "kind", "name", "signature")):
        fields = ["a"] * 5
        fields[place] = "a\0b"
        with pytest.raises(ConfigError) as caught:
            entity_key(*fields)
        assert caught.value.field == field
    with pytest.raises(ConfigError):
        edge_key("a\0", "b", "calls")


@given(st.text(st.characters(exclude_categories=()), max_size=8))
def test_any_text_is_encoded_and_pairs_become_characters(text: str) -> None:
    encoded = encode_like_node(text)
    halves = text.encode("utf-16-le", "surrogatepass")
    split = "".join(chr(int.from_bytes(halves[at : at + 2], "little")) for at in range(0, len(halves), 2))
    assert encode_like_node(split) == encoded
    assert encoded.decode() == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def test_a_key_is_written_as_16_digits_and_read_back() -> None:
    assert parse_key(format_key(10)) == 10
    assert format_key(2**64 - 1) == "f" * 16
    for bad in ("", "abc", "F" * 16, "g" * 16, "0" * 17):
        with pytest.raises(ConfigError):
            parse_key(bad)


def test_handles_name_the_collection_of_every_kind() -> None:
    assert handle("class", 255) == "classes/00000000000000ff"
    assert handle("class", 1, {"class": "types"}).startswith("types/")
    assert {kind.label for kind in EntityKind} == set(default_collections())
    with pytest.raises(ConfigError):
        handle("planet", 1)
