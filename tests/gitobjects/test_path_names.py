"""Paths as text: quoted as git quotes them, and every byte had back."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.path_names import path_fields, path_of_fields, path_text, quote_path, unquote_path
from tests.gitobjects.histories import make_bare, run_git

EVERY_BYTE = [b"a" + bytes([byte]) + b"z" for byte in range(1, 256) if byte != ord("/")]
ODD = [b"caf\xc3\xa9", b"\xff\xfe", b'a"b', b"tab\t", b"back\\slash", b"-dash", b" blank ", b"\x7f", b"a\nb"]


@given(st.binary(max_size=30), st.booleans())
@example(b"", False)
@example(b'"', True)
@example(b"\\377", False)
def test_quoting_loses_no_byte(path, keep_high):
    quoted = quote_path(path, keep_high=keep_high)
    assert b"\n" not in quoted
    if quoted.startswith(b'"') or quoted == path:
        assert unquote_path(quoted) == path


@given(st.binary(max_size=30))
@example("é".encode())
@example(b"\xed\xa0\x80")  # a surrogate is no UTF-8
def test_json_loses_no_byte(path):
    assert path_of_fields(json.loads(json.dumps(path_fields(path)))) == path


@given(st.binary(max_size=30))
def test_text_is_one_line_that_reads_back(path):
    text = path_text(path)
    assert "\n" not in text
    assert unquote_path(text.encode()) == path


@pytest.mark.parametrize("text", [b'"', b'"a', b'"\\400"', b'"\\q"', b'"\\"', b'"a"b"', b'"\\1"'])
def test_what_git_would_not_write_is_refused(text):
    with pytest.raises(CorruptDataError):
        unquote_path(text)


@pytest.mark.parametrize("fields", [{}, {"path": 3}, {"path_b64": "*"}, {"path": "a", "path_b64": "YQ=="}, {"path": "\ud800"}])
def test_fields_without_one_path_are_refused(fields):
    with pytest.raises(CorruptDataError):
        path_of_fields(fields)


@pytest.mark.oracle
@pytest.mark.parametrize("setting", ["true", "false"])
def test_quoting_is_that_of_git(tmp_path, setting):
    repository = make_bare(tmp_path / "r", "sha1")
    blob = run_git(repository, "hash-object", "-w", "--stdin").strip()
    names = sorted({*EVERY_BYTE, *ODD})
    run_git(repository, "update-index", "-z", "--index-info",
            data=b"".join(b"100644 %s\t%s\0" % (blob, name) for name in names))
    told = run_git(repository, "-c", f"core.quotePath={setting}", "ls-files").split(b"\n")[:-1]
    assert told == [quote_path(name, keep_high=setting == "false") for name in names]
