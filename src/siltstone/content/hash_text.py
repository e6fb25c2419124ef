"""How a hash is written: base 16, Nix's base 32, base 64 and SRI, with the name of its function before it or without.

``sha256:<digits>`` is Nix's own form and tells the base by its length (libutil/hash.cc, `Hash::parseAny`);
``sha256-<base 64>`` is SRI (W3C Subresource Integrity, section 3.1).  Every text that is accepted stands for one digest, and
apart from letter case in base 16 and the padding of base 64 each digest has one text in each style.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from siltstone.content.base32 import decode_base32, encode_base32
from siltstone.core.errors import ConfigError, CorruptDataError

DIGEST_SIZES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "blake3": 32}  # DO NOT CHANGE: names are stored
STYLES: Final = ("sri", "nix32", "base16", "base64")
LONGEST_TEXT: Final = 160  # "sha512:" and 128 digits, with room; a longer text is refused unread


@dataclass(frozen=True, slots=True)
class Hash:
    """A digest, and the name of the function that gave it (a key of `DIGEST_SIZES`)."""

    algorithm: str
    digest: bytes

    def __post_init__(self) -> None:
        size = _size_of(self.algorithm)
        if len(self.digest) != size:
            raise ConfigError(f"{self.algorithm} has {size} bytes, got {len(self.digest)}", field="digest")

    def __str__(self) -> str:
        return format_hash(self)


def format_hash(value: Hash, style: str = "sri", *, prefix: bool = True) -> str:
    """Return *value* in one of `STYLES`: ``sha256-…=`` as SRI, else ``sha256:…``, or the digits alone without *prefix*.

    Raises ConfigError for another style, and for SRI without its prefix.
    """
    if style == "sri":
        if not prefix:
            raise ConfigError("SRI always names its function: base64 has the digits alone", field="prefix")
        return f"{value.algorithm}-{_encode_base64(value.digest)}"
    if style == "nix32":
        digits = encode_base32(value.digest)
    elif style == "base16":
        digits = value.digest.hex()
    elif style == "base64":
        digits = _encode_base64(value.digest)
    else:
        raise ConfigError(f"expected one of {', '.join(STYLES)}, got {style!r}", field="style")
    return f"{value.algorithm}:{digits}" if prefix else digits


def parse_hash(text: str, algorithm: str | None = None) -> Hash:
    """Return the hash that *text* stands for, in any style; padding of base 64 may be absent.

    With *algorithm* the digits may stand alone, and another function is refused.  Raises CorruptDataError with the offset
    of what is wrong, ConfigError for an unknown *algorithm*.
    """
    if algorithm is not None:
        _size_of(algorithm)
    if len(text) > LONGEST_TEXT:
        raise CorruptDataError(f"a hash has at most {LONGEST_TEXT} characters, got {len(text):,}", offset=LONGEST_TEXT)
    name, separator, digits = _split(text)
    if not separator:
        if algorithm is None:
            raise CorruptDataError("the hash does not name its function, as in sha256:…", offset=0)
        name = algorithm
    if name not in DIGEST_SIZES:
        raise CorruptDataError(f"no hash function is named {name[:16]!r}", offset=0)
    if algorithm is not None and name != algorithm:
        raise CorruptDataError(f"expected a {algorithm} hash, got {name}", offset=0)
    start = len(text) - len(digits)
    try:
        return Hash(name, _decode(digits, DIGEST_SIZES[name], sri=separator == "-"))
    except CorruptDataError as error:
        raise error.within("", start) from None


def _split(text: str) -> tuple[str, str, str]:
    """Return name, separator and digits; no digits of any base hold a separator."""
    for separator in ":-":
        name, found, digits = text.partition(separator)
        if found:
            return name, separator, digits
    return "", "", text


def _decode(digits: str, size: int, *, sri: bool) -> bytes:
    whole = 4 * ((size + 2) // 3)
    bare = (8 * size + 5) // 6
    if len(digits) in (whole, bare):  # no size of a digest has the same length in two bases
        return _decode_base64(digits, size)
    if not sri and len(digits) == 2 * size:
        return _decode_base16(digits)
    if not sri and len(digits) == (8 * size + 4) // 5:
        return decode_base32(digits)
    raise CorruptDataError(f"{len(digits)} digits are not {size} bytes in any base", offset=len(digits))


def _decode_base16(digits: str) -> bytes:
    wrong = next((at for at, digit in enumerate(digits) if digit not in "0123456789abcdefABCDEF"), None)
    if wrong is not None:
        raise CorruptDataError("not a digit of base 16", offset=wrong)
    return bytes.fromhex(digits)


def _decode_base64(digits: str, size: int) -> bytes:
    padded = digits.rstrip("=") if len(digits) % 4 == 0 else digits
    padded += "=" * (-len(padded) % 4)
    try:
        data = base64.b64decode(padded.encode("ascii"), validate=True)
    except UnicodeEncodeError as error:
        raise CorruptDataError("not a digit of base 64", offset=error.start) from error
    except binascii.Error as error:
        raise CorruptDataError("not base 64", offset=0) from error
    if len(data) != size or _encode_base64(data) != padded:  # the last digit has bits that no byte holds
        raise CorruptDataError("not the one base 64 text of any digest", offset=len(digits) - 1)
    return data


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _size_of(algorithm: str) -> int:
    try:
        return DIGEST_SIZES[algorithm]
    except KeyError:
        known = ", ".join(DIGEST_SIZES)
        raise ConfigError(f"expected one of {known}, got {algorithm!r}", field="algorithm") from None
