"""Regular expressions as trees: how long a match can be, how many groups there are, what a match must contain.

Reads the part of RE2's syntax that a rule may use (https://github.com/google/re2/wiki/Syntax): no lookaround, no
backreference, no Unicode class, no ``\\Q``.  What it does not read is refused, so a stated width is never a guess.
Nothing is matched here; see `siltstone.detection.confirm`.
"""

from __future__ import annotations

from dataclasses import dataclass

from siltstone.core.errors import ConfigError

UNBOUNDED = 1 << 40  # bytes; more than any input, small enough that sums stay exact
_MAX_REPEAT = 1_000  # RE2 refuses more
_MAX_DEPTH = 50
_ANY = frozenset(range(256))
_DIGITS = frozenset(b"0123456789")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE = frozenset(b"\t\n\f\r ")
_CLASSES = {"d": _DIGITS, "D": _ANY - _DIGITS, "w": _WORD, "W": _ANY - _WORD, "s": _SPACE, "S": _ANY - _SPACE}
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7}
_EMPTY_ESCAPES = "bBAz"


@dataclass(frozen=True, slots=True)
class Chars:
    """One byte out of *choices*."""

    choices: frozenset[int]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Every part, one after the other; no part: the empty string, also an assertion such as ``\\b``."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the branches."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """*body*, *minimum* to *maximum* times."""

    body: Node
    minimum: int
    maximum: int


Node = Chars | Sequence | Choice | Repeat


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; *groups* counts the capturing ones."""

    pattern: str
    root: Node
    groups: int

    @property
    def width(self) -> tuple[int, int]:
        """The fewest and the most bytes of a match; `UNBOUNDED` or more where there is no limit."""
        return _width(self.root)


def parse_expression(pattern: str) -> Expression:
    """Return the tree of *pattern*. Raises ConfigError, with the place, for what a rule may not use."""
    if not pattern.isascii():
        raise ConfigError("an expression is ASCII; write other bytes as \\xNN", field="pattern")
    parser = _Parser(pattern)
    root = parser.choice(0)
    if parser.at < len(pattern):
        raise parser.error("unbalanced )")
    return Expression(pattern, root, parser.groups)


def _width(node: Node) -> tuple[int, int]:
    if isinstance(node, Chars):
        return 1, 1
    if isinstance(node, Sequence):
        widths = [_width(part) for part in node.parts]
        return sum(low for low, _ in widths), sum(high for _, high in widths)
    if isinstance(node, Choice):
        widths = [_width(branch) for branch in node.branches]
        return min(low for low, _ in widths), max(high for _, high in widths)
    low, high = _width(node.body)
    return low * node.minimum, high * node.maximum


class _Parser:
    """One pass over a pattern; `at` is the next character."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.groups = pattern, 0, 0

    def error(self, problem: str) -> ConfigError:
        return ConfigError(f"{problem} at character {self.at}", field="pattern")

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def take(self) -> str:
        if self.at >= len(self.pattern):
            raise self.error("the expression ends early")
        self.at += 1
        return self.pattern[self.at - 1]

    def choice(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self.error("groups are nested too deeply")
        branches = [self.sequence(depth)]
        while self.peek("|"):
            self.at += 1
            branches.append(self.sequence(depth))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self.repeated(self.atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atom(self, depth: int) -> Node:
        first = self.take()
        if first == "(":
            return self.group(depth)
        if first == "[":
            return self.bracket()
        if first == "\\":
            return self.escape()
        if first in "^$":
            return Sequence()
        if first in "*+?":
            raise self.error("a repeat has nothing before it")
        return Chars(_ANY if first == "." else frozenset(first.encode()))

    def group(self, depth: int) -> Node:
        if self.peek("?"):
            end = min((at for at in (self.pattern.find(mark, self.at) for mark in ":)>") if at >= 0), default=-1)
            head = self.pattern[self.at + 1 : end + 1]
            self.at = end + 1
            if head[-1:] == ">" and head.startswith(("P<", "<")) and head[:2] not in ("<=", "<!"):
                self.groups += 1
            elif head.strip("ims-U") == ")":
                return Sequence()
            elif head.strip("ims-U") != ":":
                raise self.error("this kind of group is not supported")
        else:
            self.groups += 1
        body = self.choice(depth + 1)
        if not self.peek(")"):
            raise self.error("a group is not closed")
        self.at += 1
        return body

    def repeated(self, node: Node) -> Node:
        while self.at < len(self.pattern) and self.pattern[self.at] in "*+?{":
            mark = self.take()
            if mark == "{":
                low, high = self.bounds()
            else:
                low, high = {"*": (0, UNBOUNDED), "+": (1, UNBOUNDED), "?": (0, 1)}[mark]
            if self.peek("?"):
                self.at += 1
            node = Repeat(node, low, high)
        return node

    def bounds(self) -> tuple[int, int]:
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at : max(end, self.at)].partition(",")
        if end < 0 or not low.isdigit() or (high and not high.isdigit()):
            raise self.error("expected {n}, {n,} or {n,m}; write a brace as \\{")
        self.at = end + 1
        least = int(low)
        most = int(high) if high else (UNBOUNDED if comma else least)
        if least > _MAX_REPEAT or (most > _MAX_REPEAT and high) or most < least:
            raise self.error(f"a repeat is at most {_MAX_REPEAT} and not reversed")
        return least, most

    def escape(self) -> Node:
        letter = self.take()
        if letter in _EMPTY_ESCAPES:
            return Sequence()
        if letter in _CLASSES:
            return Chars(_CLASSES[letter])
        return Chars(frozenset((self.byte(letter),)))

    def byte(self, letter: str) -> int:
        """Return the one byte that an escape stands for."""
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "x":
            digits = self.take() + self.take()
            try:
                return int(digits, 16)
            except ValueError:
                raise self.error("expected \\xNN") from None
        if letter.isalnum():
            raise self.error(f"\\{letter} is not supported")
        return ord(letter)

    def bracket(self) -> Node:
        negated = self.peek("^")
        self.at += negated
        choices: set[int] = set()
        first = True
        while first or not self.peek("]"):
            first = False
            choices |= self.bracket_item()
        self.at += 1
        return Chars(_ANY - choices if negated else frozenset(choices))

    def bracket_item(self) -> frozenset[int]:
        low = self.bracket_byte()
        if isinstance(low, frozenset) or not self.peek("-") or self.peek("-]"):
            return low if isinstance(low, frozenset) else frozenset((low,))
        self.at += 1
        high = self.bracket_byte()
        if isinstance(high, frozenset) or high < low:
            raise self.error("a range is reversed")
        return frozenset(range(low, high + 1))

    def bracket_byte(self) -> int | frozenset[int]:
        letter = self.take()
        if letter == "[" and self.peek(":"):
            raise self.error("a named class is not supported")
        if letter != "\\":
            return ord(letter)
        letter = self.take()
        return _CLASSES[letter] if letter in _CLASSES else self.byte(letter)
