"""Stable 64-bit keys of entities and edges, byte for byte those that a Node.js writer computes.

``key = first 8 bytes of sha256(utf8(repo NUL path NUL kind NUL name NUL signature))``; an edge hashes handles:
``sha256(utf8(from NUL to NUL kind))`` where a handle is ``collection/key``.  DO NOT CHANGE: stored in databases of users;
``tests/vectors/entity_keys.json`` holds what Node.js computes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from siltstone.core.errors import ConfigError


def encode_like_node(text: str) -> bytes:
    """Return UTF-8 as JavaScript writes it: a surrogate pair is one character, a lone surrogate is U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def entity_key(repo_id: str, path: str, kind: str, name: str, signature: str | None = None) -> int:
    """Return the key of an entity. Raises ConfigError where a field holds NUL, which would let two entities collide."""
    fields = (repo_id, path, kind, name, signature or "")
    joined = "\0".join(fields)
    if joined.count("\0") != 4:
        raise ConfigError("a NUL byte is not allowed", field=_field_with_nul(fields))
    return _first_64_bits(joined)


def edge_key(source_handle: str, target_handle: str, kind: str) -> int:
    """Return the key of an edge between two handles such as ``classes/b2…``. Raises ConfigError on NUL."""
    joined = "\0".join((source_handle, target_handle, kind))
    if joined.count("\0") != 2:
        raise ConfigError("a NUL byte is not allowed", field="handle")
    return _first_64_bits(joined)


def format_key(key: int) -> str:
    """Return *key* as the 16 hexadecimal digits that are shown and stored."""
    return f"{key:016x}"


def parse_key(text: str) -> int:
    """Return the key written as 16 hexadecimal digits. Raises ConfigError for anything else."""
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise ConfigError(f"expected 16 hexadecimal digits, got {text[:40]!r}", field="key")
    return int(text, 16)


@cache
def default_collections() -> Mapping[str, str]:
    """Return the table kind → collection from ``collections.json``; a change of it changes edge keys."""
    text = resources.files("siltstone.codeindex").joinpath("collections.json").read_text("utf-8")
    return MappingProxyType(json.loads(text))


def handle(kind: str, key: int, collections: Mapping[str, str] | None = None) -> str:
    """Return ``collection/key`` for an entity of *kind*."""
    table = default_collections() if collections is None else collections
    try:
        return f"{table[kind]}/{key:016x}"
    except KeyError:
        raise ConfigError(f"no collection for kind {kind!r}", field="collections") from None


def _first_64_bits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(encode_like_node(text)).digest()[:8], "big")


def _field_with_nul(fields: tuple[str, ...]) -> str:
    names = ("repo_id", "path", "kind", "name", "signature")
    return next(name for name, value in zip(names, fields, strict=True) if "\0" in value)
