"""``silt hash`` as a user runs it: styles, streams, failures beside results, checks, the cache."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from siltstone.cli.main import main
from siltstone.content.hashing import digest_of

DATA = random.Random(12).randbytes(300_000)


@pytest.fixture
def silt(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder, in this process; return what it says on stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "b").write_bytes(b"abc")
    before = signal.getsignal(signal.SIGTERM)

    def run(*words, code=0):
        found = main(["hash", *words])
        said = capsys.readouterr()
        assert found == code, said
        return said

    yield run
    signal.signal(signal.SIGTERM, before)


def test_lines_are_those_of_b3sum(silt):
    assert silt("a", "b", "--quiet") == (f"{digest_of(DATA).hex()}  a\n{digest_of(b'abc').hex()}  b\n", "")
    assert silt("a", "--quiet").out == f"{digest_of(DATA).hex()}  a\n"
    assert "PROGRESS:100" in silt("a", "--threads", "1").err


@pytest.mark.oracle
def test_styles_of_sha256(silt):
    for style, text in (
        ("hex", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("nix32", "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"),
        ("base64", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
        ("sri", "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
    ):
        assert silt("b", "--algorithm", "sha256", "--format", style, "--quiet").out == f"{text}  b\n"


def test_a_failure_stays_with_its_file(silt, tmp_path):
    (tmp_path / "folder").mkdir()
    said = silt("a", "absent", "folder", "b", "--quiet", code=4)
    assert said.out.count("\n") == 2
    assert said.err.splitlines() == ["silt: absent: No such file or directory", "silt: folder: Is a directory"]
    found = json.loads(silt("absent", "b", "--json", "--quiet", code=4).out)
    assert found["failed"] == 1
    assert found["files"][0]["error"] == {"code": "os", "message": "absent: No such file or directory", "exit_code": 4}
    assert found["files"][1] == {"name": "b", "digest": digest_of(b"abc").hex()}
    assert "absent" in silt("absent", "--quiet", code=4).err


def test_streams(tmp_path):
    (tmp_path / "b").write_bytes(b"abc")
    for words in ([], ["-"], ["b", "-"]):
        done = subprocess.run([sys.executable, "-P", "-m", "siltstone.cli.main", "hash", *words, "--quiet"], cwd=tmp_path,
                              input=DATA, capture_output=True, timeout=60, check=True)
        assert done.stdout.decode().splitlines()[-1] == f"{digest_of(DATA).hex()}  -"


def test_names_that_steer_a_terminal_or_are_no_text_are_escaped_and_checked(silt, tmp_path):
    names = ["line\nfeed", "back\\slash", "\x1b[31m", os.fsdecode(b"caf\xe9")]
    for name in names:
        (tmp_path / name).write_bytes(b"abc")
    out = silt(*names, "--quiet").out
    assert out.count("\n") == 4
    assert "\x1b" not in out
    (tmp_path / "sums").write_text(out)
    assert silt("--check", "sums", "--quiet").out == ""
    assert silt("--check", "sums").out.splitlines()[3] == r"caf\xe9: OK"


def test_a_check_tells_what_differs(silt, tmp_path):
    lines = [f"{digest_of(DATA).hex()}  a", f"blake3:{digest_of(b'abc').hex().upper()} *b", ""]
    (tmp_path / "sums").write_text("\n".join(lines))
    assert silt("--check", "sums").out == "a: OK\nb: OK\n"
    (tmp_path / "sums").write_text("\n".join([*lines, f"{'0' * 64}  b", f"{'0' * 64}  absent", "nonsense", "xyz  a"]))
    said = silt("--check", "sums", code=2)
    assert said.out.splitlines()[2:] == [
        "b: FAILED", "absent: FAILED open or read", "sums:6: FAILED line", "sums:7: FAILED line",
    ]
    assert "sums, line 6" in said.err
    found = json.loads(silt("--check", "sums", "--json", "--quiet", code=2).out)
    assert [row["ok"] for row in found["files"]] == [True, True, False, False, False, False]
    assert found["failed"] == 4
    (tmp_path / "sums").write_text(f"{'0' * 64}  absent")
    assert "absent: FAILED open or read" in silt("--check", "sums", code=4).out
    (tmp_path / "sums").write_text("")
    silt("--check", "sums", code=2)
    silt("--check", "absent", code=4)


@pytest.mark.oracle
def test_sha256sum_checks_our_lines(silt, tmp_path):
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    (tmp_path / "sums").write_text(silt("a", "b", "--algorithm", "sha256", "--quiet").out)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "sums"], cwd=tmp_path, check=True)


def test_a_cache_is_kept_and_a_damaged_one_is_told(silt, tmp_path):
    for name in ("a", "b"):
        os.utime(tmp_path / name, (1, 1))
    found = json.loads(silt("a", "b", "--cache", "hashes", "--json", "--quiet").out)
    assert found["cache"]["unsettled"] == 2  # their inodes changed just now
    assert found["files"][0]["digest"] == digest_of(DATA).hex()
    assert json.loads(silt("a", "b", "--cache", "hashes", "--json", "--quiet").out)["cache"]["misses"] == 2
    (tmp_path / "hashes").write_bytes(b"silthash and nothing else")
    said = silt("b", "--cache", "hashes", "--quiet")
    assert "not used" in said.err
    assert said.out == f"{digest_of(b'abc').hex()}  b\n"
    silt("b", "--cache", "absent/hashes", "--quiet", code=4)


def test_wrong_calls_are_refused(silt, capsys):
    for words in (["--cache", "x", "--check", "a"], ["a", "--threads", "-1"], ["a", "--algorithm", "md5"],
                  ["a", "--threads", "1000"]):
        assert silt(*words, code=1).err.startswith("silt: ")
    assert "threads: expected 0 to 256" in silt("a", "--threads", "257", code=1).err


def test_digests_are_those_of_hashlib(silt):
    found = json.loads(silt("a", "b", "--algorithm", "sha256", "--json", "--quiet").out)
    assert [row["digest"] for row in found["files"]] == [hashlib.sha256(one).hexdigest() for one in (DATA, b"abc")]
