"""Lines of digests and names: what coreutils writes is read, and every name comes back."""

import os
import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone.content.hash_text import parse_hash
from siltstone.content.hashing import digest_of
from siltstone.content.sum_file import LONGEST_LINE, format_sum_line, parse_sum_line
from siltstone.core.errors import CorruptDataError


@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name).map(os.fsdecode))
@example("a\\nb")
@example("\r")
@example(" *x")
@example("caf\udce9")
@example("\x9b31m")
def test_every_name_comes_back(name):
    line = format_sum_line("abc", name)
    assert parse_sum_line(line.encode("utf-8")) == parse_sum_line(line.encode("utf-8") + b"\n") == ("abc", name)
    assert not {"Cc", "Cs"} & set(map(unicodedata.category, line))


@pytest.mark.parametrize(("line", "offset"), [
    (b"", 0), (b"abc", 0), (b"abc name", 0), (b"  name", 0), (b"\\abc  a\\q", 7), (b"\\abc  \\x0", 6), (b"abc  a\0b", 5),
    (b"a\xffb  name", 1), (b"a" * LONGEST_LINE + b"  n", LONGEST_LINE), (b"\\abc  a\\x00", 6),
])
def test_wrong_lines_say_where(line, offset):
    with pytest.raises(CorruptDataError) as caught:
        parse_sum_line(line)
    assert caught.value.offset == offset


def test_every_truncation_and_every_flipped_bit_gives_a_line_or_an_error():
    line = format_sum_line("00ff", "a\\b\nc").encode()
    for at in range(len(line)):
        for changed in (line[:at], *(line[:at] + bytes((line[at] ^ 1 << bit,)) + line[at + 1:] for bit in range(8))):
            try:
                digits, name = parse_sum_line(changed)
            except CorruptDataError:
                continue
            assert parse_sum_line(format_sum_line(digits, name).encode("utf-8")) == (digits, name)


@pytest.mark.oracle
def test_sha256sum_reads_and_writes_the_same_lines(tmp_path):
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    for name in ("plain", "two words", "line\nfeed", "back\\slash", "é"):
        (tmp_path / name).write_bytes(name.encode())
        done = subprocess.run(["sha256sum", name], cwd=tmp_path, capture_output=True, check=True).stdout
        digits, found = parse_sum_line(done)
        assert found == name
        assert parse_hash(digits, "sha256").digest == digest_of(name.encode(), algorithm="sha256")
        assert format_sum_line(digits, name).encode() + b"\n" == done
