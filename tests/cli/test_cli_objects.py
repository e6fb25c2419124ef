"""``silt objects stats`` and ``verify``: what goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

import json
import signal

import pytest

from siltstone.cli.main import main
from tests.gitobjects.histories import make_history, run_git


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])


@pytest.fixture
def history(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=6, commits=20)
    run_git(repository, "repack", "-adq")
    return repository


@pytest.fixture
def silt(history, capsys):
    def run(*words):
        code = main(["objects", words[0], "--repo", str(history), *words[1:]])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def damage(repository):
    [pack] = (repository / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[12] = (data[12] & 0x8F) | 0x50  # the first entry has the reserved type 5 now
    pack.write_bytes(data)


def test_stats_are_a_table_or_one_object(silt):
    code, out, err = silt("stats", "--quiet", "--chains")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[:6]] == ["kind", "commit", "tree", "blob", "tag", "all"]
    code, out, _ = silt("stats", "--json")
    told = json.loads(out)
    assert (code, told["kinds"]["commit"]["objects"], told["coverage"]["complete"]) == (0, 20, True)


def test_stats_of_a_damaged_repository_say_so(silt, history):
    damage(history)
    code, out, err = silt("stats", "--quiet")
    assert code == 2
    assert "INCOMPLETE" in err
    assert "INCOMPLETE" not in out
    code, out, err = silt("stats", "--quiet", "--json")
    assert (code, json.loads(out)["coverage"]["complete"], "INCOMPLETE" in err) == (2, False, True)


@pytest.mark.parametrize("threads", ["0", "-1", "257", "many"])
def test_verify_takes_as_many_threads_as_other_commands(silt, threads):
    code, out, err = silt("verify", "--threads", threads)
    assert (code, out) == (1, "")
    assert "threads" in err


def test_a_sound_repository_means_exit_0_and_no_data(silt):
    code, out, err = silt("verify", "--quiet", "--links")
    assert (code, out) == (0, "")
    assert "0 problems" in err
    code, out, _ = silt("verify", "--json", "--threads", "1")
    assert (code, json.loads(out)["sound"]) == (0, True)


def test_problems_are_lines_and_mean_exit_2(silt, history):
    damage(history)
    code, out, _ = silt("verify", "--quiet")
    assert code == 2
    assert "checksum is" in out
    assert "CRC of" in out
    assert json.loads(silt("verify", "--json")[1])["problem_count"] == len(out.splitlines())


def test_wrong_calls_end_with_exit_1(silt, tmp_path, capsys):
    assert silt("verify", "--threads", "0")[0] == 1
    assert silt("stats", "--max-memory-mb", "3")[0] == 1
    assert main(["objects", "stats", "--repo", str(tmp_path / "absent")]) == 1
    assert main(["objects"]) == 1
    capsys.readouterr()
