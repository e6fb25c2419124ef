"""The driver: the same rows for any order, worker count and hash seed; broken, hostile and unreadable files; the cache."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from siltstone.codeindex import worker_pool
from siltstone.codeindex.build import SourceFile, index_repository
from siltstone.codeindex.entities import MemorySink
from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.sinks import NdjsonSink
from siltstone.codeindex.syntax import extract, languages
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, CorruptDataError, UnsupportedError
from tests.codeindex.indexed import index

ROOT = Path(__file__).resolve().parents[2]


class Memory(dict[bytes, bytes]):
    """A cache in a dictionary."""

    put = dict.__setitem__


def python_files(count: int) -> dict[str, str]:
    """Return *count* modules that import and call each other."""
    return {
        f"pkg/m{row}.py": f"from pkg.m{(row * 7 + 1) % count} import f as g\nfrom . import m{(row + 3) % count} as n\n\n\n"
                          f"class C{row}:\n    def run(self):\n        return self.stop() + g() + n.f()\n\n"
                          f"    def stop(self):\n        return f() + len([])\n\n\ndef f():\n    return C{row}().run()\n" * 3
        for row in range(count)
    }


def lines_of(files: dict[str, str], workers: int) -> str:
    rows: list[str] = []
    names = [SourceFile(path.encode()) for path in files]
    index_repository(names, lambda file: files[file.name].encode(), NdjsonSink(rows.append), repo_id="r", workers=workers)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_order_of_files_and_workers_do_not_change_the_rows(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    files = python_files(40)
    expected = lines_of(files, 1)
    monkeypatch.setattr(worker_pool, "IN_PROCESS_BYTES", 1)
    monkeypatch.setattr(worker_pool, "_BATCH_FILES", 3)
    shuffled = list(files.items())
    random.Random(workers).shuffle(shuffled)
    assert lines_of(dict(shuffled), workers) == expected


def test_the_hash_seed_does_not_change_the_rows() -> None:
    code = (
        "from tests.codeindex.test_index_build import lines_of, python_files\n"
        "files = python_files(12); files['a.ts'] = 'export * from \"./b\";'; files['b.ts'] = 'export const f = () => f();'\n"
        "print(lines_of(files, 1))"
    )
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_a_worker_that_dies_loses_only_the_file_that_killed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os, siltstone.codeindex.syntax_worker as worker\n"
        "real = worker.extract_one\n"
        "def extract_one(language, source):\n"
        "    if b'DIE' in source: os.abort()\n"
        "    return real(language, source)\n"
        "worker.extract_one = extract_one\n"
        "worker.main()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    requests = [("python", b"def f%d(): pass\n" % row + (b"# DIE\n" if row in (3, 7) else b"")) for row in range(12)]
    with worker_pool.WorkerPool(2, isolate=True, module="deadly") as pool:
        answers = list(pool.extract(requests))
    assert [row for row, (status, _) in enumerate(answers) if status] == [3, 7]
    assert Extraction.decode(answers[11][1]).definition_names == ["f11"]


def test_a_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleepy.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with worker_pool.WorkerPool(1, isolate=True, module="sleepy", timeout_seconds=0.3) as pool:
        answers = list(pool.extract([("python", b"x = 1\n")]))
    assert answers == [(1, b"the extractor crashed or took too long")]


def test_an_error_in_the_caller_leaves_no_process() -> None:
    def requests():
        for row in range(1000):
            if row == 300:
                raise KeyboardInterrupt
            yield "python", b"x = 1\n"

    pool = worker_pool.WorkerPool(2, isolate=True)
    with pytest.raises(KeyboardInterrupt), pool:
        list(pool.extract(requests()))
    assert not pool._processes
    assert not any(thread.is_alive() for thread in pool._threads)


def test_files_that_do_not_decode_stay_file_entities_and_are_noted() -> None:
    found = index({
        "latin.py": b"name = '\xe9'\n", "binary.py": b"a = 1\n\0\0", "empty.py": b"",
        "broken.py": b"def g(): pass\n\n\nx = = 3\n",
        "big.py": b"#" * 3000, "notes.txt": b"hello", "bom.py": b"\xef\xbb\xbfdef f(): pass\n",
        "script": b"#!/usr/bin/env python3\nx = 1\n",
    }, budget=Budget(file=2000))
    assert {name for name in found.entities if ":" not in name} == {
        "latin.py", "binary.py", "empty.py", "broken.py", "big.py", "notes.txt", "bom.py", "script"}
    assert {"broken.py:g", "bom.py:f", "script:x"} <= set(found.entities)
    assert found.ledger.as_dict()["counts"] == {"oversize": 1, "unparsable": 2}
    assert found.summary.files_with_syntax_errors == 1


def test_a_file_that_the_reader_refuses_is_noted() -> None:
    def read(file: SourceFile) -> bytes:
        raise PermissionError(13, "denied")

    sink = MemorySink()
    from siltstone.gitobjects.ledger import CoverageLedger

    ledger = CoverageLedger()
    summary = index_repository([SourceFile(b"a.py")], read, sink, repo_id="r", ledger=ledger)
    assert summary.entities == 1
    assert ledger.as_dict()["counts"] == {"unreadable": 1}


@pytest.mark.parametrize(("language", "source"), [
    ("python", b"x = " + b"(" * 50_000 + b"1" + b")" * 50_000),
    ("javascript", b"function a(){" * 20_000),
    ("javascript", b"f(" * 20_000 + b")" * 20_000),
    ("cpp", b"namespace a {" * 5_000),
    ("go", b"package a\nvar x = " + b"[]" * 20_000 + b"int{}"),
    ("rust", b"mod a {" * 5_000),
    ("python", b"x = '" + b"y" * 3_000_000 + b"'\n"),
    ("typescript", b"x" + b".y" * 100_000 + b"()"),
    ("java", b"class A { int f() { return " + b"a.f(" * 5_000),
    ("c", b"int " + b"*" * 20_000 + b"p;"),
])
def test_deep_and_long_input_ends_without_an_error(language: str, source: bytes) -> None:
    encoded = extract(language, source).encode()
    assert len(encoded) < 40 * len(source) + 10_000
    assert Extraction.decode(encoded).encode() == encoded


@pytest.mark.parametrize("language", languages())
def test_random_text_ends_without_an_error(language: str) -> None:
    text = b"def class ( ) { } [ ] : ; , . -> => :: < > = import from use pub fn struct x y self this 'a' \"b\" # // /* @ * &"
    words = [*text.split(), b"\n"]
    for seed in range(30):
        generator = random.Random(seed)
        source = b" ".join(generator.choices(words, k=300))
        encoded = extract(language, source).encode()
        assert Extraction.decode(encoded).encode() == encoded


def test_languages_without_a_grammar_are_refused() -> None:
    with pytest.raises(UnsupportedError):
        extract("cobol", b"")


def test_the_cache_is_used_by_content_and_heals_itself() -> None:
    cache = Memory()
    files = python_files(5)
    first = index(files, cache=cache)
    assert (first.summary.files_reused, len(cache)) == (0, 5)
    moved = {path.replace("m1.py", "moved.py"): text for path, text in files.items()}
    assert index(moved, cache=cache).summary.files_reused == 5
    key = sorted(cache)[0]
    cache[key] = b"[]"
    again = index(files, cache=cache)
    assert again.summary.files_reused == 4
    assert again.edges == first.edges
    assert cache[key] != b"[]"


def test_an_extraction_that_was_tampered_with_is_refused() -> None:
    good = extract("python", b"import a\n\n\nclass A(B):\n    def f(self, x: int = 1): return self.g()\n")
    values = json.loads(good.encode())
    for column in range(len(values)):
        for bad in (None, 10**6, [10**6], [[-5]], {"x": 10**6}, {"7": {"a": 1}}):
            changed = [*values[:column], bad, *values[column + 1 :]]
            if changed == values:
                continue
            try:
                again = Extraction.decode(json.dumps(changed).encode())
            except CorruptDataError:
                continue
            assert again.encode()
    for data in (b"", b"{}", b"[1", b"[" * 100_000, b"null", good.encode()[:-5], b"\xff\xfe"):
        with pytest.raises(CorruptDataError):
            Extraction.decode(data)


def test_the_budget_for_rows_is_kept_and_given_back() -> None:
    budget = Budget(index=50_000)
    with pytest.raises(BudgetExceeded):
        index(python_files(60), budget=budget)
    assert budget.reserved("index") == 0


def test_names_that_are_equal_as_text_are_indexed_once() -> None:
    found = index({"a.py": "x = 1\n"})
    assert found.summary.files == 1
    sink = MemorySink()
    files = [SourceFile(b"\xff.py"), SourceFile(b"\xfe.py")]
    summary = index_repository(files, lambda _file: b"x = 1\n", sink, repo_id="r")
    assert summary.files == 1
