"""``silt ingest`` as a user meets it: streams, exit codes, one clear line for every mistake, no half-written store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from siltstone.graph.reader import StoreReader
from siltstone.graph.store import GraphStore, find_database
from tests.ingestion.sample import Git, make_sample, planted_token

SILT = [sys.executable, "-P", "-m", "siltstone.cli.main"]
NOBODY = 65_534


@pytest.fixture
def sample(repository: Path, git: Git) -> Path:
    return make_sample(git, repository)


def silt(*words: str | Path, prepare: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SILT, *map(str, words)], capture_output=True, text=True, timeout=100, check=False, preexec_fn=prepare,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )


def digest(folder: Path) -> str:
    store = StoreReader.open_existing(find_database(folder))
    try:
        return store.digest()
    finally:
        store.close()


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr that is no progress."""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("PROGRESS:")]
    return line


def test_summary_is_on_stdout_and_progress_on_stderr(sample: Path) -> None:
    done = silt("ingest", sample)
    assert done.returncode == 0
    assert done.stdout.startswith("repository  at ")
    for word in ("files", "entities", "relations", "resolved", "objects", "secrets", "not read", "peak memory"):
        assert word in done.stdout
    assert all(line.startswith("PROGRESS:") for line in done.stderr.splitlines())
    assert done.stderr.splitlines()[-1] == "PROGRESS:100 done"
    assert planted_token() not in done.stdout + done.stderr
    assert (sample / ".siltstone/.gitignore").read_text() == "*\n"


def test_json_is_one_document(sample: Path, tmp_path: Path) -> None:
    done = silt("ingest", sample, "--output", tmp_path / "out", "--json", "--quiet")
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert told["code"]["files"] == 9
    assert {stage["name"] for stage in told["stages"]} == {"scan", "list", "index", "commit"}


def test_the_store_is_not_indexed_itself(sample: Path, git: Git) -> None:
    silt("ingest", sample)
    assert git(sample, "status", "--porcelain") == b""
    assert json.loads(silt("ingest", sample, "--json").stdout)["unchanged"] is True


