"""``silt store`` as a user runs it: files, streams, names, errors, exit codes."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest

from siltstone.cli.main import main
from siltstone.content.store import ChunkStore

DATA = random.Random(11).randbytes(300_000)


@pytest.fixture
def silt(tmp_path):
    """Run the command in an empty folder."""

    def run(*words, input=b"", code=0):  # noqa: A002
        done = subprocess.run([sys.executable, "-P", "-m", "siltstone.cli.main", "store", *words], cwd=tmp_path, input=input,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == code, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
        assert b"Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def fails(tmp_path, monkeypatch, capsys):
    """Run the command in this process and return what it says on stderr."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def run(code, *words):
        try:
            found = main(["store", *words])
        except SystemExit as error:
            found = error.code
        assert found == code
        return capsys.readouterr().err

    yield run
    signal.signal(signal.SIGTERM, before)


def test_a_file_goes_in_and_comes_back(silt, tmp_path):
    (tmp_path / "in.bin").write_bytes(DATA)
    put = json.loads(silt("put", "--store", "st", "in.bin", "--json").stdout)
    assert put["files"][0]["size"] == len(DATA)
    assert put["new_chunks"] == put["chunks"] > 1
    (tmp_path / "in.bin").unlink()
    done = silt("get", "--store", "st", "in.bin")
    assert (tmp_path / "in.bin").read_bytes() == DATA
    assert b"PROGRESS:" in done.stderr
    assert silt("get", "--store", "st", "in.bin", "-o", "other", "--quiet").stderr == b""
    assert (tmp_path / "other").read_bytes() == DATA


def test_streams_go_in_and_come_back(silt):
    silt("put", "--store", "st", "-", "--name", "stream", input=DATA)
    assert silt("get", "--store", "st", "stream", "-o", "-").stdout == DATA


