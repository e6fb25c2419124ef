"""The scan of whole repositories: every blob, what is missing, and that an incremental scan equals a fresh one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, NotFoundError
from siltstone.core.metrics import Metrics
from siltstone.detection.examples import expand_example
from siltstone.detection.rules import Rule, RuleSet, default_rules
from siltstone.detection.scan import scan
from siltstone.detection.scan_state import ScanState
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from siltstone.gitobjects.object_database import ObjectDatabase

KEY = Rule(id="key", name="Key", pattern=r"KEY_([a-z]{8})", anchors=("KEY_",), secret_group=1, severity="low")
PIN = Rule(id="pin", name="Pin", pattern=r"PIN_([0-9]{6})", anchors=("PIN_",), secret_group=1)
RULES = RuleSet.of([KEY, PIN])


def token(seed):
    return expand_example("gh<>p_<alnum:36>", seed)


def write(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def commit(git, folder: Path, message: str = "m", time: int = 1_700_000_000) -> str:
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message, env={"GIT_COMMITTER_DATE": f"{time} +0000"})
    return git(folder, "rev-parse", "HEAD").decode().strip()


def all_blobs(git, folder: Path) -> set[str]:
    lines = git(folder, "cat-file", "--batch-all-objects", "--batch-check").decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[1] == "blob"}


def scanned_blobs(result) -> set[str]:
    size, packed = result.state.id_size, result.state.blobs
    return {packed[at : at + size].hex() for at in range(0, len(packed), size)}


def places(result):
    return [(finding.rule_id, finding.path, finding.line, finding.commit) for finding in result.findings]


def same(left, right):
    """Everything that a fresh and an incremental scan must share."""
    assert left.findings == right.findings
    assert left.state == right.state
    assert left.state.encode() == right.state.encode()
    assert left.blobs_total == right.blobs_total
    assert left.ledger.as_dict() == right.ledger.as_dict()


@pytest.mark.oracle
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_blob_is_searched_and_placed(tmp_path, git, algorithm, packed):
    git(tmp_path, "init", "-q", f"--object-format={algorithm}")
    write(tmp_path, "a/old.txt", f"x\ntoken {token('1')}\n")
    first = commit(git, tmp_path, time=1_700_000_000)
    write(tmp_path, "a/old.txt", "gone\n")
    write(tmp_path, "b.bin", b"\0\1\2" + token("2").encode() + b"\0\xff")
    second = commit(git, tmp_path, time=1_700_000_100)
    write(tmp_path, "copy.txt", f"x\ntoken {token('1')}\n")
    commit(git, tmp_path, time=1_700_000_200)
    if packed:
        git(tmp_path, "repack", "-adfq")
        git(tmp_path, "prune-packed")
    result = scan(tmp_path)
    assert scanned_blobs(result) == all_blobs(git, tmp_path)
    assert places(result) == [("github-token", b"a/old.txt", 2, first), ("github-token", b"b.bin", 1, second)]
    assert result.ledger.complete
    assert result.blobs_scanned == result.blobs_total == 3


@pytest.mark.oracle
def test_blob_that_no_commit_reaches_is_searched(repository, git):
    write(repository, "a", "a\n")
    commit(git, repository)
    blob = git(repository, "hash-object", "-w", "--stdin", input=token("lost").encode()).decode().strip()
    result = scan(repository)
    assert scanned_blobs(result) == all_blobs(git, repository)
    assert [(finding.blob, finding.path, finding.commit) for finding in result.findings] == [(blob, None, None)]


def test_file_that_a_diff_would_hide_is_searched(repository, git):
    write(repository, ".gitattributes", "*.lock -diff binary\n")
    write(repository, "x.lock", token("hidden"))
    head = commit(git, repository)
    assert places(scan(repository)) == [("github-token", b"x.lock", 1, head)]


def test_secret_that_only_a_merge_holds_is_found(repository, git):
    write(repository, "base", "b\n")
    commit(git, repository)
    git(repository, "checkout", "-q", "-b", "side")
    write(repository, "side", "s\n")
    commit(git, repository, time=1_700_000_001)
    git(repository, "checkout", "-q", "main")
    write(repository, "main", "m\n")
    commit(git, repository, time=1_700_000_002)
    git(repository, "merge", "-q", "--no-commit", "--no-ff", "side")
    write(repository, "evil", token("evil"))
    merge = commit(git, repository, time=1_700_000_003)
    assert len(git(repository, "rev-list", "--parents", "-1", "HEAD").split()) == 3
    assert places(scan(repository)) == [("github-token", b"evil", 1, merge)]


def test_bytes_path_is_kept(repository, git):
    name = b"na\xefve\n.txt"
    blob = git(repository, "hash-object", "-w", "--stdin", input=token("odd").encode()).decode().strip()
    git(repository, "update-index", "-z", "--index-info", input=f"100644 {blob}\t".encode() + name + b"\0")
    git(repository, "commit", "-q", "-m", "m")
    assert scan(repository).findings[0].path == name


def test_empty_repository_has_nothing_to_say(repository):
    result = scan(repository)
    assert (result.findings, result.blobs_total, result.ledger.complete) == ((), 0, True)


def test_folder_that_is_no_repository_is_refused(tmp_path):
    with pytest.raises(NotFoundError):
        scan(tmp_path)


@pytest.mark.oracle
def test_missing_blobs_are_those_that_git_misses(repository, git):
    rng = random.Random(3)
    for number in range(6):
        write(repository, f"d{number % 2}/f{number}", rng.randbytes(40))
        commit(git, repository, time=1_700_000_000 + number)
    victims = sorted(all_blobs(git, repository))[:3]
    loose_tree = git(repository, "mktree", input=f"100644 blob {victims[0]}\tx\n".encode())  # unreachable, and no cause
    assert loose_tree
    stray = git(repository, "mktree", "--missing", input=b"100644 blob " + b"9" * 40 + b"\tx\n")
    assert stray
    for victim in victims:
        (repository / ".git" / "objects" / victim[:2] / victim[2:]).unlink()
    listed = git(repository, "rev-list", "--objects", "--all", "--missing=print").decode().split("\n")
    expected = {line[1:] for line in listed if line.startswith("?")}
    result = scan(repository)
    told = {gap.what for gap in result.ledger.examples() if gap.reason is Reason.MISSING}
    assert told == expected == set(victims)
    assert result.ledger.counts() == {Reason.MISSING: 3}


def test_shallow_clone_is_told(tmp_path, git):
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    for number in range(3):
        write(origin, "f", f"{number}\n")
        commit(git, origin, time=1_700_000_000 + number)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{origin}", "clone")
    result = scan(tmp_path / "clone")
    assert result.ledger.counts() == {Reason.SHALLOW_BOUNDARY: 1}


def test_lfs_pointer_is_told_and_is_no_finding(repository, git):
    write(repository, "big.bin", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n")
    commit(git, repository)
    result = scan(repository)
    assert (result.findings, result.ledger.counts()) == ((), {Reason.LFS_POINTER: 1})
    same(scan(repository, previous=result.state), result)


def test_incremental_scan_equals_a_fresh_one(repository, git):
    """One long story: edits, commits, rules that come, change and go, blobs that are collected."""
    rng = random.Random(11)
    changed_key = Rule(id="key", name="Key", pattern=r"KEY_([a-z]{6})", anchors=("KEY_",), secret_group=1)
    extra = Rule(id="word", name="Word", pattern=r"word_[a-z]{3}", anchors=("word_",), generic=True)
    sets = [RULES, RuleSet.of([changed_key, PIN]), RuleSet.of([PIN]), RuleSet.of([KEY, PIN, extra]), RULES, default_rules()]
    state = None
    for step, rules in enumerate(sets * 2):
        for _ in range(3):
            letters = "".join(rng.choices("abcdefgh", k=8))
            digits = f"{rng.randrange(10**6):06}"
            write(repository, f"f{rng.randrange(5)}", f"{rng.random()}\nKEY_{letters} PIN_{digits}\nword_abc\n")
            commit(git, repository, time=1_700_000_000 + step)
        if step % 4 == 3:
            git(repository, "reset", "-q", "--hard", "HEAD~2")
            git(repository, "reflog", "expire", "--expire=now", "--all")
            git(repository, "gc", "-q", "--prune=now")
        fresh = scan(repository, rules=rules)
        again = scan(repository, rules=rules, previous=None if state is None else ScanState.decode(state.encode()))
        same(again, fresh)
        assert fresh.findings or rules == default_rules()
        unchanged = scan(repository, rules=rules, previous=fresh.state)
        same(unchanged, fresh)
        assert (unchanged.blobs_scanned, unchanged.blobs_reused) == (0, fresh.blobs_total)
        state = fresh.state


def test_new_commit_reads_only_new_blobs(repository, git):
    for number in range(5):
        write(repository, f"f{number}", f"KEY_abcdefg{'hijkl'[number]}")
    commit(git, repository)
    before = scan(repository, rules=RULES)
    write(repository, "f9", "KEY_zzzzzzzz")
    commit(git, repository)
    after = scan(repository, rules=RULES, previous=before.state)
    assert (after.blobs_scanned, after.blobs_reused, len(after.findings)) == (1, 5, 6)
    same(after, scan(repository, rules=RULES))


def test_state_of_another_key_is_not_used(repository, git):
    write(repository, "f", "KEY_abcdefgh")
    commit(git, repository)
    before = scan(repository, rules=RULES)
    after = scan(repository, rules=RULES, previous=before.state, key=b"other key")
    assert after.blobs_scanned == 1
    assert after.findings[0].fingerprint != before.findings[0].fingerprint


def test_open_database_and_metrics_are_used(repository, git):
    write(repository, "f", "KEY_abcdefgh")
    commit(git, repository)
    metrics, ledger = Metrics(), CoverageLedger()
    with ObjectDatabase.open(repository, ledger=ledger) as database:
        result = scan(database, rules=RULES, metrics=metrics)
    assert result.ledger is ledger
    assert metrics.counter("scan.blobs") == 1
    assert metrics.counter("scan.bytes") == 12


def test_too_many_findings_are_refused(repository, git):
    write(repository, "f", "KEY_abcdefgh " * 100)
    commit(git, repository)
    with pytest.raises(BudgetExceeded):
        scan(repository, rules=RULES, budget=Budget(findings=1_000))