@pytest.mark.parametrize(("words", "code", "says"), [
    (["absent"], 1, "absent"),
    ([".", "--workers", "0"], 1, "workers"),
    ([".", "--scip", "absent.scip"], 1, "absent.scip: no such file"),
    ([".", "--max-memory-mb", "0"], 1, "--max-memory-mb"),
    ([".", "--rules", "absent.json"], 4, "absent.json: No such file"),
    (["https://user:secret@example.com/x", "--output", "out"], 1, "credentials do not belong"),
    ([".", "--frobnicate"], 1, "unrecognized arguments"),
    ([".", "--output", "shop"], 3, "is no store"),
])
def test_a_mistake_gives_one_line_and_the_documented_code(
    sample: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], code: int, says: str
) -> None:
    monkeypatch.chdir(sample)
    done = silt("ingest", *words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret@" not in done.stderr
    assert not (sample / "out").exists()


def test_a_plain_folder_is_no_repository(tmp_path: Path) -> None:
    done = silt("ingest", tmp_path, "--json")
    assert done.returncode == 1
    assert "not a git repository" in error_line(done)
    assert json.loads(done.stdout)["error"]["exit_code"] == 1
    assert os.listdir(tmp_path) == []


def test_a_damaged_index_file_of_git_ends_with_code_2(sample: Path) -> None:
    (sample / ".git/index").write_bytes(b"DIRCgarbage")
    done = silt("ingest", sample)
    assert done.returncode == 2
    assert "index" in error_line(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="drops from root to another user")
def test_without_permission_it_ends_with_code_4(sample: Path, tmp_path: Path) -> None:
    for folder in (sample, *sample.parents):  # pytest keeps its folders to root; nothing above them is touched
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o005)

    # The other user may not be able to read this Python's libraries: everything is loaded by a first run, then the uid goes.
    code = (
        "import os, sys; from siltstone.cli.main import main\n"
        "main(['ingest', sys.argv[1], '--output', sys.argv[2], '--quiet'])\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(main(['ingest', sys.argv[1], '--quiet']))"
    )
    words = [sys.executable, "-P", "-c", code, str(sample), str(tmp_path / "first")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 4, done.stderr
    assert "Permission denied" in error_line(done)
    assert not (sample / ".siltstone/graph.db").exists()


def test_on_a_full_disk_it_ends_with_code_4_and_the_old_store(sample: Path, tmp_path: Path) -> None:
    import resource

    output = tmp_path / "out"
    assert silt("ingest", sample, "--output", output).returncode == 0
    before = digest(output)
    size = (output / "graph.db").stat().st_size
    many = "\n".join(f"def function_{number}():\n    return function_{number + 1}()\n" for number in range(9_000))
    (sample / "shop/models.py").write_text(many)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 65_536, size + 65_536))

    done = silt("ingest", sample, "--output", output, prepare=limit)
    assert done.returncode == 4, done.stderr
    assert "graph.db" in error_line(done)
    assert digest(output) == before
    assert silt("ingest", sample, "--output", output).returncode == 0
    assert digest(output) != before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_from_outside_ends_with_130_and_leaves_no_process(sample: Path, tmp_path: Path, number: int) -> None:
    output = tmp_path / "out"
    assert silt("ingest", sample, "--output", output).returncode == 0
    before = digest(output)
    body = "\n".join(f"    def method_{i}(self):\n        return self.method_{i + 1}()\n" for i in range(400))
    for i in range(60):
        (sample / f"shop/big_{i}.py").write_text(f"class Big{i}:\n{body}")
    subprocess.run(["git", "-C", str(sample), "add", "-A"], check=True, timeout=60, capture_output=True)
    process = subprocess.Popen(
        [*SILT, "ingest", str(sample), "--output", str(output)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background shell ignores it
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "extract" in line:
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted" in err.splitlines()[-1]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert digest(output) == before


def test_a_reader_that_goes_away_is_no_error(sample: Path) -> None:
    words = " ".join(SILT)
    done = subprocess.run(
        f"{words} ingest '{sample}' --quiet | true; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash", timeout=100,
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_help_names_every_option_and_the_exit_codes() -> None:
    done = silt("ingest", "--help")
    assert done.returncode == 0
    for word in ("--output", "--repo-id", "--scip", "--rules", "--workers", "--require-complete", "--json", "130 interrupted"):
        assert word in done.stdout


def test_incomplete_under_require_complete_is_code_6(sample: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", sample.as_uri(), "shallow")
    done = silt("ingest", tmp_path / "shallow", "--require-complete")
    assert done.returncode == 6
    assert "shallow-boundary 1" in error_line(done)
    assert not (tmp_path / "shallow/.siltstone/graph.db").exists() or digest(tmp_path / "shallow") == ""


def test_a_usage_error_is_json_too(sample: Path) -> None:
    done = silt("ingest", sample, "--json", "--frobnicate")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["exit_code"] == 1


def test_a_stop_while_a_repository_is_fetched_leaves_no_copy(sample: Path, git: Git, tmp_path: Path) -> None:
    number = 40_000
    lines = "".join(f"blob\nmark :{i}\ndata {len(str(i))}\n{i}\n" for i in range(1, number))
    files = "".join(f"M 100644 :{i} f{i}\n" for i in range(1, number))
    commit = "commit refs/heads/many\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nx\n"
    git(sample, "fast-import", "--quiet", input=(lines + commit + files).encode())
    output = tmp_path / "out"
    process = subprocess.Popen(
        [*SILT, "ingest", sample.as_uri(), "--output", str(output)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    assert "fetch" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert not (output / "repository.git").exists()
    assert not (output / "repository.git.partial").exists()


def test_a_second_run_at_the_same_time_is_refused(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert silt("ingest", sample, "--output", output).returncode == 0
    with GraphStore.open(output):
        for repository in (str(sample), sample.as_uri()):
            done = silt("ingest", repository, "--output", output)
            assert done.returncode == 3
            assert f"locked by process {os.getpid()}" in error_line(done)


def test_source_that_is_binary_or_broken_is_told(sample: Path, git: Git) -> None:
    (sample / "binary.py").write_bytes(b"x = '\0'\n")
    (sample / "broken.py").write_text("def f(:\n    return 1\n")
    git(sample, "add", "-A")
    done = silt("ingest", sample)
    assert "unparsable: binary.py (binary: it holds NUL bytes)" in done.stdout
    assert "1 with syntax errors, used as far as they parse" in done.stdout


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_is_no_bug(sample: Path, closed: str) -> None:
    words = " ".join(SILT)
    done = subprocess.run(f"{words} ingest '{sample}' --quiet {closed}>&-", shell=True, capture_output=True, text=True,
                          timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_cycles_can_be_asked_of_one_name(sample: Path, tmp_path: Path) -> None:
    text = "from shop.views import place\n\n\nclass Order:\n    pass\n\n\nclass Model:\n    pass\n"
    (sample / "shop/models.py").write_text(text)
    silt("ingest", sample, "--output", tmp_path / "out")
    asked = [json.loads(silt("query", "cycles", *name, "--output", tmp_path / "out", "--json").stdout)["cycles"]
             for name in ([], ["Order"], ["web/total.ts"])]
    assert [len(cycles) for cycles in asked] == [1, 1, 0]
