"""``silt history attribute`` prints what `attribute` finds."""

from __future__ import annotations

import json
import signal

import pytest

from siltstone.cli.main import main
from siltstone.gitobjects.attribution import attribute
from siltstone.gitobjects.path_names import path_of_fields
from tests.gitobjects.histories import FORMATS, make_history, open_database, run_git
from tests.gitobjects.test_attribution import blob_ids


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("words", [[], ["--threads", "1"], ["--max-memory-mb", "64"]])
def test_contexts_are_printed_by_blob(tmp_path, capfdbinary, format_name, words):
    repository = make_history(tmp_path / "r", format_name, seed=31, commits=30)
    with open_database(repository) as db:
        expected = attribute(db, blob_ids(repository))
    code = main(["history", "attribute", "--repo", str(repository), *words, *(blob.hex() for blob in expected)])
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert code == 0
    assert [(row["blob"], row["commit"], path_of_fields(row)) for row in rows] == [
        (blob.hex(), context.commit.hex(), context.path) for blob, context in expected.items()]


def test_a_blob_of_no_commit_is_told(tmp_path, capfdbinary):
    repository = make_history(tmp_path / "r", "sha1", seed=32, commits=5)
    lost = run_git(repository, "hash-object", "-w", "--stdin", data=b"in no commit").decode().strip()
    assert main(["history", "attribute", "--repo", str(repository), "--quiet", lost]) == 1
    printed = capfdbinary.readouterr()
    assert printed.out == b""
    assert b"is in no commit" in printed.err


def test_what_is_no_blob_or_no_commit_is_told(tmp_path, capsys):
    repository = make_history(tmp_path / "r", "sha1", seed=32, commits=5)
    common = ["history", "attribute", "--repo", str(repository), "--quiet"]
    assert main([*common, "HEAD^{tree}"]) == 1
    assert "is a tree, not a blob" in capsys.readouterr().err
    blob = blob_ids(repository)[0].hex()
    for option in ("--ref", "--since"):
        for name in ("HEAD^{tree}", "12" * 20):
            assert main([*common, option, name, blob]) == 1
            assert capsys.readouterr().out == ""
    assert main([*common, "--json", blob]) == 0
    row, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["blob"] == blob
    assert summary["summary"]["found"] == summary["summary"]["blobs"] == 1
    assert main([*common, "--json", "absent"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 1
