"""The error tree: each class is what a caller expects, carries its fields, and means one exit code."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from siltstone.core import errors

CASES = [
    (errors.ConfigError("must be positive", field="workers"), ValueError, 1, {"field": "workers"}),
    (errors.NotFoundError("not a git repository", name="x"), LookupError, 1, {"name": "x"}),
    (errors.CorruptDataError("cut short", source="a.idx", offset=8), ValueError, 2, {"source": "a.idx", "offset": 8}),
    (errors.UnsupportedError("reftable", source="r"), NotImplementedError, 2, {"source": "r"}),
    (errors.StoreError("is locked", store="graph.db"), errors.SiltstoneError, 3, {"store": "graph.db"}),
    (errors.BudgetExceeded("objects", limit_bytes=1, needed_bytes=2), MemoryError, 5,
     {"name": "objects", "limit_bytes": 1, "needed_bytes": 2, "unit": "bytes"}),
    (errors.IncompleteError("not all was read", ledger={"missing": 3}), errors.SiltstoneError, 6, {"ledger": {"missing": 3}}),
    (errors.Cancelled(), errors.SiltstoneError, 130, {}),
]


@pytest.mark.parametrize(("error", "builtin", "exit_code", "fields"), CASES, ids=lambda value: type(value).__name__)
def test_error_is_also_the_builtin_and_tells_its_fields(error, builtin, exit_code, fields) -> None:
    assert isinstance(error, builtin)
    assert errors.exit_code_of(error) == exit_code
    told = error.as_dict()
    assert {name: told[name] for name in fields} == fields
    assert told["message"] == str(error)
    assert json.dumps(told)


def test_codes_are_unique() -> None:
    codes = [case[0].code for case in CASES]
    assert len(set(codes)) == len(codes)


def test_system_error_is_exit_4_and_names_its_file() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/disk/file")
    assert errors.exit_code_of(error) == 4
    assert errors.describe(error) == "/disk/file: No space left on device"


def test_an_unknown_error_is_a_bug_and_never_a_documented_code() -> None:
    assert errors.exit_code_of(RuntimeError()) == 70


def test_description_is_one_line() -> None:
    assert errors.describe(errors.ConfigError("two\nlines", field="f")) == "f: two lines"


def test_corrupt_error_can_be_placed_in_its_file() -> None:
    inner = errors.CorruptDataError("varint is cut short", offset=3)
    placed = inner.within("pack-1.pack", 100)
    assert (placed.source, placed.offset) == ("pack-1.pack", 103)
    assert str(placed) == "pack-1.pack: varint is cut short at byte 103"


def test_an_error_that_holds_a_path_names_it() -> None:
    assert errors.describe(IsADirectoryError(21, "Is a directory", Path("folder"))) == "folder: Is a directory"


def test_a_system_without_memory_is_no_bug_of_ours() -> None:
    assert errors.exit_code_of(MemoryError()) == 5
    assert errors.describe(MemoryError()) == "the system gives no more memory"
