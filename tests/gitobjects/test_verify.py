"""Verification lacks the objects that git lacks, and finds every flipped byte of every file that has a checksum."""

from __future__ import annotations

import json
import re
import subprocess
import zlib

import pytest

from siltstone.core.budget import Budget
from siltstone.core.errors import Cancelled
from siltstone.core.progress import Progress
from siltstone.gitobjects.ids import SHA1, Kind
from siltstone.gitobjects.verify import verify_objects
from tests.conftest import GIT_ENVIRONMENT
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git
from tests.native.pack_files import write_pack
from tests.reference.pack_read import Entry, make_pack, name_of


def report_of(repository, *, budget=None, **options):
    with open_database(repository, budget) as db:
        return verify_objects(db, **options)


def git_finds_fault(repository):
    done = subprocess.run(["git", "fsck", "--full", "--no-dangling"], cwd=repository, capture_output=True, check=False,
                          env=GIT_ENVIRONMENT, timeout=60)
    return done.returncode != 0


def missing_told_by_git(repository):
    done = subprocess.run(["git", "fsck", "--full", "--no-dangling"], cwd=repository, capture_output=True, check=False,
                          env=GIT_ENVIRONMENT, timeout=60)
    return set(re.findall(r"^missing \w+ ([0-9a-f]+)$", done.stdout.decode(), re.MULTILINE))


@pytest.fixture(scope="module", params=FORMATS)
def whole(request, tmp_path_factory):
    """Two packs and loose objects, with everything beside them that git writes."""
    repository = make_history(tmp_path_factory.mktemp("verify") / "r", request.param, seed=4, commits=25)
    run_git(repository, "-c", "pack.writeReverseIndex=true", "repack", "-adq", "--write-bitmap-index")
    commit = run_git(repository, "rev-parse", "HEAD").strip()
    run_git(repository, "pack-objects", "-q", "--revs", "objects/pack/pack", data=commit + b"\n")
    run_git(repository, "hash-object", "-w", "--stdin", data=b"loose\n")
    run_git(repository, "commit-graph", "write", "--reachable")
    run_git(repository, "multi-pack-index", "write")
    return repository


@pytest.mark.oracle
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_whole_repository_is_sound(whole, threads):
    assert not git_finds_fault(whole)
    report = report_of(whole, links=True, threads=threads)
    assert report.problems == []
    assert report.sound
    in_packs = int(re.search(r"in-pack: (\d+)", run_git(whole, "count-objects", "-v").decode())[1])
    assert report.objects == in_packs + 1  # every copy
    assert report.files >= 8
    assert json.loads(json.dumps(report.as_dict()))["sound"] is True


def checked_files(repository):
    objects = repository / "objects"
    names = [*objects.glob("pack/*"), objects / "info" / "commit-graph", *objects.glob("??/*")]
    return sorted(path for path in names if path.suffix not in (".keep", ".promisor"))


def test_a_flipped_byte_of_any_file_is_found(whole):
    for path in checked_files(whole):
        before, mode = path.read_bytes(), path.stat().st_mode
        path.chmod(0o644)
        step = max(1, len(before) // 12)
        for place in {*range(0, len(before), step), len(before) - 1}:
            path.write_bytes(before[:place] + bytes([before[place] ^ 0xFF]) + before[place + 1 :])
            assert not report_of(whole, threads=1).sound, (path.name, place)
        path.write_bytes(before)
        path.chmod(mode)
    assert report_of(whole).sound


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_missing_is_what_git_misses(tmp_path, seed):
    repository = make_history(tmp_path / "r", "sha1", seed=seed, commits=25)
    commits = run_git(repository, "rev-list", "--all").decode().split()
    trees = run_git(repository, "log", "--all", "--format=%T").decode().split()
    blobs = [line.split()[0] for line in run_git(
        repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)").decode().splitlines()
        if line.endswith("blob")]  # fmt: skip
    pack = next((repository / "objects" / "pack").glob("*.pack"), None)
    if pack is not None:
        data = pack.read_bytes()
        for part in (repository / "objects" / "pack").iterdir():
            part.unlink()
        run_git(repository, "unpack-objects", "-q", data=data)
    gone = [blobs[3], blobs[7], trees[5], commits[-1]]
    for oid in gone:
        (repository / "objects" / oid[:2] / oid[2:]).unlink(missing_ok=True)
    report = report_of(repository, links=True)
    told = {problem.place for problem in report.problems}
    assert told == missing_told_by_git(repository)
    assert told
    assert report_of(repository).sound  # what is there is sound; only links tell what is not


@pytest.mark.oracle
def test_a_branch_to_nowhere_is_a_problem(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=2, commits=5)
    (repository / "refs" / "heads" / "lost").write_text("1" * 40 + "\n")
    [problem] = report_of(repository, links=True).problems
    assert (problem.place, "refs/heads/lost" in problem.what) == ("1" * 40, True)
    assert git_finds_fault(repository)


def test_a_shallow_or_partial_clone_is_sound(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=3)
    run_git(repository, "config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "-q", "--bare", "--depth=2", f"file://{repository}", "s")
    assert report_of(tmp_path / "s", links=True).sound
    run_git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", f"file://{repository}", "p")
    report = report_of(tmp_path / "p", links=True)
    assert report.sound
    assert report.promised > 0


def test_content_under_a_wrong_name_is_found_in_packs_and_loose(tmp_path):
    repository = make_bare(tmp_path / "r", "sha1")
    good, wrong = Entry(name_of(3, b"good"), 3, b"good"), Entry(b"\x22" * 20, 3, b"wrong name")
    write_pack(repository / "objects" / "pack", *make_pack([good, wrong]))
    content = zlib.compress(b"blob 4\0evil")
    target = repository / "objects" / "33" / ("3" * 38)
    target.parent.mkdir()
    target.write_bytes(content)
    report = report_of(repository)
    named = SHA1.object_id(Kind.BLOB, b"wrong name").hex()
    assert [problem for problem in report.problems if problem.place == "22" * 20 and named in problem.what]
    assert [problem for problem in report.problems if problem.place == "3" * 40 and "loose" in problem.what]


def test_a_damaged_copy_is_told_though_another_is_whole(whole):
    first, second = sorted((whole / "objects" / "pack").glob("*.pack"))
    for pack in (first, second):
        before, mode = pack.read_bytes(), pack.stat().st_mode
        pack.chmod(0o644)
        pack.write_bytes(before[:60] + bytes([before[60] ^ 1]) + before[61:])
        places = {problem.place for problem in report_of(whole).problems}
        pack.write_bytes(before)
        pack.chmod(mode)
        assert str(pack) in places
        assert len(places) >= 2  # the file, and an object of it


def test_objects_over_the_budget_are_counted_and_not_called_sound(tmp_path):
    repository = make_bare(tmp_path / "r", "sha1")
    run_git(repository, "hash-object", "-w", "--stdin", data=bytes(5000))
    report = report_of(repository, budget=Budget(object=1000))
    assert (report.oversize, report.problem_count, report.sound) == (1, 0, False)


def test_a_wish_to_stop_is_followed(whole):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        report_of(whole, progress=progress)
