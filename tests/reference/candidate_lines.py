"""Rows as JSON Lines by the standard library. Twin of ``siltstone._native.candidate_lines``."""

from __future__ import annotations

import base64
import json


def encode_line(blob: bytes, commit: bytes, parent: bytes | None, change: int, mode: int, path: bytes) -> bytes:
    """Return one line."""
    fields: dict[str, str | None] = {
        "blob": blob.hex(), "commit": commit.hex(), "parent": None if parent is None else parent.hex(),
        "change": "add" if change == 1 else "modify", "mode": f"{mode:06o}",
    }  # fmt: skip
    try:
        fields["path"] = path.decode("utf-8")
    except UnicodeDecodeError:
        fields["path_b64"] = base64.b64encode(path).decode("ascii")
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
