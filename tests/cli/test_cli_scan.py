"""``silt scan``: what goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from siltstone._native import gear
from siltstone.detection.examples import expand_example

SECRET = expand_example("gh<>p_<alnum:36>", "cli")


def silt(*words, env=None):
    done = subprocess.run([sys.executable, "-m", "siltstone.cli.main", "scan", *map(str, words)], capture_output=True,
                          timeout=60, check=False, env={"PATH": "/usr/bin:/bin", **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def leaky(repository, git):
    (repository / "a b.txt").write_text(f"one\n{SECRET}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "m")
    return repository


@pytest.mark.parametrize("form", ["table", "jsonl", "json", "sarif"])
def test_findings_are_reported_in_each_form_and_mean_exit_10(leaky, form):
    code, out, err = silt(leaky, "--format", form)
    assert code == 10
    assert SECRET not in out + err
    assert SECRET[4:12] not in out + err
    assert "github-token" in out
    assert "1 findings" in err
    if form == "jsonl":
        assert json.loads(out)["path"] == "a b.txt"
    elif form == "json":
        assert json.loads(out)["summary"]["findings"] == 1
    elif form == "sarif":
        assert "a%20b.txt" in out
        assert json.loads(out)["version"] == "2.1.0"


def test_clean_repository_means_exit_0_and_no_data(repository, git):
    git(repository, "commit", "-q", "--allow-empty", "-m", "m")
    assert silt(repository)[:2] == (0, "")
    code, out, _ = silt(repository, "--json", "--require-complete")
    assert code == 0
    assert json.loads(out)["summary"]["coverage"]["complete"] is True


def test_exit_code_can_be_chosen(leaky):
    assert silt(leaky, "--exit-code", "0", "--quiet")[0] == 0
    assert silt(leaky, "--exit-code", "42")[0] == 42
    assert silt(leaky, "--exit-code", "999")[0] == 1


def test_report_goes_to_a_file(leaky, tmp_path):
    target = tmp_path / "out.json"
    code, out, _ = silt(leaky, "--json", "--output", target)
    assert (code, out) == (10, "")
    assert json.loads(target.read_text())["findings"][0]["rule"] == "github-token"


def test_wrong_calls_end_with_exit_1_and_one_line(leaky, tmp_path):
    assert silt(tmp_path / "absent")[0] == 1
    assert silt(leaky, "--json", "--format", "sarif")[0] == 1
    assert silt(leaky, "--max-memory-mb", "3")[0] == 1
    code, out, err = silt(tmp_path, "--json", "--quiet")
    assert code == 1
    assert "error" in json.loads(out)
    assert err.count("\n") == 1


def test_own_rules_replace_ours(leaky, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text('{"rules": [{"id": "one", "name": "One", "pattern": "one", "anchors": ["one"]}]}')
    code, out, _ = silt(leaky, "--rules", rules, "--format", "jsonl")
    assert (code, json.loads(out)["rule"]) == (10, "one")
    rules.write_text('{"rules": [{"id": "one", "name": "One", "pattern": "one+", "anchors": ["one"]}]}')
    assert silt(leaky, "--rules", rules)[0] == 1


def test_fingerprint_key_comes_from_the_environment(leaky):
    plain = json.loads(silt(leaky, "--json")[1])["findings"][0]["fingerprint"]
    keyed = json.loads(silt(leaky, "--json", env={"SILTSTONE_FINGERPRINT_KEY": "long enough"})[1])
    assert keyed["findings"][0]["fingerprint"] != plain


def test_partial_result_is_said_aloud(leaky, git):
    blob = git(leaky, "rev-parse", "HEAD:a b.txt").decode().strip()
    (leaky / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    code, out, err = silt(leaky)
    assert (code, out) == (0, "")
    assert "INCOMPLETE" in err
    assert blob in err
    code, out, err = silt(leaky, "--require-complete", "--json")
    assert code == 6
    assert json.loads(out)["summary"]["coverage"]["counts"] == {"missing": 1}


def test_shallow_clone_is_said_aloud(leaky, git, tmp_path):
    git(leaky, "commit", "-q", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{leaky}", "clone")
    assert "shallow clone" in silt(tmp_path / "clone")[2]


@pytest.mark.parametrize(("forced", "code"), [("scalar", 0), ("", 0), ("abacus", 1), (gear.available()[-1], 0)])
def test_a_forced_kernel_is_honoured_or_refused(repository, forced, code):
    ended, _, err = silt(repository, "--quiet", env={"SILTSTONE_KERNEL": forced})
    assert ended == code, err
    assert code == 0 or "abacus" in err


def test_a_repository_without_a_readable_blob_is_damaged_and_not_clean(leaky, git):
    git(leaky, "gc", "-q", "--prune=now")
    (pack,) = (leaky / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:60])
    ended, _, err = silt(leaky, "--quiet")
    assert ended == 2
    assert "not one blob can be read" in err
