"""Cutting, hashing, compressing and keeping bytes. Names are loaded when they are first used: only a store needs numpy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "ChunkStore": "store",
    "Chunker": "chunking",
    "Compressor": "compression",
    "PROFILES": "profiles",
    "Profile": "profiles",
    "StoreStats": "store",
    "StoreWriter": "store_writer",
    "StoredFile": "manifest",
    "VerifyReport": "store",
    "cut_offsets": "chunking",
    "decode_base32": "base32",
    "decompress": "compression",
    "digest_of": "hashing",
    "encode_base32": "base32",
    "get_profile": "profiles",
    "iter_chunks": "chunking",
    "new_hasher": "hashing",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'siltstone.content' has no attribute {name!r}")
    value = getattr(import_module(f"siltstone.content.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
