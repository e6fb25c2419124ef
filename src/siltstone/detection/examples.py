"""Examples of secrets that no file spells out.

A file that holds something like a live credential is blocked or reported by hosting platforms.  So an example is a
template: ``<alnum:36>`` stands for 36 characters of an alphabet, drawn by a generator seeded with the name of the
example, and ``<>`` for nothing, which splits a fixed part.  The same name gives the same text, everywhere.
"""

from __future__ import annotations

import hashlib
import re
import string

from siltstone.core.errors import ConfigError

ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "lower": string.ascii_lowercase,
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "base32": string.ascii_uppercase + "234567",
    "upper": string.ascii_uppercase + string.digits,
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "bech32": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}
_PLACEHOLDER = re.compile(r"<(?:([a-z0-9]+):([0-9]{1,4}))?>")


def expand_example(template: str, seed: str) -> str:
    """Return *template* with each placeholder filled in. Raises ConfigError for an unknown alphabet."""
    drawn = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal drawn
        if match[1] is None:
            return ""
        if match[1] not in ALPHABETS:
            raise ConfigError(f"no alphabet {match[1]!r}", field="example")
        drawn += 1
        return _draw(ALPHABETS[match[1]], int(match[2]), f"{seed}/{drawn}")

    return _PLACEHOLDER.sub(fill, template)


def _draw(alphabet: str, count: int, seed: str) -> str:
    """Return *count* characters; SHA-256 of the seed and a counter, so that no library version changes them."""
    text = ""
    block = 0
    while len(text) < count:
        digest = hashlib.sha256(f"{seed}/{block}".encode()).digest()
        text += "".join(alphabet[byte % len(alphabet)] for byte in digest)
        block += 1
    return text[:count]
