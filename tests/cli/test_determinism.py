"""What a command prints does not depend on the terminal, the locale, the hash seed or the folder it is called from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ingestion.sample import Git, make_sample

ENVIRONMENTS = [
    {"PYTHONHASHSEED": "1", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "COLUMNS": "40", "TERM": "dumb"},
    {"PYTHONHASHSEED": "3", "NO_COLOR": "1", "COLUMNS": "300", "TERM": "xterm-256color", "TZ": "Asia/Tokyo"},
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, git: Git) -> Path:
    folder = tmp_path_factory.mktemp("determinism") / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return make_sample(git, folder)


def output(words: list[str], environment: dict[str, str], folder: Path) -> bytes:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "siltstone.cli.main", *words], capture_output=True, cwd=folder, timeout=100, check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )
    assert done.returncode in (0, 10), done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("words", [
    ["scan", "{}", "--format", "jsonl"],
    ["scan", "{}", "--format", "sarif"],
    ["scan", "{}"],
    ["index", "{}", "--format", "ndjson"],
    ["index", "{}", "--json"],
], ids=" ".join)
def test_output_is_the_same_everywhere(sample: Path, tmp_path: Path, words: list[str]) -> None:
    called = [word.format(sample) for word in words]
    outputs = {output(called, environment, folder) for environment, folder in zip(ENVIRONMENTS, (
        tmp_path, sample, sample / "shop"), strict=True)}
    assert len(outputs) == 1


def test_graph_and_answers_are_the_same_everywhere(sample: Path, tmp_path: Path) -> None:
    told = []
    for number, environment in enumerate(ENVIRONMENTS):
        store = ["--output", str(tmp_path / f"{number}")]
        summary = json.loads(output(["ingest", str(sample), *store, "--json", "--quiet"], environment, tmp_path))
        answers = [output(["query", *words, *store, "--json"], environment, tmp_path) for words in (
            ["implements", "Model"], ["blast-radius", "Model"], ["cycles"])]
        told.append((summary["graph_digest"], summary["code"], summary["history"], answers))
    assert told[0] == told[1] == told[2]
