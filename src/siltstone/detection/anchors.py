"""Proof that every match of an expression contains one of its anchors.

The engine looks for an expression only near its anchors, so an anchor that a match can do without loses findings in
silence.  `prove_anchors` decides from the tree alone; what it cannot prove is refused, which is safe.
"""

from __future__ import annotations

from collections.abc import Sequence

from siltstone.detection import expressions
from siltstone.detection.expressions import Chars, Choice, Expression, Node, Repeat

_MAX_STRINGS = 4_096  # texts that are written out to test a part; beyond it the part counts as not provable


def prove_anchors(expression: Expression, anchors: Sequence[bytes]) -> bool:
    """Return whether it is proved that every match contains an anchor, ASCII letters in either case."""
    return _always_contains(expression.root, tuple(anchor.lower() for anchor in anchors))


def _always_contains(node: Node, anchors: tuple[bytes, ...]) -> bool:
    strings = _strings(node)
    if strings is not None:
        return all(any(anchor in string for anchor in anchors) for string in strings)
    if isinstance(node, Choice):
        return all(_always_contains(branch, anchors) for branch in node.branches)
    if isinstance(node, Repeat):
        return node.minimum > 0 and _always_contains(node.body, anchors)
    if isinstance(node, expressions.Sequence):
        return any(_always_contains(part, anchors) for part in node.parts) or _run_contains(node.parts, anchors)
    return False


def _run_contains(parts: tuple[Node, ...], anchors: tuple[bytes, ...]) -> bool:
    """Return whether some run of neighbouring parts, written out, always contains an anchor."""
    for first in range(len(parts)):
        run: frozenset[bytes] | None = frozenset((b"",))
        for part in parts[first:]:
            run = _joined(run, _strings(part))
            if run is None:
                break
            if all(any(anchor in string for anchor in anchors) for string in run):
                return True
    return False


def _strings(node: Node) -> frozenset[bytes] | None:
    """Return every text that *node* matches, folded, or None where there are too many."""
    if isinstance(node, Chars):
        return frozenset(bytes((byte,)).lower() for byte in node.choices)
    if isinstance(node, Choice):
        together: set[bytes] = set()
        for branch in node.branches:
            strings = _strings(branch)
            if strings is None:
                return None
            together |= strings
        return frozenset(together) if len(together) <= _MAX_STRINGS else None
    if isinstance(node, Repeat):
        return _repeated(node)
    run: frozenset[bytes] | None = frozenset((b"",))
    for part in node.parts:
        run = _joined(run, _strings(part))
    return run


def _repeated(node: Repeat) -> frozenset[bytes] | None:
    body = _strings(node.body)
    if body is None or node.maximum > 16:
        return None
    together: set[bytes] = set()
    run: frozenset[bytes] | None = frozenset((b"",))
    for count in range(node.maximum + 1):
        if run is None:
            return None
        if count >= node.minimum:
            together |= run
        run = _joined(run, body)
    return frozenset(together) if len(together) <= _MAX_STRINGS else None


def _joined(left: frozenset[bytes] | None, right: frozenset[bytes] | None) -> frozenset[bytes] | None:
    if left is None or right is None or len(left) * len(right) > _MAX_STRINGS:
        return None
    return frozenset(head + tail for head in left for tail in right)
