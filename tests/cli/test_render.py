"""Numbers and names as people see them."""

from __future__ import annotations

import pytest

from siltstone.cli import render


@pytest.mark.parametrize(("count", "text"), [
    (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (99_949, "99.9 kB"), (412_000_000, "412 MB"), (999_500, "1.0 MB"),
    (8_110_000_000, "8.1 GB"), (10**16, "10000 TB"),
])
def test_sizes(count: int, text: str) -> None:
    assert render.size(count) == text


@pytest.mark.parametrize(("value", "text"), [
    (0.0004, "0 ms"), (0.085, "85 ms"), (0.9999, "1.0 s"), (9.84, "9.8 s"), (99.96, "1 min 39 s"), (192, "3 min 12 s"),
])
def test_durations(value: float, text: str) -> None:
    assert render.seconds(value) == text


def test_counts_are_ranked_and_the_rest_is_added_up() -> None:
    assert render.counts({"b": 2, "a": 2, "c": 9_999, "d": 1}, most=3) == "c 9,999 · a 2 · b 2 · 1 others 1"
    assert render.counts({}) == ""


def test_one_is_no_plural() -> None:
    assert (render.number(1, "blob"), render.number(2_000, "blob")) == ("1 blob", "2,000 blobs")


def test_tables_align() -> None:
    assert render.table([("a", "1"), ("long", "22")], right=frozenset({1})) == ["a      1", "long  22"]
    assert render.table([]) == []


def test_control_characters_are_shown_and_not_sent() -> None:
    assert render.printable("a\x1b[31m\nb é") == "a\\x1b[31m\\nb é"
