"""Every inflate backend of this machine gives what the standard library gives."""

from __future__ import annotations

import threading
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import inflate
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.reference import inflate as reference

BACKENDS = inflate.backends()


def outcome(read, *arguments, **options):  # type: ignore[no-untyped-def]
    """The result, or the class of the error: backends may name damage differently."""
    try:
        return read(*arguments, **options)
    except CorruptDataError:
        return CorruptDataError


@pytest.mark.parametrize("backend", BACKENDS)
@given(content=st.binary(max_size=2000), level=st.integers(0, 9), before=st.binary(max_size=3), after=st.binary(max_size=3),
       off_by=st.integers(-2, 2))
@example(content=b"", level=6, before=b"", after=b"", off_by=0)
@example(content=b"a" * 1_000_000, level=9, before=b"", after=b"", off_by=0)
def test_content_and_length_agree_with_the_twin(
    backend: str, content: bytes, level: int, before: bytes, after: bytes, off_by: int
) -> None:
    data = before + zlib.compress(content, level) + after
    size = max(0, len(content) + off_by)
    expected = outcome(reference.inflate_exact, data, size, len(before))
    assert outcome(inflate.inflate_exact, data, size, len(before), backend=backend) == expected
    if size == len(content):
        assert expected == (content, len(data) - len(before) - len(after))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_truncation_and_flipped_bit_agrees_with_the_twin(backend: str) -> None:
    content = b"the quick brown fox jumps over the lazy dog; the quick brown fox" * 3
    stream = zlib.compress(content)
    damaged = [stream[:cut] for cut in range(len(stream))]
    damaged += [bytes([*stream[:at], stream[at] ^ 1 << bit, *stream[at + 1:]]) for at in range(len(stream)) for bit in range(8)]
    for data in damaged:
        expected = outcome(reference.inflate_exact, data, len(content))
        assert outcome(inflate.inflate_exact, data, len(content), backend=backend) == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_preset_dictionary_is_damage(backend: str) -> None:
    engine = zlib.compressobj(zdict=b"dictionary")
    data = engine.compress(b"dictionary") + engine.flush()
    with pytest.raises(CorruptDataError):
        inflate.inflate_exact(data, 10, backend=backend)


def test_a_size_that_the_data_cannot_make_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(CorruptDataError, match="cannot come from"):
        inflate.inflate_exact(zlib.compress(b"x"), 1 << 60)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bomb_of_the_stated_size_inflates(backend: str) -> None:
    content = bytes(20_000_000)
    assert inflate.inflate_exact(zlib.compress(content, 9), len(content), backend=backend)[0] == content


def test_errors_name_the_offset() -> None:
    with pytest.raises(CorruptDataError) as caught:
        inflate.inflate_exact(b"??" + zlib.compress(b"content")[:-1], 7, 2)
    assert caught.value.offset == 2


@pytest.mark.parametrize("offset", [-1, 3, 4])
def test_an_offset_outside_the_data_is_refused(offset: int) -> None:
    with pytest.raises(CorruptDataError, match="missing"):
        inflate.inflate_exact(b"abc", 1, offset)


def test_the_preferred_backend_is_the_first_and_the_standard_library_the_last() -> None:
    assert inflate.backend() == BACKENDS[0]
    assert BACKENDS[-1] == "python"


def test_an_absent_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match="not available"):
        inflate.inflate_exact(zlib.compress(b""), 0, backend="lzma")
    with pytest.raises(ConfigError):
        inflate.capsule("lzma")
    with pytest.raises(ConfigError):
        inflate.inflate_exact(b"x", -1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_do_not_disturb_each_other(backend: str) -> None:
    contents = [bytes([number]) * (50_000 + number) for number in range(4)]
    failures: list[int] = []

    def work(number: int) -> None:
        stream = zlib.compress(contents[number])
        for _ in range(30):
            if inflate.inflate_exact(stream, len(contents[number]), backend=backend)[0] != contents[number]:
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
