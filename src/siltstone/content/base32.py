"""Base 32 as Nix writes hashes and store paths: its own alphabet, last byte first, no padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone._native import base32 as native
from siltstone.core.errors import CorruptDataError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def encode_base32(data: ReadableBuffer) -> str:
    """Return *data* in ``ceil(8 * size / 5)`` digits; no data gives an empty text."""
    return native.encode(data).decode("ascii")


def decode_base32(text: str) -> bytes:
    """Return the bytes of *text*; only the one text that `encode_base32` writes is accepted.

    Raises CorruptDataError with the index of the wrong symbol.
    """
    try:
        digits = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise CorruptDataError("not a digit of Nix's base 32", offset=error.start) from error
    return native.decode(digits)
