"""Which paths git ignores: ``.gitignore`` patterns and their precedence (gitignore, git's wildmatch), on bytes.

Matching takes time linear in pattern times name: patterns come from repositories that nobody vouches for, and one turned
into a regular expression can be made to run for hours.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ANY = frozenset(range(256))
_CLASSES = {
    b"alpha": string.ascii_letters, b"digit": string.digits, b"alnum": string.ascii_letters + string.digits,
    b"lower": string.ascii_lowercase, b"upper": string.ascii_uppercase, b"space": " \t\n\r\v\f", b"blank": " \t",
    b"punct": string.punctuation, b"xdigit": string.hexdigits, b"print": "".join(map(chr, range(32, 127))),
    b"graph": "".join(map(chr, range(33, 127))), b"cntrl": "".join(map(chr, [*range(32), 127])),
}  # fmt: skip
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Token = frozenset[int] | None  # the bytes that fit one place; None is a star
Segment = bytes | tuple[Token, ...] | None  # between two slashes: literal, with wildcards, or None for ``**``


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file; *segments* has one element where the pattern fits names at every level."""

    segments: tuple[Segment, ...]
    negated: bool
    folders_only: bool
    anchored: bool

    def matches(self, parts: Sequence[bytes], *, is_folder: bool) -> bool:
        """Whether the path *parts*, relative to the folder of the ignore file, fits this line."""
        if self.folders_only and not is_folder:
            return False
        if not self.anchored:
            return _fits(self.segments[0], parts[-1])
        return _fit_all(self.segments, parts)


class IgnoreFile:
    """The patterns of one file; the last that fits decides.

    A path is held only against patterns that may fit it, found by its name, its first folder or its end: a file of 200
    patterns costs as much as its wildcards that stand elsewhere.
    """

    def __init__(self, data: bytes) -> None:
        lines = data.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
        self._patterns = [pattern for line in reversed(lines) if (pattern := parse_pattern(line)) is not None]
        self._by_name: dict[bytes, list[int]] = {}
        self._by_first: dict[bytes, list[int]] = {}
        self._by_end: list[tuple[bytes, int]] = []
        self._others: list[int] = []
        for place, pattern in enumerate(self._patterns):
            first = pattern.segments[0]
            if isinstance(first, bytes):
                (self._by_first if pattern.anchored else self._by_name).setdefault(first, []).append(place)
            elif not pattern.anchored and (end := _literal_end(first)) is not None:
                self._by_end.append((end, place))
            else:
                self._others.append(place)

    def decide(self, parts: Sequence[bytes], *, is_folder: bool) -> bool | None:
        """Return True for ignored, False for included again, None where no pattern fits."""
        name = parts[-1]
        places = [
            *self._by_name.get(name, ()),
            *self._by_first.get(parts[0], ()),
            *[place for end, place in self._by_end if name.endswith(end)],
            *self._others,
        ]
        for place in sorted(places):
            if self._patterns[place].matches(parts, is_folder=is_folder):
                return not self._patterns[place].negated
        return None


class IgnoreRules:
    """The ignore files that apply inside one folder: its own, those above it, then the ones of the repository."""

    def __init__(self, levels: tuple[tuple[int, IgnoreFile], ...] = ()) -> None:
        self._levels = levels  # (depth of the folder that holds it, file), the one that decides first in front

    def below(self, depth: int, data: bytes | None) -> IgnoreRules:
        """Return the rules inside a folder *depth* levels down whose own ignore file holds *data*."""
        return self if data is None else IgnoreRules(((depth, IgnoreFile(data)), *self._levels))

    def ignores(self, parts: Sequence[bytes], *, is_folder: bool) -> bool:
        """Whether the path *parts* from the root is ignored, given that no folder above it is."""
        for depth, file in self._levels:
            decision = file.decide(parts[depth:], is_folder=is_folder)
            if decision is not None:
                return decision
        return False


def parse_pattern(line: bytes) -> Pattern | None:
    """Return the pattern of one line, or None for a comment, an empty line, or a pattern that never fits."""
    text = _strip_end(line.removesuffix(b"\r"))
    if not text or text.startswith(b"#"):
        return None
    negated = text.startswith(b"!")
    text = text[1:] if negated else text
    folders_only = text.endswith(b"/")
    text = text[:-1] if folders_only else text
    anchored = b"/" in text
    pieces = text.removeprefix(b"/").split(b"/")
    if not text or pieces == [b""]:
        return None
    try:
        segments = tuple(None if anchored and _is_any_depth(piece) else _parse_segment(piece) for piece in pieces)
    except ValueError:
        return None
    return Pattern(segments, negated, folders_only, anchored)


