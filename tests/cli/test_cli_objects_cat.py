"""``silt objects cat`` against ``git cat-file``: the same bytes for the same names."""

from __future__ import annotations

import base64
import io
import json
import signal
import sys

import pytest

from siltstone.cli.main import main
from tests.gitobjects.histories import FORMATS, make_history, run_git


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])


@pytest.fixture(scope="module", params=FORMATS)
def history(request, tmp_path_factory):
    repository = make_history(tmp_path_factory.mktemp("cat") / "r", request.param, seed=11, commits=30)
    run_git(repository, "tag", "-a", "-m", "m", "heavy", "HEAD")
    return repository


@pytest.fixture
def cat(history, capfdbinary):
    def run(*words):
        code = main(["objects", "cat", "--repo", str(history), *words])
        return code, capfdbinary.readouterr().out

    return run


def every_object(repository):
    listed = run_git(repository, "cat-file", "--batch-all-objects", "--batch-check").decode().splitlines()
    return [line.split() for line in listed]


@pytest.mark.oracle
@pytest.mark.parametrize("option", ["-p", "-t", "-s"])
def test_every_object_looks_as_git_shows_it(history, cat, option):
    for oid, kind, _ in every_object(history)[::5]:
        assert cat(option, oid) == (0, run_git(history, "cat-file", option, oid))
        assert cat(oid) == (0, run_git(history, "cat-file", kind, oid))


@pytest.mark.oracle
def test_several_names_follow_each_other(history, cat):
    assert cat("-p", "HEAD", "HEAD:", "heavy") == (
        0, b"".join(run_git(history, "cat-file", "-p", name) for name in ("HEAD", "HEAD:", "heavy")))


@pytest.mark.oracle
@pytest.mark.parametrize("option", ["--batch", "--batch-check"])
def test_a_batch_answers_as_git_does(history, cat, monkeypatch, option):
    names = [oid for oid, _, _ in every_object(history)] + ["HEAD", "heavy^{tree}", "absent", "0" * 8, "HEAD:nothing"]
    text = "".join(f"{name}\n" for name in names).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert cat(option) == (0, run_git(history, "cat-file", option, data=text))


@pytest.mark.oracle
def test_all_objects_come_out_byte_for_byte(history, cat):
    answers = []
    for output in (cat("--batch-all-objects")[1], run_git(history, "cat-file", "--batch-all-objects", "--batch")):
        found, at = {}, 0
        while at < len(output):
            end = output.index(b"\n", at)
            size = int(output[at:end].split()[2])
            found[output[at:end]] = output[end + 1 : end + 1 + size]
            at = end + 2 + size
        answers.append(found)
    assert answers[0] == answers[1]


def test_json_holds_every_byte(history, cat):
    for oid, kind, size in every_object(history)[::9]:
        code, out = cat("--json", oid)
        [told] = json.loads(out)["objects"]
        assert (code, told["object"], told["type"], told["size"]) == (0, oid, kind, int(size))
        if kind == "tree":
            listed = run_git(history, "ls-tree", "-z", oid).split(b"\0")[:-1]
            paths = [row["path"].encode() if "path" in row else base64.b64decode(row["path_b64"]) for row in told["entries"]]
            assert paths == [line.split(b"\t", 1)[1] for line in listed]
        else:
            assert told["content"].encode() == run_git(history, "cat-file", kind, oid)


@pytest.mark.parametrize(("words", "code"), [
    (["-e", "HEAD"], 0), (["-e", "absent"], 1), (["absent"], 1), ([], 1), (["-p", "-t", "HEAD"], 1), (["--batch", "HEAD"], 1),
    (["HEAD:@{0}"], 1), (["HEAD@{0}"], 2), (["--max-memory-mb", "1", "HEAD"], 1), (["--max-memory-mb", "16", "-e", "HEAD"], 0),
])  # fmt: skip
def test_exit_codes(cat, words, code):
    assert cat(*words) == (code, b"")


def test_damage_is_told_and_the_rest_still_comes(tmp_path, capfdbinary):
    repository = make_history(tmp_path / "r", "sha1", seed=3, commits=5)
    run_git(repository, "repack", "-adq")
    pack = next((repository / "objects" / "pack").glob("*.pack"))
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[40] ^= 0xFF
    pack.write_bytes(data)
    assert main(["objects", "cat", "--repo", str(repository), "--batch-all-objects"]) == 2
    told = capfdbinary.readouterr()
    assert b"INCOMPLETE" in told.err
    assert b"corrupt" in told.err
    assert told.out


@pytest.mark.oracle
def test_alternates_of_the_environment_are_read(tmp_path, git, monkeypatch, capfdbinary):
    for name in ("own", "lender"):
        git(tmp_path, "init", "-q", name)
    blob = git(tmp_path / "lender", "hash-object", "-w", "--stdin", input=b"lent").decode().strip()
    words = ["objects", "cat", "--repo", str(tmp_path / "own"), blob]
    assert main(words) != 0
    text = f"{tmp_path}/lender/.git/obj\\145cts"
    monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", f'"{text}"')
    assert git(tmp_path / "own", "cat-file", "-p", blob, env={"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{text}"'}) == b"lent"
    capfdbinary.readouterr()
    assert main(words) == 0
    assert capfdbinary.readouterr().out == b"lent"


@pytest.mark.parametrize("words", [["objects", "cat", "HEAD"], ["history", "candidates"]])
def test_a_closed_standard_output_is_no_bug(history, monkeypatch, words):
    monkeypatch.setattr("sys.stdout", None)
    assert main([*words, "--repo", str(history)]) == 0


@pytest.mark.parametrize("how", ["HEAD~%s", "HEAD^%s"])
@pytest.mark.parametrize("digits", [11, 5000])
def test_absurd_numbers_in_names_are_told(cat, how, digits):
    assert cat(how % ("9" * digits)) == (1, b"")
    assert cat(how % ("0" * digits + "1"))[0] == 0


def test_a_large_loose_object_has_a_type_and_a_size_and_is_no_gap_among_commits(tmp_path, capfdbinary):
    repository = make_history(tmp_path / "r", "sha1", seed=3, commits=2)
    large = bytes(range(256)) * (17 << 12)
    oid = run_git(repository, "-c", "core.compression=0", "hash-object", "-w", "--stdin", data=large).decode().strip()
    common = ["--repo", str(repository), "--max-memory-mb", "16", "--quiet"]
    assert [main(["objects", "cat", *common, option, oid]) for option in ("-t", "-s", "-e")] == [0, 0, 0]
    assert capfdbinary.readouterr().out == b"blob\n%d\n" % len(large)
    assert main(["objects", "cat", *common, oid]) == 5
    assert main(["objects", "stats", *common]) == 0
    assert main(["history", "candidates", *common]) == 0
    assert b"oversize" not in capfdbinary.readouterr().err
