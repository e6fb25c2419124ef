"""Paths of a repository as text, so that every byte can be had back.

A path is bytes, in git as here. On a screen it is quoted as git quotes it (quote.c: ``core.quotePath``), in JSON it is
``path`` where it is UTF-8 and ``path_b64`` where it is not: never both, never a replacement character.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from siltstone.core.errors import CorruptDataError

_SPECIAL = re.compile(rb'[^ -~]|["\\]')  # with core.quotePath on, git's default
_SPECIAL_BELOW_128 = re.compile(rb'[\x00-\x1f\x7f"\\]')  # with core.quotePath off
_LETTERS = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}
_ESCAPED = {byte: b"\\" + _LETTERS[byte] if byte in _LETTERS else b"\\%03o" % byte for byte in range(256)}
_ESCAPES = re.compile(rb'\\([0-3][0-7]{2}|[abtnvfr"\\])|["\\]', re.DOTALL)
_BYTES = {letter: bytes([byte]) for byte, letter in _LETTERS.items()}


def quote_path(path: bytes, *, keep_high: bool = False) -> bytes:
    """Return *path* as git prints it: in double quotes with escapes where a byte is special, else as it is.

    *keep_high* leaves bytes from 128 on alone, as ``core.quotePath=false`` does.
    """
    special = _SPECIAL_BELOW_128 if keep_high else _SPECIAL
    if not special.search(path):
        return path
    return b'"' + special.sub(lambda match: _ESCAPED[match[0][0]], path) + b'"'


def unquote_path(text: bytes) -> bytes:
    """Return the path that `quote_path` printed as *text*, under either setting; text without quotes is the path.

    Raises CorruptDataError where the quotes do not close or an escape is none that git writes.
    """
    if not text.startswith(b'"'):
        return text
    if len(text) < 2 or not text.endswith(b'"'):
        raise CorruptDataError("quotes are not closed", offset=len(text))

    def unescape(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        if escape is None:
            raise CorruptDataError("not an escape of a quoted path", offset=1 + match.start())
        return _BYTES.get(escape) or bytes([int(escape, 8)])

    return _ESCAPES.sub(unescape, text[1:-1])


def path_fields(path: bytes) -> dict[str, str]:
    """Return what JSON says of *path*: ``path``, or ``path_b64`` (RFC 4648) where the bytes are not UTF-8."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path_b64": base64.b64encode(path).decode("ascii")}


def path_of_fields(fields: Mapping[str, object]) -> bytes:
    """Return the path that `path_fields` wrote. Raises CorruptDataError where *fields* have none that reads."""
    plain, coded = fields.get("path"), fields.get("path_b64")
    try:
        if isinstance(plain, str) and coded is None:
            return plain.encode("utf-8")
        if isinstance(coded, str) and plain is None:
            return base64.b64decode(coded, validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise CorruptDataError(f"path does not read: {error}") from error
    raise CorruptDataError("expected one of 'path' and 'path_b64'")


def path_text(path: bytes) -> str:
    """Return *path* for a line of text: printable UTF-8 as it is, everything else quoted as git quotes it."""
    try:
        text = quote_path(path, keep_high=True).decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    return text if text.isprintable() and (text or not path) else quote_path(path).decode("ascii")
