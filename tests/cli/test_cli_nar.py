"""``silt nar`` as a user runs it: files and pipes, compressed archives, listings, limits, errors and exit codes."""

import bz2
import json
import lzma
import os
import subprocess
import sys
import zlib

import pytest

from siltstone.content.compression import compress
from tests.content.nar_world import HELLO, SMALL, directory, nar, regular, symlink


@pytest.fixture
def silt(tmp_path):
    """Run the command in an empty folder."""

    def run(*words, input=b"", code=0):  # noqa: A002
        done = subprocess.run([sys.executable, "-P", "-m", "siltstone.cli.main", "nar", *words], cwd=tmp_path, input=input,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == code, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
        assert b"Traceback" not in done.stderr
        return done

    return run


def test_a_tree_goes_through_files_and_pipes(silt, tmp_path):
    told = json.loads(silt("unpack", "-", "tree", "--json", input=SMALL).stdout)
    assert told["files"] == 3
    assert told["nar_size"] == len(SMALL)
    packed = silt("pack", "tree")
    assert packed.stdout == SMALL
    assert told["nar_hash"].encode() in packed.stderr
    assert told["nar_hash_sri"].encode() in packed.stderr
    assert json.loads(silt("pack", "tree", "-o", "tree.nar", "--json").stdout)["nar_hash"] == told["nar_hash"]
    assert (tmp_path / "tree.nar").read_bytes() == SMALL
    assert silt("pack", "tree", "--quiet", "-o", "-").stderr == b""
    silt("unpack", "tree.nar", "again", "--hash", told["nar_hash_sri"])
    assert os.readlink(tmp_path / "again/link") == "bin/run"
    assert silt("cat", "tree.nar", "bin/run").stdout == b"#!/bin/sh\nexit 0\n"
    assert json.loads(silt("cat", "tree.nar", "text", "-o", "out", "--json").stdout)["size"] == 8
    silt("cat", "tree.nar", "text", "--json", code=1)
    assert (tmp_path / "out").read_bytes() == b"12345678"


def test_listings_are_short_long_or_json(silt, tmp_path):
    (tmp_path / "small.nar").write_bytes(SMALL)
    assert silt("ls", "small.nar").stdout.split() == [b"./bin", b"./empty", b"./link", b"./text", b"./zero"]
    assert silt("ls", "-R", "small.nar", "/bin").stdout == b"./run\n"
    assert silt("ls", "small.nar", "text").stdout == b"/text\n"
    long = silt("ls", "small.nar", "-lR").stdout.decode().splitlines()
    assert [line.split()[0] for line in long] == [
        "dr-xr-xr-x", "-r-xr-xr-x", "dr-xr-xr-x", "lrwxrwxrwx", "-r--r--r--", "-r--r--r--"]
    assert long[1].split()[1:] == ["17", str(SMALL.index(b"#!")), "./bin/run"]
    assert long[3].endswith("./link -> bin/run")
    tree = json.loads(silt("ls", "-", "--json", "-R", input=SMALL).stdout)
    assert tree["entries"]["bin"]["entries"]["run"]["executable"] is True
    odd = nar(directory((b"\x1b[31m\xff", symlink(b"\x07"))))
    assert silt("ls", "-", "-l", input=odd).stdout.split()[3:] == [b"./\\x1b[31m\\udcff", b"->", b"\\x07"]


@pytest.mark.parametrize("packed", [
    lambda data: compress(data, "zstd"), lzma.compress, bz2.compress, lambda data: compress(data[:300], "zstd")
    + compress(data[300:], "zstd"), lambda data: compress(data, "lz4"),
], ids=["zstd", "xz", "bzip2", "zstd frames", "lz4"])
def test_compressed_archives_are_read_as_they_are(silt, tmp_path, packed):
    data = bytes(packed(SMALL))
    (tmp_path / "small.nar.any").write_bytes(data)
    assert silt("cat", "small.nar.any", "text").stdout == b"12345678"
    assert silt("cat", "-", "text", input=data).stdout == b"12345678"
    silt("unpack", "-", "tree", input=data)
    assert silt("pack", "tree").stdout == SMALL
    silt("ls", "-", input=data[:-1], code=2)


def test_wrong_use_is_told_in_one_line(silt, tmp_path):
    (tmp_path / "small.nar").write_bytes(SMALL)
    (tmp_path / "tree").mkdir()
    for code, words in (
        (1, ("unpack", "small.nar", "tree")), (1, ("cat", "small.nar", "absent")), (1, ("cat", "small.nar", "bin")),
        (1, ("ls", "small.nar", "absent")), (1, ("pack", "tree", "--json")), (1, ("pack", "tree", "-o", "small.nar")),
        (1, ("unpack", "small.nar", "new", "--limit-entries", "0")), (1, ()), (4, ("ls", "absent.nar")),
        (4, ("pack", "absent")),
        (2, ("unpack", "small.nar", "new", "--hash", "sha256:" + "0" * 52)), (2, ("unpack", "small.nar", "new", "--hash", "x")),
        (5, ("unpack", "small.nar", "new", "--limit-entries", "5")), (5, ("ls", "small.nar", "--limit-bytes", "20")),
    ):
        error = silt(*words, code=code).stderr
        assert error.count(b"\n") <= 2, error
    for data in (b"", b"plain text", SMALL + b"\0", SMALL[:-1], zlib.compress(SMALL)):
        silt("unpack", "-", "new", input=data, code=2)
        silt("ls", "-", input=data, code=2)
    assert sorted(os.listdir(tmp_path)) == ["small.nar", "tree"]
    assert (tmp_path / "small.nar").read_bytes() == SMALL


def test_a_limit_says_what_it_counts(silt):
    for words, unit in (("--limit-entries", "5"), "entries"), (("--limit-bytes", "20"), "bytes"):
        told = json.loads(silt("ls", "-", "--json", *words, input=SMALL, code=5).stdout)["error"]
        assert (told["unit"], told["limit_bytes"]) == (unit, int(words[1]))


def test_colliding_names_can_be_refused_or_renamed(silt, tmp_path):
    archive = nar(directory((b"A", HELLO), (b"a", regular(b""))))
    silt("unpack", "-", "tree", "--collisions", "refuse", input=archive, code=2)
    silt("unpack", "-", "tree", "--collisions", "rename", input=archive)
    assert sorted(os.listdir(tmp_path / "tree")) == ["A", "a~nix~case~hack~1"]
    assert silt("pack", "--case-hack", "tree").stdout == archive


def test_an_interrupt_leaves_nothing(tmp_path):
    command = [sys.executable, "-P", "-m", "siltstone.cli.main", "nar", "unpack", "-", "tree"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(SMALL[:400])
    process.stdin.flush()
    line = process.stderr.readline()
    assert line.startswith(b"PROGRESS")
    process.terminate()
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_is_no_error(silt, tmp_path):
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    command = f"'{sys.executable}' -P -m siltstone.cli.main nar pack big --quiet | head -c 10 | wc -c"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "10"
    assert done.stderr == ""


def test_names_in_an_archive_do_not_drive_the_terminal(silt):
    archive = nar(directory((b"\x1b[31mA", HELLO), (b"\x1b[31ma", HELLO)))
    said = silt("unpack", "-", "tree", "--collisions", "refuse", input=archive, code=2).stderr
    assert b"\x1b" not in said
    assert b"\\x1b[31ma" in said
    assert b"\x1b" not in silt("cat", "-", "\x1b[31mB", input=archive, code=1).stderr


def test_an_archive_is_not_made_inside_of_what_it_holds(silt, tmp_path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("tree/sub")
    for output in ("tree/out.nar", "tree/sub/out.nar", "link/out.nar"):
        assert b"part of itself" in silt("pack", "tree", "-o", output, code=1).stderr
    silt("pack", "tree", "-o", "tree.nar")
    silt("pack", "tree/file", "-o", "tree/file.nar")
    assert sorted(path.name for path in (tmp_path / "tree").iterdir()) == ["file", "file.nar", "sub"]


def test_names_that_the_terminal_has_no_letters_for_are_escaped(silt, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert silt("ls", "-", input=nar(directory(("\u0436".encode(), HELLO)))).stdout == b"./\\u0436\n"
