"""The engine finds what each expression finds in the whole text, and tells no secret."""

from __future__ import annotations

import math
import random
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siltstone._native.literals import variants
from siltstone.core.errors import ConfigError
from siltstone.detection import engine as engine_module
from siltstone.detection.engine import Engine, entropy
from siltstone.detection.findings import fingerprint, redact
from siltstone.detection.rules import Rule, RuleSet, default_rules

RULES = default_rules()
ENGINE = Engine(RULES)


def bare(pattern, *anchors, group=0, **more):
    return Rule(id="bare", name="x", pattern=pattern, anchors=anchors, secret_group=group, **more)


def spans_by_re(rule, text):
    """The oracle: Python's `re` over the whole text; rules avoid what `re` and RE2 read differently."""
    return [match.span(rule.secret_group) for match in re.finditer(rule.pattern.encode(), text)
            if match.span(rule.secret_group)[0] >= 0]


def raw(rule):
    """The rule without the checks that follow the expression."""
    return Rule(id=rule.id, name=rule.name, pattern=rule.pattern, anchors=rule.anchors, secret_group=rule.secret_group)


RAW = [raw(rule) for rule in RULES]
RAW_ENGINE = Engine(RuleSet.of(RAW))
PIECES = [text.encode() for rule in RULES for text in (*rule.positive, *rule.negative)]
ANCHORS = [anchor.encode() for rule in RULES for anchor in rule.anchors]


@settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(ANCHORS), st.binary(max_size=6),
                          st.sampled_from([b"\n", b" ", b"=", b"'", b'"', b"A" * 40, b"." * 300])), max_size=25),
       st.randoms(use_true_random=False))
def test_engine_equals_a_full_scan_with_the_same_expressions(pieces, rng):
    text = b"".join(pieces)
    if pieces and rng.random() < 0.5:  # pieces that overlap each other's ends
        cut = rng.randrange(len(text) + 1)
        text = text[:cut] + text[max(0, cut - 5) :]
    expected = {(rule.id, span) for rule in RAW for span in spans_by_re(rule, text)}
    assert {(match.rule_id, (match.start, match.end)) for match in RAW_ENGINE.search(text)} == expected


TRICKY = RuleSet.of([
    Rule(id="greedy", name="x", pattern=r"ab[ab]{0,6}", anchors=("ab",)),
    Rule(id="lazy", name="x", pattern=r"ba[ab]{0,5}?b", anchors=("ba",)),
    Rule(id="choice", name="x", pattern=r"(?:bab|ba|babab)c?", anchors=("ba",)),
    Rule(id="edges", name="x", pattern=r"(?m)^ab{1,3}$|\Aba|\bcab\b|ca\z", anchors=("ab", "ba", "ca")),
    Rule(id="around", name="x", pattern=r"[^c]{0,4}cc[^a]{0,4}", anchors=("cc",)),
])


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.lists(st.sampled_from(b"aabbcc\n -"), max_size=120).map(bytes))
def test_windows_do_not_change_what_tricky_expressions_find(text):
    python = {"edges": r"(?m)^ab{1,3}$|\Aba|\bcab\b|ca\Z"}
    expected = {(rule.id, match.span()) for rule in TRICKY
                for match in re.finditer(python.get(rule.id, rule.pattern).encode(), text)}
    found = Engine(TRICKY).search(text)
    assert {(match.rule_id, (match.start, match.end)) for match in found} == expected
    assert len(found) == len(expected)


def test_result_does_not_depend_on_how_blobs_share_a_buffer():
    rng = random.Random(5)
    blobs = [b" ".join(rng.choices(PIECES, k=rng.randrange(6))) for _ in range(60)]
    alone = [match for number, blob in enumerate(blobs) for match in ENGINE.search(blob, bytes([number]) * 20)]
    ends = np.cumsum([len(blob) for blob in blobs])
    starts = ends - [len(blob) for blob in blobs]
    together = ENGINE._search(b"".join(blobs), starts, ends, lambda i: bytes([i]) * 20)
    assert together == sorted(alone)
    assert together


@pytest.mark.parametrize("variant", variants())
def test_variants_find_the_same(variant):
    text = b"\n".join(PIECES)
    assert Engine(RULES, variant=variant).search(text) == ENGINE.search(text)


def test_blob_with_too_many_hits_is_searched_whole(monkeypatch):
    text = b"token " * 50 + RULES.get("npm-token").positive[0].encode() + b"\n"
    expected = ENGINE.search(text)
    assert expected
    monkeypatch.setattr(engine_module, "_HITS_AT_ONCE", 10)
    assert ENGINE.search(text) == expected


def test_match_knows_its_line_and_column():
    secret = RULES.get("npm-token").positive[0].encode()
    text = b"one\n\ntwo " + secret + b" " + secret + b"\r\n" + secret
    places = [(match.line, match.column) for match in ENGINE.search(text) if match.rule_id == "npm-token"]
    into = secret.index(b"npm_")
    assert places == [(3, 5 + into), (3, 6 + into + len(secret)), (4, 1 + into)]


@pytest.mark.parametrize("marker", ["siltstone:ignore", "gitleaks:allow"])
def test_marker_on_the_same_line_silences_a_match(marker):
    secret = RULES.get("npm-token").positive[0]
    assert ENGINE.search(f"{secret}  # {marker}\n".encode()) == []
    assert ENGINE.search(f"# {marker} {secret}".encode()) == []
    assert len(ENGINE.search(f"# {marker}\n{secret}\n# {marker}\n".encode())) == 1


def test_keywords_must_stand_on_the_line():
    engine = Engine(RuleSet.of([bare(r"k_[0-9]{4}", "k_", keywords=("acme",))]))
    assert len(engine.search(b"acme\nACME k_1234\nk_5678\n")) == 1


def test_binary_blob_is_searched():
    secret = RULES.get("npm-token").positive[0].encode()
    assert ENGINE.search(bytes(range(256)) + b"\0" + secret + b"\0\xff")


def test_entropy_is_that_of_shannon():
    assert entropy(b"") == 0
    assert entropy(b"aaaa") == 0
    assert math.isclose(entropy(bytes(range(256))), 8)
    assert math.isclose(entropy(b"aabb"), 1)


@given(st.binary(max_size=300))
@settings(deadline=None, derandomize=True)
def test_redaction_shows_four_characters_at_most(secret):
    shown = redact(secret).partition("*")[0]
    assert len(shown) <= (4 if len(secret) >= 16 else 0)
    assert redact(secret).isascii()
    assert "\n" not in redact(secret)


def test_no_match_holds_the_secret():
    for rule in RULES:
        for text in rule.positive:
            for match in ENGINE.search(text.encode()):
                secret = text.encode()[match.start : match.end].decode()
                assert secret not in repr(match)
                assert secret[4:12] not in repr(match)


def test_fingerprint_is_keyed_and_equal_for_equal_secrets():
    secret = RULES.get("npm-token").positive[0].encode()
    first, second = ENGINE.search(secret + b"\n" + secret)
    assert first.fingerprint == second.fingerprint
    assert Engine(RULES, key=b"another key").search(secret)[0].fingerprint != first.fingerprint
    assert fingerprint(b"k" * 8, "a", b"b") != fingerprint(b"k" * 8, "ab", b"")
    with pytest.raises(ConfigError):
        Engine(RULES, key=b"short")
