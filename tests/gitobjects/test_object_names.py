"""Names of objects mean what they mean to git: ids, short ids, references, steps through history, paths."""

from __future__ import annotations

import subprocess

import pytest

from siltstone.core.errors import ConfigError, NotFoundError, SiltstoneError, UnsupportedError
from siltstone.gitobjects.ids import SHA1, Kind
from siltstone.gitobjects.object_names import find_abbreviated, resolve_name
from tests.conftest import GIT_ENVIRONMENT
from tests.gitobjects.histories import FORMATS, make_bare, make_history, open_database, run_git


def answer_of_git(repository, name):
    done = subprocess.run(["git", "rev-parse", "--quiet", "--verify", "--end-of-options", name], cwd=repository,
                          capture_output=True, check=False, env=GIT_ENVIRONMENT, timeout=60)
    return done.stdout.decode().strip() or None


def our_answer(db, name):
    try:
        return resolve_name(db, name).hex()
    except SiltstoneError:
        return None


@pytest.fixture(scope="module", params=FORMATS)
def history(request, tmp_path_factory):
    repository = make_history(tmp_path_factory.mktemp("names") / "r", request.param, seed=5, commits=40)
    run_git(repository, "tag", "light", "b1~1")
    run_git(repository, "tag", "-a", "-m", "m", "heavy", "b1")
    run_git(repository, "tag", "-a", "-m", "m", "nested", "heavy")
    run_git(repository, "tag", "b2", "b1")  # a tag wins over a branch of its name
    run_git(repository, "update-ref", "refs/remotes/origin/main", "b1")
    run_git(repository, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    run_git(repository, "tag", "-a", "-m", "m", "content", run_git(repository, "rev-parse", "b1^{tree}").decode().strip())
    return repository


STEPS = ["", "^", "^0", "^1", "^2", "^3", "~", "~0", "~2", "~1^2", "^^", "^2~1", "^{}", "^{commit}", "^{tree}", "^{blob}",
         "^{tag}", "^{object}", "~999", "^{tree}^{commit}", ":", ":a", ":plain", ":nothing", ":a/", "^{tree}:", "^:"]


@pytest.mark.oracle
@pytest.mark.parametrize("base", ["HEAD", "@", "b1", "b2", "b0", "refs/heads/b2", "heads/b2", "tags/b2", "light", "heavy",
                                  "nested", "origin", "origin/main", "content", "absent", "refs/heads/absent"])
def test_names_mean_what_they_mean_to_git(history, base):
    names = [base + step for step in STEPS]
    with open_database(history) as db:
        assert {name: our_answer(db, name) for name in names} == {name: answer_of_git(history, name) for name in names}


@pytest.mark.oracle
def test_every_path_of_a_commit_is_found(history):
    listed = run_git(history, "ls-tree", "-r", "-t", "-z", "HEAD").split(b"\0")[:-1]
    assert listed
    with open_database(history) as db:
        for line in listed:
            head, path = line.split(b"\t", 1)
            assert resolve_name(db, b"HEAD:" + path).hex() == head.split()[2].decode()
            with pytest.raises(NotFoundError):
                resolve_name(db, b"HEAD:" + path + b"/nothing")


@pytest.mark.oracle
def test_short_ids_are_unique_ambiguous_or_absent_as_for_git(history):
    every = run_git(history, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").decode().split()
    with open_database(history) as db:
        for oid in every[::7]:
            short = run_git(history, "rev-parse", "--short=4", oid).decode().strip()
            assert resolve_name(db, short).hex() == oid
            assert resolve_name(db, short.upper()).hex() == oid
            assert [found.hex() for found in find_abbreviated(db, oid[:2])] == [name for name in every if name[:2] == oid[:2]]
        assert our_answer(db, every[0][:3]) is None


@pytest.mark.oracle
@pytest.mark.parametrize("packed", [False, True])
def test_an_ambiguous_short_id_lists_what_it_may_be(tmp_path, packed):
    repository = make_bare(tmp_path / "r", "sha1")
    heads = {}
    for content in (b"%d\n" % number for number in range(2000)):
        heads.setdefault(SHA1.object_id(Kind.BLOB, content).hex()[:4], []).append(content)
    shared, contents = next((head, found) for head, found in sorted(heads.items()) if len(found) == 2)
    both = [run_git(repository, "hash-object", "-w", "--stdin", data=content).decode().strip() for content in contents]
    if packed:
        entries = "".join(f"100644 blob {blob}\t{blob}\n" for blob in both)
        tree = run_git(repository, "mktree", data=entries.encode()).decode().strip()
        commit = run_git(repository, "commit-tree", "-m", "m", tree).decode().strip()
        run_git(repository, "update-ref", "refs/heads/main", commit)
        run_git(repository, "repack", "-adq")
    with open_database(repository) as db:
        with pytest.raises(ConfigError) as told:
            resolve_name(db, shared)
        assert all(f"{blob} blob" in str(told.value) for blob in both)
        assert resolve_name(db, both[0][:12]).hex() == both[0]
    assert answer_of_git(repository, shared) is None


@pytest.mark.parametrize("name", ["HEAD@{1}", "@{-1}", ":a", ":/m", "HEAD^{/m}", "HEAD^{odd}", "HEAD~x", ":0:a"])
def test_ways_to_name_that_are_not_handled_say_so(history, name):
    with open_database(history) as db, pytest.raises((UnsupportedError, NotFoundError)):
        resolve_name(db, name)


def test_what_git_describe_prints_is_a_short_id(history):
    with open_database(history) as db:
        oid = resolve_name(db, "b1")
        assert resolve_name(db, f"heavy-3-g{oid.hex()[:10]}") == oid
        assert db.header(oid)[0] is Kind.COMMIT


def test_parents_that_a_shallow_clone_cut_off_are_none(history, tmp_path):
    run_git(tmp_path, "clone", "-q", "--bare", "--depth=1", f"file://{history}", "s")
    with open_database(tmp_path / "s") as db, pytest.raises(NotFoundError):
        resolve_name(db, "HEAD^")


def test_grafts_count_for_parents_as_for_git(tmp_path):
    bare = make_history(tmp_path / "r", "sha1", seed=1, commits=6)
    commits = run_git(bare, "rev-list", "--all").split()
    (bare / "info").mkdir(exist_ok=True)
    (bare / "info/grafts").write_bytes(b"%s %s %s\n%s\n" % (commits[0], commits[4], commits[2], commits[1]))
    with open_database(bare) as db:
        for name in (commits[0] + b"^", commits[0] + b"^2", commits[0] + b"~1", commits[1] + b"^"):
            assert our_answer(db, name.decode()) == answer_of_git(bare, name.decode())
