"""``silt compress`` and ``silt decompress`` as a user runs them: names, streams, limits, interruption, exit codes."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from siltstone.cli.main import main
from siltstone.content.compression import compress, decompress
from siltstone.content.dictionaries import save_dictionary, train_dictionary

DATA = b"layers of silt " * 20_000 + random.Random(6).randbytes(50_000)


@pytest.fixture
def silt(tmp_path, monkeypatch, capsys):
    """Run the command in this process, in an empty folder; return its JSON, or what it says on stderr."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words, code=0):
        assert main(list(words)) == code
        said = capsys.readouterr()
        return json.loads(said.out) if "--json" in words else said.err

    yield run
    signal.signal(signal.SIGTERM, before)


def process(folder, *words, data):
    return subprocess.run([sys.executable, "-P", "-m", "siltstone.cli.main", *words], cwd=folder, input=data,
                          capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(("codec", "suffix"), [("zstd", ".zst"), ("lz4", ".lz4"), ("xz", ".xz"), ("bzip2", ".bz2")])
def test_a_file_goes_to_its_suffix_and_back(silt, tmp_path, codec, suffix):
    source = tmp_path / "data.bin"
    source.write_bytes(DATA)
    source.chmod(0o640)
    told = silt("compress", "data.bin", "--codec", codec, "--threads", "2", "--frame-size", "100000", "--json")
    packed = tmp_path / f"data.bin{suffix}"
    assert told == {"file": "data.bin", "output": packed.name, "codec": codec, "read_bytes": len(DATA),
                    "written_bytes": packed.stat().st_size}
    assert packed.stat().st_mode & 0o777 == 0o640
    assert decompress(packed.read_bytes()) == DATA
    assert "--force" in silt("decompress", packed.name, code=1)
    source.unlink()
    assert silt("decompress", packed.name, "--threads", "2", "--json")["codec"] == codec
    assert source.read_bytes() == DATA
    assert packed.exists()


def test_the_suffix_of_the_output_chooses_the_codec(silt, tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    silt("compress", "a", "-o", "b.xz", "--level", "1")
    assert (tmp_path / "b.xz").read_bytes()[:6] == b"\xfd7zXZ\0"
    silt("compress", "a", "-o", "b.xz", "--codec", "zstd", "-f", "-k", "--no-check", "--frame-size", "0")
    assert (tmp_path / "b.xz").read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    silt("decompress", "b.xz", "-o", "c")
    assert (tmp_path / "c").read_bytes() == DATA
    assert "suffix" in silt("decompress", "a", code=1)
    assert "suffix" in silt("compress", "a", "--codec", "none", code=1)


def test_streams_pass_through(tmp_path):
    packed = process(tmp_path, "compress", "-", data=DATA)
    assert packed.returncode == 0
    assert decompress(packed.stdout) == DATA
    back = process(tmp_path, "decompress", "-", data=packed.stdout + packed.stdout)
    assert back.stdout == DATA + DATA
    assert b"PROGRESS" in back.stderr
    assert os.listdir(tmp_path) == []


def test_a_bomb_stops_at_the_limit_and_leaves_nothing(silt, tmp_path):
    (tmp_path / "bomb.zst").write_bytes(compress(bytes(50 << 20)))
    for words in (["--limit-bytes", str((50 << 20) - 1)], ["--limit-ratio", "100"], ["--limit-bytes", "9", "-T", "2"]):
        told = silt("decompress", "bomb.zst", "--json", *words, code=5)
        assert told["error"]["code"] == "budget"
        assert os.listdir(tmp_path) == ["bomb.zst"]
    silt("decompress", "bomb.zst", "--limit-bytes", str(50 << 20))
    assert (tmp_path / "bomb").stat().st_size == 50 << 20


def test_damage_leaves_nothing_and_says_where(silt, tmp_path):
    packed = compress(DATA, "zstd")
    for name, data in (("cut.zst", packed[:-5]), ("tail.zst", packed + b"garbage"), ("empty.xz", b""),
                       ("other.xz", b"what is this")):
        (tmp_path / name).write_bytes(data)
        assert name in silt("decompress", name, code=2)
        assert not (tmp_path / name).with_suffix("").exists()
    assert len(os.listdir(tmp_path)) == 4
    assert "absent" in silt("decompress", "absent.zst", code=4)
    for words in (["--level", "99"], ["--threads", "0"], ["--frame-size", "7"], ["--frame-size", "0", "--threads", "2"]):
        silt("compress", "cut.zst", "-o", "x", *words, code=1)
    assert not (tmp_path / "x").exists()


def test_a_dictionary_is_asked_for_by_name(silt, tmp_path):
    dictionary = train_dictionary([b"record %d of the layers, sand %d, silt %d" % (at, at * 7, at * 31) for at in range(900)],
                                  size=2048)
    save_dictionary(dictionary, tmp_path / "d")
    (tmp_path / "a").write_bytes(b"record 5 of the layers, sand 35, silt 155")
    silt("compress", "a", "--dictionary", "d")
    assert str(dictionary.identity) in silt("decompress", "a.zst", "-o", "b", code=1)
    silt("decompress", "a.zst", "-o", "b", "--dictionary", "d")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()


def test_interrupted_it_leaves_nothing(tmp_path):
    with subprocess.Popen([sys.executable, "-P", "-m", "siltstone.cli.main", "compress", "-", "-o", "out.zst"], cwd=tmp_path,
                          stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdin.write(DATA)
        child.stdin.flush()
        assert child.stderr.readline().startswith(b"PROGRESS")
        deadline = time.monotonic() + 30
        while not os.listdir(tmp_path):  # the output has a place: all is loaded, and input is waited for
            assert time.monotonic() < deadline
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 130
        assert b"interrupted" in child.stderr.read()
    assert os.listdir(tmp_path) == []
