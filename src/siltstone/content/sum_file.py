"""Lines of digests and names, as b3sum and sha256sum write and check them.

``DIGEST  NAME``, or ``DIGEST *NAME``.  Where a name has a line feed, a carriage return or a backslash, the line begins with a
backslash and the name is escaped, as coreutils do.  We escape in the same way what is no text in UTF-8 and what steers a
terminal, as ``\\xNN``: other programs do not read those lines, ours does.
"""

from __future__ import annotations

import os
import re
from typing import Final

from siltstone.core.errors import CorruptDataError

LONGEST_LINE: Final = 1 << 16  # bytes; a path of Linux has at most 4,096
_UNSAFE: Final = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPE: Final = re.compile(rb"\\(\\|n|r|x[0-9a-f]{2})?")
_SHORT: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_LONG: Final = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}
_LINE: Final = re.compile(rb"(?s)(\\?)([^ \\]+) [ *](.+)")


def format_sum_line(digits: str, name: str) -> str:
    """Return the line for the file *name*, without a line feed; it is text that any terminal can show."""
    escaped = escape_name(name)
    return f"{digits}  {name}" if escaped == name else f"\\{digits}  {escaped}"


def escape_name(name: str) -> str:
    """Return *name* as it stands in a line that begins with a backslash."""
    return _UNSAFE.sub(_escaped, name)


def parse_sum_line(line: bytes) -> tuple[str, str]:
    """Return the digits and the name of a *line*, its end of line removed or not.

    Raises CorruptDataError; whether the digits are a digest is for `parse_hash` to say.
    """
    if len(line) > LONGEST_LINE:
        raise CorruptDataError(f"a line of more than {LONGEST_LINE:,} bytes", offset=LONGEST_LINE)
    found = _LINE.fullmatch(line.removesuffix(b"\n").removesuffix(b"\r"))
    if found is None:
        raise CorruptDataError("expected a digest, two spaces and a name", offset=0)
    mark, digits, name = found.groups()
    if mark:
        name = _ESCAPE.sub(lambda one: _unescaped(one, found.start(3)), name)
    if b"\0" in name:
        raise CorruptDataError("no file has a zero byte in its name", offset=found.start(3))
    try:
        return digits.decode("ascii"), os.fsdecode(name)
    except UnicodeDecodeError as error:
        raise CorruptDataError("the digest is no text", offset=error.start) from None


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return _SHORT.get(character) or "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def _unescaped(found: re.Match[bytes], base: int) -> bytes:
    code = found[1]
    if code is None:
        raise CorruptDataError("an escape that is none of \\\\, \\n, \\r, \\xNN", offset=base + found.start())
    return _LONG.get(code) or bytes.fromhex(code[1:].decode("ascii"))
