"""``silt narinfo`` as a user runs it: keys, signatures, archives, references, errors, exit codes."""

import hashlib
import io
import json
import lzma
import os
import signal
import stat
import subprocess
import sys
import tracemalloc

import pytest

from siltstone.cli.main import main
from siltstone.content.hash_text import Hash, format_hash

PART = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q"
ARCHIVE = f"an archive that names /nix/store/{PART}-a\n".encode()
FILE = lzma.compress(ARCHIVE)


def nix32(data):
    return format_hash(Hash("sha256", hashlib.sha256(data).digest()), "nix32")


NARINFO = f"""\
StorePath: /nix/store/{PART}-a
URL: nar/a.nar.xz
Compression: xz
FileHash: {nix32(FILE)}
FileSize: {len(FILE)}
NarHash: {nix32(ARCHIVE)}
NarSize: {len(ARCHIVE)}
References: {PART}-a
"""


@pytest.fixture
def silt(tmp_path, monkeypatch, capsysbinary):
    """Run the command in a folder with a narinfo, its file and a key; return what it prints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.narinfo").write_text(NARINFO)
    (tmp_path / "a.nar.xz").write_bytes(FILE)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words, code=0, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        assert main(["narinfo", *words]) == code
        return capsysbinary.readouterr()

    run("keygen", "own-1", "secret", "public")
    yield run
    signal.signal(signal.SIGTERM, before)


def test_keys_are_made_once_and_private(silt, tmp_path):
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert (tmp_path / "public").read_text().startswith("own-1:")
    before = (tmp_path / "secret").read_bytes()
    assert b"secret" in silt("keygen", "own-2", "secret", "public", code=4).err
    assert (tmp_path / "secret").read_bytes() == before
    made = json.loads(silt("keygen", "own-2", "s2", "p2", "--json").out)
    assert made["public_key"] == (tmp_path / "p2").read_text()
    assert "key name" in silt("keygen", "own 3", "s3", "p3", code=1).err.decode()
    assert not (tmp_path / "s3").exists()


def test_what_is_signed_verifies(silt, tmp_path):
    signed = silt("sign", "a.narinfo", "--key-file", "secret", "--quiet").out
    assert signed.startswith(NARINFO.encode())
    assert signed.count(b"Sig: own-1:") == 1
    (tmp_path / "signed").write_bytes(signed)
    public = (tmp_path / "public").read_text()
    assert silt("verify", "signed", "--public-key", public).out == b""
    assert b"archive as stated" in silt("verify", "signed", "--trusted-keys-file", "public", "--nar", "a.nar.xz").err
    said = json.loads(silt("verify", "-", "--trusted-keys-file", "public", "--nar", "a.nar.xz", "--json", stdin=signed).out)
    assert (said["verified"], said["signer"], said["good"], said["problems"]) == (True, "own-1", ["own-1"], [])
    assert said["nar"]["nar_size"] == len(ARCHIVE)


def test_in_place_and_output(silt, tmp_path):
    (tmp_path / "a.narinfo").chmod(0o640)
    silt("sign", "a.narinfo", "--key-file", "secret", "--in-place")
    assert stat.S_IMODE((tmp_path / "a.narinfo").stat().st_mode) == 0o640
    once = (tmp_path / "a.narinfo").read_bytes()
    (tmp_path / "link").symlink_to("a.narinfo")
    silt("sign", "link", "--key-file", "secret", "--in-place")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.narinfo").read_bytes() == once
    silt("keygen", "two-1", "secret2", "public2")
    said = json.loads(silt("sign", "a.narinfo", "--key-file", "secret", "--key-file", "secret2", "-o", "out", "--json").out)
    assert [text.partition(":")[0] for text in said["signatures"]] == ["own-1", "two-1"]
    assert (tmp_path / "out").read_bytes().startswith(once)
    assert b"--force" in silt("sign", "a.narinfo", "--key-file", "secret", "-o", "out", code=1).err
    silt("sign", "a.narinfo", "--key-file", "secret", "-o", "out", "--force")
    assert (tmp_path / "out").read_bytes() == once
    for words in (["-", "--in-place"], ["a.narinfo", "--json"], ["a.narinfo", "--in-place", "-o", "x"]):
        silt("sign", *words, "--key-file", "secret", code=1)


def test_what_is_wrong_is_told_with_exit_code_2(silt, tmp_path):
    silt("sign", "a.narinfo", "--key-file", "secret", "--in-place")
    silt("keygen", "two-1", "secret2", "public2")
    assert b"not trusted: own-1" in silt("verify", "a.narinfo", "--trusted-keys-file", "public2", code=2).out
    (tmp_path / "a.nar.xz").write_bytes(lzma.compress(ARCHIVE[::-1]))
    said = silt("verify", "a.narinfo", "--trusted-keys-file", "public", "--nar", "a.nar.xz", code=2).out.decode()
    assert said.startswith("NarHash: ")
    changed = (tmp_path / "a.narinfo").read_text().replace(f"NarSize: {len(ARCHIVE)}", "NarSize: 7")
    (tmp_path / "changed").write_text(changed)
    said = json.loads(silt("verify", "changed", "--trusted-keys-file", "public", "--json", code=2).out)
    assert (said["verified"], said["bad"]) == (False, ["own-1"])
    (tmp_path / "cut").write_text(changed[:-1])
    error = json.loads(silt("show", "cut", "--json", code=2).out)["error"]
    assert (error["source"], error["offset"]) == ("cut", len(changed) - 1)


def test_wrong_calls_end_with_exit_code_1(silt):
    silt("verify", "a.narinfo", code=1)
    assert b"public-key" in silt("verify", "a.narinfo", "--public-key", "nonsense", code=1).err
    silt("sign", "a.narinfo", code=1)
    silt("verify", "-", "--trusted-keys-file", "public", "--nar", "-", code=1, stdin=NARINFO.encode())
    silt("references", "a.nar.xz", code=1)
    silt("references", "a.nar.xz", "nonsense", code=1)
    silt("show", "absent", code=4)


def test_no_secret_is_printed(silt, tmp_path):
    digits = (tmp_path / "secret").read_text().partition(":")[2]
    (tmp_path / "secret").write_text(f"own 1:{digits}")
    for words in (["--json", "-o", "x"], []):
        said = silt("sign", "a.narinfo", "--key-file", "secret", *words, code=2)
        assert digits[:12].encode() not in said.out + said.err
        assert b"secret" in said.err


def test_show_prints_what_nix_writes(silt):
    assert silt("show", "a.narinfo").out.decode() == NARINFO
    assert silt("show", "-", "--fingerprint", stdin=NARINFO.encode()).out.startswith(f"1;/nix/store/{PART}-a;sha256:".encode())
    shown = json.loads(silt("show", "a.narinfo", "--json").out)
    assert shown["nar_size"] == len(ARCHIVE)
    assert shown["fingerprint"].endswith(f";/nix/store/{PART}-a")


def test_references_are_found_in_any_file(silt, tmp_path):
    absent = "0" * 32 + "-b"
    (tmp_path / "plain").write_bytes(ARCHIVE)
    (tmp_path / "list").write_text(f"/nix/store/{PART}-a\n{absent}\n")
    for file in ("plain", "a.nar.xz"):
        assert silt("references", file, PART, absent).out.decode() == f"{PART}\n"
        assert silt("references", file, "--paths-from", "list").out.decode() == f"/nix/store/{PART}-a\n"
    said = json.loads(silt("references", "-", PART, absent, "--json", stdin=FILE).out)
    assert said == {"file": "-", "searched": 2, "references": [PART]}
    assert silt("references", os.devnull, PART).out == b""


def test_a_file_without_lines_is_searched_in_little_memory(silt, tmp_path):
    (tmp_path / "big").write_bytes(PART.encode() + bytes(20 << 20))
    tracemalloc.start()
    assert silt("references", "big", PART, "0" * 32).out.decode() == f"{PART}\n"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_pipe_is_searched_in_blocks(tmp_path):
    command = [sys.executable, "-P", "-m", "siltstone.cli.main", "narinfo", "references", "-", PART, "0" * 32]
    data = PART.encode() + bytes(60 << 20)
    done = subprocess.run(command, input=data, capture_output=True, timeout=10, check=False, cwd=tmp_path)
    assert done.stdout.decode() == f"{PART}\n"