def test_list_and_verify(silt, tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(DATA)
    silt("put", "--store", "st", "b", "a")
    listed = json.loads(silt("list", "--store", "st", "--json").stdout)
    assert [file["name"] for file in listed["files"]] == ["a", "b"]
    assert listed["stats"]["bytes"] == 2 * len(DATA)
    assert listed["stats"]["chunk_bytes"] == len(DATA)
    assert silt("list", "--store", "st").stdout.count(b"\n") == 2
    assert json.loads(silt("verify", "--store", "st", "--json").stdout)["problems"] == []
    [pack] = (tmp_path / "st" / "packs").iterdir()
    pack.write_bytes(pack.read_bytes()[:100] + b"?" + pack.read_bytes()[101:])
    assert b"digest" in silt("verify", "--store", "st", code=2).stdout
    error = json.loads(silt("get", "--store", "st", "a", "-o", "x", "--json", code=2).stdout)["error"]
    assert error["code"] == "corrupt"
    assert not (tmp_path / "x").exists()


def test_clear_errors(fails, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"2")
    assert "a and sub/a would have the same name" in fails(1, "put", "--store", "st", "a", "sub/a")
    assert not (tmp_path / "st").exists()
    assert "absent: No such file" in fails(4, "put", "--store", "st", "a", "absent")
    assert "Is a directory" in fails(4, "put", "--store", "st", "sub")
    fails(0, "put", "--store", "st", "a")
    assert "already: a" in fails(1, "put", "--store", "st", "sub/a")
    fails(0, "put", "--store", "st", "sub/a", "--replace")
    assert "b: the store has no file of this name" in fails(1, "get", "--store", "st", "b")
    assert "--force" in fails(1, "get", "--store", "st", "a")
    fails(0, "get", "--store", "st", "a", "--force")
    assert (tmp_path / "a").read_bytes() == b"2"
    assert "no chunk store" in fails(1, "list", "--store", "sub")
    assert "no chunk store" in fails(3, "put", "--store", "sub", "a")
    assert "fastcdc-8k" in fails(1, "put", "--store", "new", "a", "--profile", "huge")
    assert not (tmp_path / "new").exists()
    assert "json" in fails(1, "get", "--store", "st", "a", "-o", "-", "--json")
    assert "required" in fails(1, "put", "--store", "st")
    assert "--name" in fails(1, "put", "--store", "st", "-")


def test_what_nobody_needs_is_freed(silt, fails, tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "b").write_bytes(random.Random(12).randbytes(300_000))
    silt("put", "--store", "st", "a", "b")
    assert b"2 files of 600,000 bytes" in silt("stats", "--store", "st").stdout
    assert json.loads(silt("stats", "--store", "st", "--json").stdout)["stats"]["files"] == 2
    assert "zz: the store has no file" in fails(1, "delete", "--store", "st", "a", "zz")
    silt("delete", "--store", "st", "a")
    would = json.loads(silt("gc", "--store", "st", "--dry-run", "--json").stdout)
    assert would["dry_run"]
    assert would["chunks_removed"] > 1
    before = json.loads(silt("stats", "--store", "st", "--json").stdout)["stats"]["stored_bytes"]
    assert b"freed" in silt("gc", "--store", "st", "--quiet").stdout
    after = json.loads(silt("stats", "--store", "st", "--json").stdout)["stats"]["stored_bytes"]
    assert before - after > 250_000
    silt("get", "--store", "st", "b", "--force")
    assert "waste" in fails(1, "gc", "--store", "st", "--waste", "7")


def test_timings_name_the_stage_that_took_longest(silt, tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    shown = silt("put", "--store", "st", "a", "--timings").stderr
    assert b"compress" in shown
    assert b"limit" in shown
    timed = json.loads(silt("put", "--store", "st2", "a", "--timings", "--json").stdout)["timings"]
    assert set(timed["stages"]) >= {"read", "cut", "hash", "compress", "put"}


def test_a_device_is_written_and_not_replaced(silt, tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    silt("put", "--store", "st", "a")
    silt("get", "--store", "st", "a", "-o", "/dev/null")
    assert not os.path.isfile("/dev/null")


def test_a_name_that_is_no_text_is_shown_escaped(silt, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).write_bytes(DATA)
    assert rb"caf\udce9" in silt("put", "--store", "st", name).stdout
    assert rb"caf\udce9" in silt("list", "--store", "st").stdout
    silt("get", "--store", "st", name, "--force")


def test_a_file_is_stored_though_nobody_reads_what_is_said_of_it(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        words = [sys.executable, "-P", "-m", "siltstone.cli.main", "store", "put", "--store", "st", "a"]
        done = subprocess.run(words, cwd=tmp_path, stderr=closed, stdout=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stdout[:8]) == (0, b"stored a")
    with ChunkStore.open(tmp_path / "st") as store:
        assert b"".join(store.iter_chunks("a")) == DATA


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_put_that_waits_for_a_silent_pipe(tmp_path, number):
    words = [sys.executable, "-P", "-m", "siltstone.cli.main", "store", "put", "--store", "st", "-", "--name", "a"]
    with subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == b"PROGRESS:0 store\n"
        process.stdin.write(DATA)
        process.stdin.flush()
        while not list(tmp_path.glob("st/staging/*/0.manifest")):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == b"silt: interrupted\n"
    assert list((tmp_path / "st" / "staging").iterdir()) == []
    with ChunkStore.open(tmp_path / "st") as store:
        assert list(store.iter_files()) == []


def test_a_store_that_may_not_be_written_to_can_be_read(silt, tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    silt("put", "--store", "st", "a")
    for path in (tmp_path / "st" / "lock", tmp_path / "st" / "writers"):
        path.unlink()
    before = sorted(path for path in (tmp_path / "st").rglob("*"))
    for words in (("verify",), ("list",), ("stats",), ("get", "a", "-o", "b")):
        silt(words[0], "--store", "st", *words[1:])
    assert sorted(path for path in (tmp_path / "st").rglob("*")) == before


def test_a_name_never_steers_the_terminal(silt, fails, tmp_path):
    assert r"no\x1b[2J: No such file" in fails(4, "put", "--store", "st", "--name", "a", "no\x1b[2J")
    assert "control characters" in fails(1, "put", "--store", "st", "a\nb")


@pytest.mark.parametrize(("words", "code"), [(("get", "--store", "st", "a", "--json"), 1), (("list", "--store", "."), 1)])
def test_an_error_that_nobody_reads_still_gives_its_code(tmp_path, words, code):
    ChunkStore.open(tmp_path / "st", create=True).close()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([sys.executable, "-P", "-m", "siltstone.cli.main", "store", *words], cwd=tmp_path, stdout=closed,
                              stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == code
    assert done.stderr.count(b"\n") == 1
