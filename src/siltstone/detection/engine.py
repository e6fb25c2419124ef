"""Bytes to matches: anchors by the literal kernel, expressions on windows around them, then the checks of the rule.

The result equals what each expression finds in the whole blob.  Why: every match contains an anchor (proved when the rule
is made) and is at most `Rule.max_length` bytes long, so with the widths W and anchors at a it lies in [a - W, a + W).
Windows that touch are joined; outside the joined windows no match exists, none crosses their borders, and at each
position where a match can start the window holds the W bytes that decide how it ends.  Assertions see the whole blob.

Pure: the same bytes and rules give the same sorted matches, however blobs are cut into blocks.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siltstone._native.literals import LiteralMatcher
from siltstone.detection.confirm import Confirmer
from siltstone.detection.findings import DEFAULT_KEY, Match, check_key, fingerprint, redact
from siltstone.detection.rules import Rule, RuleSet
from siltstone.gitobjects.ids import ObjectId

if TYPE_CHECKING:
    from siltstone.gitobjects.object_database import ObjectBlock

IGNORE_MARKERS = (b"siltstone:ignore", b"gitleaks:allow")
LINE_REACH = 4_096  # bytes before and after a match in which its line is looked at: a minified file has no short lines
_HITS_AT_ONCE = 1 << 20  # 16 MiB of hit records
_HIT = np.dtype([("segment", "u4"), ("literal", "u4"), ("offset", "i8")])


@dataclass(frozen=True, slots=True)
class _Checked:
    """A rule ready to run; *reach* bounds a match, *shortest* is its shortest anchor."""

    rule: Rule
    expression: Confirmer
    allow: tuple[Confirmer, ...]
    keywords: tuple[bytes, ...]
    reach: int
    shortest: int


class Engine:
    """Rules compiled for searching; immutable, threads may share it."""

    def __init__(self, rules: RuleSet, *, key: bytes = DEFAULT_KEY, variant: str = "auto") -> None:
        """Compile *rules*; *key* is for fingerprints, *variant* forces a variant of the literal kernel."""
        check_key(key)
        self.rules = rules
        self._key = key
        self._checked = tuple(_compile(rule) for rule in rules)
        owners: dict[bytes, list[int]] = {}
        for number, rule in enumerate(rules):
            for anchor in dict.fromkeys(anchor.lower().encode() for anchor in rule.anchors):
                owners.setdefault(anchor, []).append(number)
        self._matcher = LiteralMatcher(owners, variant)
        self._owner_count = np.array([len(numbers) for numbers in owners.values()], dtype=np.int64)
        self._owner_first = np.cumsum(self._owner_count) - self._owner_count
        self._owners = np.array([number for numbers in owners.values() for number in numbers], dtype=np.int64)
        self._reach = np.array([entry.reach for entry in self._checked], dtype=np.int64)
        self._shortest = np.array([entry.shortest for entry in self._checked], dtype=np.int64)

    @property
    def variant(self) -> str:
        """The variant of the literal kernel that runs."""
        return str(self._matcher.variant)

    def search(self, data: bytes, blob: ObjectId = ObjectId(b"")) -> list[Match]:  # noqa: B008 - an immutable value
        """Return the matches in *data*, sorted."""
        bounds = np.array([0], dtype=np.int64), np.array([len(data)], dtype=np.int64)
        return self._search(data, *bounds, lambda _: blob)

    def search_block(self, block: ObjectBlock, chosen: Any = None) -> list[Match]:
        """Return the matches in the objects of *block*, sorted; *chosen*: the numbers of the objects to look at."""
        starts, ends = np.asarray(block.starts), np.asarray(block.ends)
        if chosen is None:
            return self._search(block.data, starts, ends, block.oid)
        numbers = np.asarray(chosen, dtype=np.int64)
        return self._search(block.data, starts[numbers], ends[numbers], lambda i: block.oid(int(numbers[i])))

    def _search(self, data: Any, starts: Any, ends: Any, name_of: Callable[[int], ObjectId]) -> list[Match]:
        matches: list[Match] = []
        view, first, count = memoryview(data), 0, len(starts)
        while first < count:
            packed, done = self._matcher.search(view, starts, ends, first, _HITS_AT_ONCE)
            hits = np.frombuffer(packed, dtype=_HIT)
            for segment, windows in _by_segment(self._windows(hits, ends - starts)):
                text = view[int(starts[segment]) : int(ends[segment])]
                matches += self._confirm(text, windows, name_of(segment))
            if done == first:  # one blob with more hits than fit: every rule looks at all of it
                text = view[int(starts[done]) : int(ends[done])]
                everywhere = [(number, 0, len(text)) for number in range(len(self._checked))]
                matches += self._confirm(text, everywhere, name_of(done))
                done += 1
            first = done
        return sorted(matches)

    def _windows(self, hits: Any, sizes: Any) -> list[tuple[int, int, int, int]]:
        """Return (segment, rule, start, end) for each joined window, sorted by segment and rule."""
        if not len(hits):
            return []
        counts = self._owner_count[hits["literal"]]
        hit = np.repeat(np.arange(len(hits)), counts)
        within = np.arange(len(hit)) - np.repeat(np.cumsum(counts) - counts, counts)
        rule = self._owners[self._owner_first[hits["literal"]][hit] + within]
        segment, offset = hits["segment"][hit].astype(np.int64), hits["offset"][hit]
        order = np.lexsort((offset, rule, segment))
        rule, segment, offset = rule[order], segment[order], offset[order]
        start = np.maximum(0, offset + self._shortest[rule] - self._reach[rule])
        end = np.minimum(sizes[segment], offset + self._reach[rule])
        opens = np.ones(len(start), dtype=bool)
        opens[1:] = (segment[1:] != segment[:-1]) | (rule[1:] != rule[:-1]) | (start[1:] > end[:-1])
        firsts = np.flatnonzero(opens)
        lasts = np.append(firsts[1:], len(start)) - 1
        columns = (segment[firsts], rule[firsts], start[firsts], end[lasts])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _confirm(self, text: memoryview, windows: list[tuple[int, int, int]], blob: ObjectId) -> list[Match]:
        found: list[tuple[int, int, int, int, int]] = []
        for number, start, end in windows:
            entry = self._checked[number]
            for (begin, stop), (first, last) in entry.expression.spans(text, start, end, entry.rule.secret_group):
                if first >= 0:
                    found.append((first, last, number, begin, stop))
        return list(self._accept(text, sorted(found), blob)) if found else []

    def _accept(
        self, text: memoryview, found: list[tuple[int, int, int, int, int]], blob: ObjectId
    ) -> Iterator[Match]:
        """Yield the found secrets that pass the checks of their rules; *found* is sorted by place."""
        whole = bytes(text)
        line, counted = 1, 0
        for first, last, number, begin, stop in found:
            entry, secret = self._checked[number], whole[first:last]
            if not _passes(entry, secret, _lines_around(whole, begin, stop)):
                continue
            line += whole.count(b"\n", counted, first)
            counted = first
            column = first - whole.rfind(b"\n", 0, first)
            yield Match(blob, first, last, entry.rule.id, line, column, redact(secret),
                        fingerprint(self._key, entry.rule.id, secret))


def entropy(secret: bytes) -> float:
    """Return the Shannon entropy of *secret* in bits per byte, 0 for an empty one."""
    size = len(secret)
    return -sum(count / size * math.log2(count / size) for count in Counter(secret).values()) if size else 0.0


def _compile(rule: Rule) -> _Checked:
    return _Checked(
        rule, Confirmer(rule.pattern), tuple(Confirmer(pattern) for pattern in rule.allow),
        tuple(word.lower().encode() for word in rule.keywords), rule.max_length,
        min(len(anchor) for anchor in rule.anchors))


def _passes(entry: _Checked, secret: bytes, lines: bytes) -> bool:
    """Return whether a secret meets the entropy, keywords, allow list and markers of its rule."""
    if entropy(secret) < entry.rule.entropy or any(marker in lines for marker in IGNORE_MARKERS):
        return False
    if entry.keywords and not any(word in lines.lower() for word in entry.keywords):
        return False
    return not any(allowed.found_in(secret) for allowed in entry.allow)


def _lines_around(text: bytes, begin: int, stop: int) -> bytes:
    """Return the lines that a match touches, at most LINE_REACH bytes on either side."""
    low, high = max(0, begin - LINE_REACH), min(len(text), stop + LINE_REACH)
    start = text.rfind(b"\n", low, begin) + 1 or low
    end = text.find(b"\n", max(begin, stop - 1), high)
    return text[start : high if end < 0 else end]


def _by_segment(windows: list[tuple[int, int, int, int]]) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """Yield each segment with its windows."""
    at = 0
    while at < len(windows):
        segment, stop = windows[at][0], at
        while stop < len(windows) and windows[stop][0] == segment:
            stop += 1
        yield segment, [window[1:] for window in windows[at:stop]]
        at = stop


assert _HIT.itemsize == struct.calcsize("=IIq")
