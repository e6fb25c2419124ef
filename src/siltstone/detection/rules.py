"""Rules: what a secret looks like, where to look for it, and what to leave alone.

A `Rule` is checked once, when it is made: its expression has a bounded width, its anchors are proved sound, its groups
exist.  So the engine can trust it.  Our own rules are data, in ``rules.json``; `load_rules` reads files of that shape.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from siltstone.core.errors import ConfigError
from siltstone.detection.anchors import prove_anchors
from siltstone.detection.confirm import Confirmer
from siltstone.detection.examples import expand_example
from siltstone.detection.expressions import UNBOUNDED, Expression, parse_expression

SEVERITIES = ("low", "medium", "high", "critical")
MAX_WIDTH = 4_096  # bytes of a match; windows around anchors are twice as long
_SEMANTICS = 1  # raise it when the engine finds something else for the same rule: states of older scans are then not used


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of secret.

    *pattern* is an RE2 expression over bytes.  Every match contains one of *anchors* (ASCII letters in either case).
    The secret is the group *secret_group*, 0 for the whole match.  *entropy* is the least Shannon entropy of the secret
    in bits per byte.  Where *keywords* are given, one must stand in the lines of the match.  A secret in which an
    expression of *allow* occurs is no secret.  A *generic* rule yields to another rule that finds the same bytes.
    """

    id: str
    name: str
    pattern: str
    anchors: tuple[str, ...]
    secret_group: int = 0
    entropy: float = 0.0
    keywords: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    severity: str = "high"
    generic: bool = False
    positive: tuple[str, ...] = field(default=(), compare=False)
    negative: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        try:
            self._check()
        except ConfigError as error:
            raise ConfigError(f"rule {self.id!r}: {error}", field="rule") from None

    def _check(self) -> None:
        if not self.id or not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in self.id):
            raise ConfigError("expected ASCII letters, digits, '-', '_' and '.'", field="id")
        if self.severity not in SEVERITIES:
            raise ConfigError(f"expected one of {', '.join(SEVERITIES)}", field="severity")
        if not 0 <= self.entropy <= 8:
            raise ConfigError("expected 0 to 8 bits per byte", field="entropy")
        expression = parse_expression(self.pattern)
        least, most = expression.width
        if least == 0 or most > MAX_WIDTH:
            shown = "without limit" if most >= UNBOUNDED else f"{least} to {most} bytes"
            raise ConfigError(f"a match has 1 to {MAX_WIDTH} bytes, this one {shown}", field="pattern")
        if not 0 <= self.secret_group <= expression.groups:
            raise ConfigError(f"the expression has {expression.groups} groups", field="secret_group")
        self._check_anchors(expression)
        for pattern in (self.pattern, *self.allow):
            Confirmer(pattern)

    def _check_anchors(self, expression: Expression) -> None:
        if not all(anchor.isascii() and 2 <= len(anchor) <= 255 for anchor in self.anchors):
            raise ConfigError("an anchor has 2 to 255 ASCII characters", field="anchors")
        if not self.anchors or not prove_anchors(expression, [anchor.encode() for anchor in self.anchors]):
            raise ConfigError("not every match contains one of them", field="anchors")

    @property
    def max_length(self) -> int:
        """The most bytes that a match can have, from the expression."""
        return parse_expression(self.pattern).width[1]

    @property
    def digest(self) -> str:
        """Hex SHA-256 of all that decides what the rule finds; name, severity and examples do not."""
        fields = [_SEMANTICS, self.pattern, sorted(self.anchors), self.secret_group, float(self.entropy),
                  sorted(self.keywords), sorted(self.allow)]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


@dataclass(frozen=True)
class RuleSet:
    """Rules with distinct ids, kept sorted by id, so that the order they came in does not show anywhere."""

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) != len(ids):
            twice = sorted({name for name in ids if ids.count(name) > 1})
            raise ConfigError(f"used twice: {', '.join(twice)}", field="rule id")
        object.__setattr__(self, "rules", tuple(sorted(self.rules, key=lambda rule: rule.id)))

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> RuleSet:
        """Return a set of *rules*."""
        return cls(tuple(rules))

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def get(self, rule_id: str) -> Rule:
        """Return the rule of that id. Raises ConfigError where there is none."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise ConfigError(f"no rule {rule_id!r}", field="rule id")

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of each rule, by id."""
        return {rule.id: rule.digest for rule in self.rules}

    @property
    def digest(self) -> str:
        """Hex SHA-256 over the ids and digests of all rules."""
        return hashlib.sha256(json.dumps(sorted(self.digests.items())).encode()).hexdigest()


def load_rules(text: str | bytes) -> RuleSet:
    """Return the rules of a JSON document: ``allow`` (named lists of expressions) and ``rules``.

    Raises ConfigError for a document of another shape and for a rule that does not pass its checks.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"not a JSON document: {error}", field="rules") from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise ConfigError("expected an object with a list of rules", field="rules")
    return RuleSet.of(_rule_of(entry, document.get("allow", {})) for entry in document["rules"])


@cache
def default_rules() -> RuleSet:
    """Return our own rules."""
    return load_rules(files("siltstone.detection").joinpath("rules.json").read_bytes())


def _rule_of(entry: Any, shared: dict[str, list[str]]) -> Rule:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise ConfigError("a rule is an object with an id", field="rules")
    values = dict(entry)
    for name in ("anchors", "keywords", "positive", "negative"):
        values[name] = tuple(values.get(name, ()))
    values["allow"] = tuple(part for item in values.get("allow", ()) for part in shared.get(item, [item]))
    for kind in ("positive", "negative"):
        values[kind] = tuple(expand_example(text, f"{values['id']}/{kind}/{number}")
                             for number, text in enumerate(values[kind]))
    try:
        return Rule(**values)
    except TypeError:
        raise ConfigError(f"rule {values['id']!r} lacks a field or has an unknown one", field="rules") from None
