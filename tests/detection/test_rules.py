"""Rules: their own examples, their checks, their digests."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siltstone.core.errors import ConfigError
from siltstone.detection.engine import Engine
from siltstone.detection.examples import expand_example
from siltstone.detection.expressions import UNBOUNDED, parse_expression
from siltstone.detection.rules import Rule, RuleSet, default_rules, load_rules

RULES = default_rules()
EACH = pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)


def rule(**changes):
    values = {"id": "demo", "name": "Demo", "pattern": r"key_([a-z]{8})", "anchors": ("key_",), "secret_group": 1}
    return Rule(**{**values, **changes})


@EACH
def test_rule_finds_its_positive_examples_and_not_its_negative_ones(rule):
    engine = Engine(RuleSet.of([rule]))
    assert rule.positive
    assert rule.negative
    for text in rule.positive:
        assert engine.search(text.encode()), text
    for text in rule.negative:
        assert not engine.search(text.encode()), text


@EACH
def test_positive_example_contains_an_anchor_and_is_found_in_company(rule):
    for text in rule.positive:
        assert any(anchor.lower() in text.lower() for anchor in rule.anchors)
        found = Engine(RULES).search(b"line one\n" + text.encode() + b"\nline three")
        assert rule.id in {match.rule_id for match in found}


@EACH
@settings(deadline=None, derandomize=True, max_examples=10, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_generated_match_contains_an_anchor_and_fits_the_width(rule, data):
    text = data.draw(st.from_regex(re.compile(rule.pattern.encode()), fullmatch=True))
    assert any(anchor.lower().encode() in text.lower() for anchor in rule.anchors)
    assert len(text) <= rule.max_length


def test_there_are_enough_rules_and_each_severity_is_used():
    assert len(RULES) >= 40
    assert {rule.severity for rule in RULES} >= {"medium", "high", "critical"}


def test_no_rule_file_spells_out_a_match():
    from importlib.resources import files

    text = files("siltstone.detection").joinpath("rules.json").read_bytes()
    assert [match for match in Engine(RULES).search(text) if match.rule_id != "generic-secret"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "a b"},
        {"severity": "fatal"},
        {"entropy": 9.0},
        {"pattern": r"key_[a-z]+"},
        {"pattern": r"key_[a-z]{8,}"},
        {"pattern": r"(?:key_)?"},
        {"pattern": r"(?=key_)([a-z]{8})"},
        {"pattern": r"(key_)\1"},
        {"pattern": r"key_([a-z]{8}"},
        {"pattern": r"key_[a-z]{2000}"},
        {"pattern": r"key_(?:[a-z]{900}){9}x()"},
        {"pattern": "kéy_([a-z]{8})"},
        {"secret_group": 2},
        {"anchors": ()},
        {"anchors": ("k",)},
        {"anchors": ("secret",)},
        {"pattern": r"(?:key_|pin_)([a-z]{8})"},
        {"allow": ("(",)},
    ],
)
def test_rule_that_cannot_be_trusted_is_refused(changes):
    with pytest.raises(ConfigError, match=r"demo|''|a b"):
        rule(**changes)


@pytest.mark.parametrize(
    ("pattern", "width"),
    [
        (r"abc", (3, 3)),
        (r"a?b{2,5}(?:cd|e){3}", (5, 12)),
        (r"[]a]x[^\]-]\x41\.", (5, 5)),
        (r"(?i)\bab$", (2, 2)),
        (r"(?P<name>a)(?i:b)c*?", (2, 2 + UNBOUNDED)),
        (r"", (0, 0)),
        (r"a||b", (0, 1)),
    ],
)
def test_width_of_an_expression_is_computed(pattern, width):
    assert parse_expression(pattern).width == width


@EACH
def test_width_agrees_with_the_standard_library(rule):
    import re._parser as parser

    low, high = parser.parse(rule.pattern.encode()).getwidth()
    assert parse_expression(rule.pattern).width == (low, int(high))


def test_digest_follows_what_is_found_and_nothing_else():
    same = [rule(), rule(name="Other"), rule(severity="low"), rule(positive=("key_abcdefgh",))]
    other = [rule(entropy=1.0), rule(secret_group=0), rule(allow=("x",)), rule(keywords=("y",)),
             rule(pattern=r"key_([a-z]{9})"), rule(anchors=("ey_",))]
    assert len({entry.digest for entry in same}) == 1
    assert len({entry.digest for entry in [*same, *other]}) == 1 + len(other)
    assert RuleSet.of([rule(), rule(id="two")]).digest == RuleSet.of([rule(id="two"), rule()]).digest


def test_rule_ids_are_distinct_and_found():
    with pytest.raises(ConfigError, match="demo"):
        RuleSet.of([rule(), rule()])
    with pytest.raises(ConfigError):
        RULES.get("no-such-rule")
    assert RULES.get("npm-token").name == "npm token"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rules": [1]}', '{"rules": [{"id": "x"}]}',
                                  '{"rules": [{"id": "x", "name": "", "pattern": "ab", "anchors": ["ab"], "odd": 1}]}'])
def test_document_of_another_shape_is_refused(text):
    with pytest.raises(ConfigError):
        load_rules(text)


def test_rules_load_from_a_document():
    entry = {"id": "demo", "name": "Demo", "pattern": "key_([a-z]{8})", "anchors": ["key_"], "secret_group": 1,
             "allow": ["weak"], "positive": ["key<>_<lower:8>"]}
    loaded = load_rules(json.dumps({"allow": {"weak": ["^aaaa", "^bbbb"]}, "rules": [entry]}))
    assert loaded.get("demo").allow == ("^aaaa", "^bbbb")
    assert re.fullmatch("key_[a-z]{8}", loaded.get("demo").positive[0])


def test_examples_are_the_same_every_time_and_differ_by_name():
    assert expand_example("a<>b<hex:6>", "seed") == expand_example("ab<hex:6>", "seed")
    assert expand_example("<alnum:40>", "one") != expand_example("<alnum:40>", "two")
    assert len(expand_example("<base64:300>", "x")) == 300
    with pytest.raises(ConfigError):
        expand_example("<klingon:3>", "x")


def test_rule_is_a_value():
    assert rule() == rule()
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule().id = "other"
