"""``silt chunk`` as a user runs it: lines, JSON, streams, profiles, threads, errors, and memory that stays."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest

from siltstone._native import gear, literals
from siltstone.cli.main import main
from siltstone.content import Profile, cut_offsets, digest_of, get_profile, iter_chunks, kernels
from siltstone.content.profiles import DEFAULT_PROFILE

DATA = random.Random(23).randbytes(1_500_000) * 2 + bytes(700_000)
Silt = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def silt(tmp_path: Path) -> Silt:
    """Run the command in a folder that holds ``data``."""
    (tmp_path / "data").write_bytes(DATA)

    def run(*words: str, input: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        done = subprocess.run([sys.executable, "-P", "-m", "siltstone.cli.main", "chunk", *words], cwd=tmp_path, input=input,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == code, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
        assert b"Traceback" not in done.stderr
        return done

    return run


def rows_of(output: bytes) -> list[list[str]]:
    return [line.split() for line in output.decode().splitlines()]


def expected_rows(profile: Profile = DEFAULT_PROFILE, *, hashed: bool = True) -> list[list[str]]:
    chunks = list(iter_chunks(DATA, profile=profile))
    starts = [0, *accumulate(map(len, chunks))]
    return [[str(start), str(len(chunk)), *([digest_of(chunk).hex()] if hashed else [])]
            for start, chunk in zip(starts, chunks, strict=False)]


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_file_is_listed_chunk_by_chunk(silt: Silt, threads: str) -> None:
    done = silt("data", "--threads", threads)
    assert rows_of(done.stdout) == expected_rows()
    assert b"PROGRESS:100" in done.stderr
    assert b"chunks of 3,700,000 bytes" in done.stderr
    assert b"% of the bytes are distinct" in done.stderr
    assert rows_of(silt("data", "--no-hash", "--threads", threads).stdout) == expected_rows(hashed=False)


def test_json_lines_end_with_the_summary(silt: Silt) -> None:
    *lines, last = map(json.loads, silt("data", "--json", "--quiet").stdout.splitlines())
    assert [[str(line["offset"]), str(line["size"]), line["blake3"]] for line in lines] == expected_rows()
    assert {line["file"] for line in lines} == {"data"}
    summary = last["summary"]
    assert (summary["chunks"], summary["bytes"]) == (len(lines), len(DATA))
    assert summary["profile"] == Profile().as_dict()
    assert sum(group["chunks"] for group in summary["histogram"]) == len(lines)
    distinct = {line["blake3"]: line["size"] for line in lines}
    assert summary["distinct_share"] == pytest.approx(sum(distinct.values()) / len(DATA), abs=1e-6)
    assert summary["distinct_share_exact"] is True
    unhashed = json.loads(silt("data", "--json", "--no-hash").stdout.splitlines()[0])
    assert unhashed["blake3"] is None


def test_standard_input_and_several_files(silt: Silt) -> None:
    done = silt("-", "data", "--quiet", input=DATA)
    rows = rows_of(done.stdout)
    assert [row[:3] for row in rows] == expected_rows() * 2
    assert [row[3] for row in rows] == ["-"] * (len(rows) // 2) + ["data"] * (len(rows) // 2)
    assert done.stderr == b""
    assert silt("-", "--quiet").stdout == b""
    assert b"0 chunks of 0 bytes" in silt("/dev/null").stderr


def test_profiles_by_name_and_by_sizes(silt: Silt) -> None:
    small = Profile(minimum=2_048, target=8_192, maximum=32_768)
    assert rows_of(silt("data", "--profile", "fastcdc-8k").stdout) == expected_rows(small)
    assert rows_of(silt("data", "--target", "8K").stdout) == expected_rows(small)
    custom = Profile(minimum=100, target=1_024, maximum=4_096, normalization=3, seed=255)
    words = ["--min", "100", "--target", "1KiB", "--max", "4kb", "--normalization", "3", "--seed", "0xff", "--kernel", "scalar"]
    assert [row[1] for row in rows_of(silt("data", "--no-hash", *words).stdout)] == [
        row[1] for row in expected_rows(custom, hashed=False)
    ]
    assert list(cut_offsets(DATA, profile=custom))[-1] == len(DATA)


def test_profiles_are_listed_with_the_digest_of_their_table(silt: Silt) -> None:
    listed = json.loads(silt("--list-profiles", "--json").stdout)["profiles"]
    default = next(one for one in listed if one["name"] == "fastcdc-64k")
    assert default == {"name": "fastcdc-64k", **Profile().as_dict()}
    table = silt("--list-profiles").stdout
    assert table.count(b"\n") == len(listed) + 1
    assert default["table"][:16].encode() in table


def test_an_algorithm_brings_its_own_normalization(silt: Silt) -> None:
    profile = Profile(algorithm="gearhash", minimum=32 << 10, target=128 << 10, maximum=512 << 10)
    cut = silt("data", "--algorithm", "gearhash", "--profile", "reapi", "--target", "128K", "--no-hash")
    assert rows_of(cut.stdout) == expected_rows(profile, hashed=False)


@pytest.mark.parametrize(("words", "code", "problem"), [
    ([], 1, "FILE"),
    (["absent"], 4, "absent: No such file"),
    (["data", "absent"], 4, "absent: No such file"),
    (["."], 4, "Is a directory"),
    (["data", "--profile", "huge"], 1, "fastcdc-8k"),
    (["data", "--target", "3"], 1, "minimum"),
    (["data", "--target", "many"], 1, "such as 65536"),
    (["data", "--max", "99M"], 1, "maximum"),
    (["data", "--seed", "x"], 1, "--seed: expected a number such as 255 or 0xff"),
    (["data", "--threads", "0"], 1, "threads"),
    (["data", "--kernel", "steam"], 1, "kernel"),
    (["data", "--algorithm", "rolling"], 1, "algorithm"),
    (["data", "--algorithm", "gearhash", "--normalization", "1"], 1, "normalization"),
])
def test_errors_say_what_is_wrong_before_anything_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], code: int, problem: str
) -> None:
    (tmp_path / "data").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert main(["chunk", *words]) == code
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    said = capsys.readouterr()
    assert said.out == ""
    assert problem in said.err.splitlines()[-1]


@pytest.mark.parametrize("forced", sorted({"", *gear.available(), *literals.variants()}))
@pytest.mark.parametrize("profile", ["fastcdc-64k", "xet"])
def test_a_variant_that_the_environment_names_is_taken_where_the_kernel_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], forced: str, profile: str
) -> None:
    (tmp_path / "data").write_bytes(DATA)
    taken = []
    real = kernels.scanner
    monkeypatch.setattr(kernels, "scanner", lambda profile, kernel="auto": taken.append(kernel) or real(profile, kernel=kernel))
    monkeypatch.setenv("SILTSTONE_KERNEL", forced)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert main(["chunk", str(tmp_path / "data"), "--profile", profile, "--no-hash", "--quiet"]) == 0
        monkeypatch.setenv("SILTSTONE_KERNEL", "steam")
        assert main(["chunk", str(tmp_path / "data")]) == 1
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert taken == [forced if forced in kernels.available(get_profile(profile).algorithm) else "auto"]
    assert "steam" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_shown_escaped(silt: Silt, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).write_bytes(DATA)
    assert rb"caf\udce9" in silt(name, "data").stdout
    assert json.loads(silt(name, "--json").stdout.splitlines()[0])["file"] == name


def test_a_reader_that_goes_away_ends_the_listing(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    line = f"'{sys.executable}' -P -m siltstone.cli.main chunk data --target 1K --quiet | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_endless_input_can_be_interrupted(threads: str) -> None:
    words = [sys.executable, "-P", "-m", "siltstone.cli.main", "chunk", "-", "--threads", threads]
    with open("/dev/zero", "rb") as zeros, subprocess.Popen(
        words, stdin=zeros, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"PROGRESS:0 chunk\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"silt: interrupted\n"
        assert process.wait(timeout=30) == 130
