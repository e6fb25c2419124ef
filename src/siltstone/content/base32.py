"""Base 32 as Nix writes hashes and store paths: its own alphabet, last byte first, no padding.

One value, or many of one size that stand one behind the other; the digits then stand in the same way.  Vectors do the work
where the processor has AVX2 or AVX-512 VBMI, with the same result; *kernel* names one of `kernels()`, to force it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone._native import base32 as native
from siltstone.core.errors import CorruptDataError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def kernels() -> tuple[str, ...]:
    """Return the names of the variants that run here, slowest first; ``auto`` is the last of them."""
    return native.variants()


def encode_base32(data: ReadableBuffer) -> str:
    """Return *data* in ``ceil(8 * size / 5)`` digits; no data gives an empty text."""
    return native.encode(_bytes_in(data)).decode("ascii")


def decode_base32(text: str) -> bytes:
    """Return the bytes of *text*; only the one text that `encode_base32` writes is accepted.

    Raises CorruptDataError with the index of the wrong symbol.
    """
    try:
        digits = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise CorruptDataError("not a digit of Nix's base 32", offset=error.start) from error
    return native.decode(digits)


def encode_base32_batch(digests: ReadableBuffer, *, size: int = 32, kernel: str = "auto") -> bytes:
    """Return the ASCII digits of all values of *size* bytes in *digests*, packed: ``ceil(8 * size / 5)`` bytes each.

    Raises CorruptDataError where the last value is cut short, ConfigError for a *kernel* that cannot run here.
    """
    return native.encode_batch(_bytes_in(digests), size, kernel)


def encode_base32_texts(digests: ReadableBuffer, *, size: int = 32, kernel: str = "auto") -> list[str]:
    """Return the same digits as `encode_base32_batch`, as a text for each value."""
    return native.encode_texts(_bytes_in(digests), size, kernel)


def decode_base32_batch(digits: ReadableBuffer, *, size: int = 32, kernel: str = "auto") -> bytes:
    """Return the values of *size* bytes whose ASCII digits stand packed in *digits*; the inverse of `encode_base32_batch`.

    Raises CorruptDataError with the offset in *digits* of the first symbol that is wrong, or where the last value is cut
    short; ConfigError for a *kernel* that cannot run here.
    """
    return native.decode_batch(_bytes_in(digits), size, kernel)


def _bytes_in(data: ReadableBuffer) -> ReadableBuffer:
    """Return *data* as bytes, whatever its items are; TypeError where they do not lie side by side."""
    return data if type(data) is bytes else memoryview(data).cast("B")
