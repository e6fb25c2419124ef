"""The ledger counts exactly and keeps the same examples in any order of arrival."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from siltstone.gitobjects.ledger import CoverageLedger, Reason

gaps = st.lists(st.tuples(st.sampled_from(list(Reason)), st.text(max_size=3)), max_size=60)


@given(gaps, st.randoms(use_true_random=False))
def test_order_and_split_do_not_matter(noted, random) -> None:
    straight = CoverageLedger()
    for reason, what in noted:
        straight.add(reason, what)
    shuffled = list(noted)
    random.shuffle(shuffled)
    left, right = CoverageLedger(), CoverageLedger()
    for number, (reason, what) in enumerate(shuffled):
        (left if number % 2 else right).add(reason, what)
    left.merge(right)
    assert left.counts() == straight.counts()
    assert left.as_dict()["examples"] == straight.as_dict()["examples"]


def test_an_empty_ledger_is_complete_and_bytes_print() -> None:
    ledger = CoverageLedger()
    assert ledger.complete
    ledger.add(Reason.MISSING, b"caf\xe9", "blob")
    assert not ledger.complete
    assert json.loads(json.dumps(ledger.as_dict()))["examples"] == [
        {"reason": "missing", "what": "caf\\xe9", "detail": "blob"}
    ]


@given(gaps)
def test_what_was_told_can_be_restored(noted) -> None:
    ledger = CoverageLedger()
    for reason, what in noted:
        ledger.add(reason, what, "why")
    told = json.loads(json.dumps(ledger.as_dict()))
    assert CoverageLedger.restore(told).as_dict() == told
