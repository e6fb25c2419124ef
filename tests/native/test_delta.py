"""Deltas against their obvious twin: random programs, every truncation, every flipped bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import delta
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.reference import delta as reference

BASE = bytes(range(256)) * 3


def outcome(apply: Callable[[bytes, bytes], bytes], base: bytes, program: bytes) -> object:
    """The result, or the class of the error: the twin names no offsets."""
    try:
        return apply(base, program)
    except (CorruptDataError, BudgetExceeded) as error:
        return type(error)


@st.composite
def programs(draw: st.DrawFn) -> tuple[bytes, list[reference.Instruction]]:
    base = draw(st.binary(min_size=1, max_size=300))
    starts = st.integers(0, len(base) - 1)
    copies = starts.flatmap(lambda start: st.tuples(st.just(start), st.integers(1, len(base) - start)))
    return base, draw(st.lists(st.one_of(st.binary(min_size=1, max_size=200), copies), max_size=20))


@given(programs())
def test_a_program_makes_what_its_instructions_say(program: tuple[bytes, list[reference.Instruction]]) -> None:
    base, steps = program
    expected = b"".join(step if isinstance(step, bytes) else base[step[0] : step[0] + step[1]] for step in steps)
    written = reference.encode(len(base), steps)
    assert delta.apply(base, written) == expected == reference.apply(base, written)
    assert delta.result_size(base, written) == len(expected)


@given(st.binary(max_size=64), st.binary(max_size=40))
@example(b"", b"\x00\x00")
@example(b"", b"")
@example(b"abc", b"\x03\x01\x00")  # the reserved instruction
@example(b"abc", b"\x03\x03\x90\x03")  # a copy from 0 of 3
@example(b"abc", b"\x03\x03\x91\x01\x03")  # one past the end
@example(b"abc", b"\x03\x80\x80\x04\x80")  # a copy of 65,536 from a base of 3
def test_any_bytes_agree_with_the_twin(base: bytes, program: bytes) -> None:
    assert outcome(delta.apply, base, program) == outcome(reference.apply, base, program)


def test_every_truncation_and_flipped_bit_agrees_with_the_twin() -> None:
    program = reference.encode(len(BASE), [(3, 40), b"inserted", (600, 168), (0, 768), b"x" * 130])
    damaged = [program[:cut] for cut in range(len(program))]
    for at in range(len(program)):
        damaged += [bytes([*program[:at], program[at] ^ 1 << bit, *program[at + 1 :]]) for bit in range(8)]
    for data in damaged:
        assert outcome(delta.apply, BASE, data) == outcome(reference.apply, BASE, data)


def test_a_copy_without_a_size_is_65536_bytes() -> None:
    base = bytes(range(256)) * 257
    written = reference.encode(len(base), [(5, 0x10000)])
    assert len(written) == 3 + 3 + 2
    assert delta.apply(base, written) == base[5 : 5 + 0x10000]


def test_a_result_above_the_limit_is_refused() -> None:
    base = bytes(1000)
    written = reference.encode(1000, [(0, 1000)] * 50)
    with pytest.raises(BudgetExceeded) as caught:
        delta.apply(base, written, 49_999)
    assert (caught.value.limit_bytes, caught.value.needed_bytes) == (49_999, 50_000)
    assert len(delta.apply(base, written, 50_000)) == 50_000
    with pytest.raises(ConfigError):
        delta.apply(base, written, -1)


def test_an_absurd_stated_result_takes_no_memory() -> None:
    with pytest.raises(CorruptDataError):
        delta.apply(b"abc", b"\x03" + b"\xff" * 8 + b"\x7f" + b"\x90\x03")