def _literal_end(segment: Segment) -> bytes | None:
    """Return what follows the star of ``*.ext``, or None for any other segment."""
    if not isinstance(segment, tuple) or not segment or segment[0] is not None:
        return None
    if not all(token is not None and len(token) == 1 for token in segment[1:]):
        return None
    return bytes(next(iter(token)) for token in segment[1:] if isinstance(token, frozenset))


def _is_any_depth(piece: bytes) -> bool:
    return len(piece) >= 2 and not piece.strip(b"*")


def _strip_end(line: bytes) -> bytes:
    """Drop trailing spaces, except one that a backslash protects."""
    kept = line.rstrip(b" ")
    slashes = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if slashes % 2 and len(kept) < len(line) else kept


def _parse_segment(text: bytes) -> Segment:
    """Return *text* as it is matched. Raises ValueError for one that git lets fit nothing."""
    tokens = tuple(_iter_tokens(text))
    if all(token is not None and len(token) == 1 for token in tokens):
        return bytes(next(iter(token)) for token in tokens if token)
    return tokens


def _iter_tokens(text: bytes) -> Iterator[Token]:
    at, star = 0, False
    while at < len(text):
        byte = text[at : at + 1]
        at += 1
        if byte == b"*":
            if not star:
                yield None
        elif byte == b"?":
            yield _ANY
        elif byte == b"[":
            fitting, at = _parse_bracket(text, at)
            yield fitting
        elif byte == b"\\":
            if at == len(text):
                raise ValueError("nothing follows a backslash")
            yield frozenset(text[at : at + 1])
            at += 1
        else:
            yield frozenset(byte)
        star = byte == b"*"


def _parse_bracket(text: bytes, at: int) -> tuple[frozenset[int], int]:
    """Return the bytes that ``[...]`` fits and the offset after it; *at* is after the opening bracket."""
    inverted = text[at : at + 1] in (b"!", b"^")
    first = at = at + inverted
    fitting: set[int] = set()
    while text[at : at + 1] != b"]" or at == first:
        if text[at : at + 2] == b"[:":
            end = text.find(b":]", at + 2)
            if end < 0 or text[at + 2 : end] not in _CLASSES:
                raise ValueError("unknown class")
            fitting.update(_CLASSES[text[at + 2 : end]].encode())
            at = end + 2
            continue
        low, at = _bracket_byte(text, at)
        if text[at : at + 1] == b"-" and text[at + 1 : at + 2] not in (b"]", b""):
            high, at = _bracket_byte(text, at + 1)
            fitting.update(range(low, high + 1))
        else:
            fitting.add(low)
    return (_ANY - fitting if inverted else frozenset(fitting)), at + 1


def _bracket_byte(text: bytes, at: int) -> tuple[int, int]:
    if text[at : at + 1] == b"\\":
        at += 1
    if at >= len(text):
        raise ValueError("a bracket is not closed")
    return text[at], at + 1


def _fits(segment: Segment, name: bytes) -> bool:
    """Whether one name fits one segment: on a mismatch only the last star is stretched, which is enough."""
    if isinstance(segment, bytes):
        return name == segment
    tokens = segment or (None,)
    place = at = 0
    star, resume = -1, 0
    while at < len(name):
        token = tokens[place] if place < len(tokens) else frozenset()
        if place < len(tokens) and token is None:
            star, resume = place, at
            place += 1
        elif token is not None and name[at] in token:
            place += 1
            at += 1
        elif star >= 0:
            resume += 1
            place, at = star + 1, resume
        else:
            return False
    return all(token is None for token in tokens[place:])


def _fit_all(segments: Sequence[Segment], parts: Sequence[bytes]) -> bool:
    """Whether a path fits; ``**`` stands for any number of folders, at the end for at least one name."""
    if segments[-1] is None:
        return len(parts) > 0 and any(_fit_all_of(segments[:-1], parts[:end]) for end in range(len(parts)))
    return _fit_all_of(segments, parts)


def _fit_all_of(segments: Sequence[Segment], parts: Sequence[bytes]) -> bool:
    place = at = 0
    star, resume = -1, 0
    while at < len(parts):
        if place < len(segments) and segments[place] is None:
            star, resume = place, at
            place += 1
        elif place < len(segments) and _fits(segments[place], parts[at]):
            place += 1
            at += 1
        elif star >= 0:
            resume += 1
            place, at = star + 1, resume
        else:
            return False
    return all(segment is None for segment in segments[place:])
