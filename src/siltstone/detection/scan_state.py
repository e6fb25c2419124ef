"""What a scan leaves for the next one: which blobs were searched, by which rules, and every match (docs/formats/scan-state.md).

Nothing here holds a secret: matches are redacted and their fingerprints are keyed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from siltstone.core.errors import CorruptDataError, UnsupportedError
from siltstone.detection.findings import Match
from siltstone.gitobjects.ids import ObjectId

# DO NOT CHANGE: stored.
_MAGIC = b"SILTSCAN"
_VERSION = 1
_HEAD = struct.Struct("<8sIQ")  # magic, version, length of the JSON part
_CHECKSUM_BYTES = 32


@dataclass(frozen=True, slots=True)
class ScanState:
    """*blobs* are the ids of all blobs searched, sorted, end to end; *matches* are sorted and not yet less the shadowed.

    *key_check* tells whether fingerprints were made with the same key; it does not tell the key.
    """

    rule_digests: Mapping[str, str]
    blobs: bytes
    matches: tuple[Match, ...]
    id_size: int
    key_check: str

    def encode(self) -> bytes:
        """Return the state as bytes that `decode` reads; equal states give equal bytes."""
        header = json.dumps({
            "id_size": self.id_size, "key_check": self.key_check, "rules": dict(sorted(self.rule_digests.items())),
            "matches": [[match.blob.hex(), match.start, match.end, match.rule_id, match.line, match.column,
                         match.secret, match.fingerprint] for match in self.matches],
        }, separators=(",", ":")).encode()
        body = _HEAD.pack(_MAGIC, _VERSION, len(header)) + header + self.blobs
        return body + hashlib.sha256(body).digest()

    @classmethod
    def decode(cls, data: bytes) -> ScanState:
        """Return the state held in *data*. Raises CorruptDataError, or UnsupportedError for a newer version."""
        if len(data) < _HEAD.size + _CHECKSUM_BYTES or not data.startswith(_MAGIC):
            raise CorruptDataError("not a scan state", source="scan state", offset=0)
        _, version, length = _HEAD.unpack_from(data)
        if version > _VERSION:
            raise UnsupportedError(f"version {version} is newer than {_VERSION}", source="scan state")
        if version < _VERSION:
            raise CorruptDataError(f"version {version} is not read any more", source="scan state", offset=8)
        body, end = data[:-_CHECKSUM_BYTES], _HEAD.size + length
        if hashlib.sha256(body).digest() != data[-_CHECKSUM_BYTES:] or end > len(body):
            raise CorruptDataError("the checksum does not fit", source="scan state", offset=len(body))
        try:
            return _state_of(json.loads(body[_HEAD.size : end]), body[end:])
        except (ValueError, KeyError, TypeError):
            raise CorruptDataError("the JSON part has another shape", source="scan state", offset=_HEAD.size) from None


def key_check_of(key: bytes) -> str:
    """Return a value that differs, practically always, between keys."""
    return hmac.digest(key, b"siltstone key check", "sha256").hex()[:16]


def _state_of(header: dict[str, Any], blobs: bytes) -> ScanState:
    size = int(header["id_size"])
    if size not in (20, 32) or len(blobs) % size:
        raise ValueError(size)
    matches = tuple(Match(ObjectId(bytes.fromhex(blob)), int(start), int(end), str(rule), int(line), int(column),
                          str(secret), str(mark))
                    for blob, start, end, rule, line, column, secret, mark in header["matches"])
    rules = {str(name): str(digest) for name, digest in header["rules"].items()}
    return ScanState(rules, blobs, matches, size, str(header["key_check"]))
