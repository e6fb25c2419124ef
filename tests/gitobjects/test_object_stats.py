"""Counts of objects against ``git count-objects``, ``cat-file --batch-check`` and ``verify-pack``."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import BudgetExceeded
from siltstone.gitobjects import object_stats
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_stats import count_objects
from tests.gitobjects.histories import FORMATS, make_history, open_database, run_git


def told_by_git(repository):
    """Per kind: objects, content bytes, deltas."""
    form = "--batch-check=%(objecttype) %(objectsize) %(deltabase)"
    counts = {}
    for line in run_git(repository, "cat-file", "--batch-all-objects", form).decode().splitlines():
        kind, size, base = line.split()
        objects, content, deltas = counts.get(kind, (0, 0, 0))
        counts[kind] = (objects + 1, content + int(size), deltas + (set(base) != {"0"}))
    return counts


def count_told_by_git(repository):
    told = run_git(repository, "count-objects", "-v").decode()
    return {key: int(value) for key, value in re.findall(r"^([a-z-]+): (\d+)$", told, re.MULTILINE)}


def stats_of(repository, budget=None):
    with open_database(repository, budget) as db:
        return count_objects(db)


@pytest.fixture(scope="module", params=FORMATS)
def mixed(request, tmp_path_factory):
    """One pack with long chains, one with copies, loose objects, some of them packed as well."""
    repository = make_history(tmp_path_factory.mktemp("stats") / "r", request.param, seed=21, commits=60)
    run_git(repository, "repack", "-adfq", "--depth=50", "--window=50")
    commits = run_git(repository, "rev-list", "--all").split()
    run_git(repository, "pack-objects", "-q", "--revs", "objects/pack/pack", data=commits[len(commits) // 2] + b"\n")
    for number in range(3):
        run_git(repository, "hash-object", "-w", "--stdin", data=b"loose %d\n" % number)
    pack = next((repository / "objects" / "pack").glob("*.pack")).read_bytes()
    run_git(repository, "init", "-q", "--bare", f"--object-format={request.param}", "other")
    run_git(repository / "other", "unpack-objects", "-q", data=pack)
    for path in sorted((repository / "other" / "objects").glob("??/*"))[:20]:
        target = repository / "objects" / path.parent.name / path.name
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    (repository / "objects" / "pack" / "leftover.tmp").write_bytes(b"x")
    (repository / "objects" / "pack" / "pack-alone.idx").write_bytes(b"x")
    return repository


@pytest.mark.oracle
@pytest.mark.parametrize("slice_size", [1 << 16, 7])
def test_counts_by_kind_are_those_of_git(mixed, monkeypatch, slice_size):
    monkeypatch.setattr(object_stats, "_SLICE", slice_size)
    stats = stats_of(mixed)
    found = {kind.name.lower(): (told.objects, told.content_bytes) for kind, told in stats.kinds.items() if told.objects}
    assert found == {kind: told[:2] for kind, told in told_by_git(mixed).items()}
    assert stats.ledger.complete


@pytest.mark.oracle
def test_places_are_those_of_count_objects(mixed):
    stats, git = stats_of(mixed), count_told_by_git(mixed)
    assert stats.loose_objects == git["count"]
    assert stats.loose_bytes // 1024 == git["size"]
    assert stats.loose_also_packed == git["prune-packable"]
    assert (len(stats.packs), sum(pack.objects for pack in stats.packs)) == (git["packs"], git["in-pack"])
    assert len(stats.garbage) == git["garbage"]
    assert stats.repeated == stats.loose_objects + git["in-pack"] - stats.total.objects


@pytest.mark.oracle
def test_chains_are_those_of_verify_pack(mixed):
    stats = stats_of(mixed)
    chains, deltas = Counter(), {}
    for pack in stats.packs:
        told = run_git(mixed, "verify-pack", "-v", str(pack.path)).decode()
        rows = re.findall(r"^chain length = (\d+): (\d+) objects?$", told, re.MULTILINE)
        lengths = {int(length): int(count) for length, count in rows}
        chains.update(lengths)
        deltas[pack.path] = (sum(lengths.values()), max(lengths))
    assert stats.chains == chains
    assert {pack.path: (pack.deltas, pack.longest_chain) for pack in stats.packs} == deltas


@pytest.mark.oracle
def test_deltas_by_kind_are_those_of_git(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=8)
    run_git(repository, "repack", "-adfq", "--write-bitmap-index")
    run_git(repository, "commit-graph", "write", "--reachable")
    run_git(repository, "multi-pack-index", "write")
    stats = stats_of(repository)
    found = {kind.name.lower(): (told.objects, told.content_bytes, told.deltas) for kind, told in stats.kinds.items()}
    assert {kind: row for kind, row in found.items() if row[0]} == told_by_git(repository)
    assert {path.name for path, _ in stats.accelerators} == {"commit-graph", "multi-pack-index"}
    assert {"bitmap", "idx", "pack"} <= set(stats.packs[0].parts)
    assert stats.total.disk_bytes == stats.packs[0].disk_bytes - 12 - 20


def test_alternates_count_once(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=9)
    run_git(tmp_path, "clone", "-q", "--bare", "--shared", str(repository), "c")
    with open_database(tmp_path / "c") as db:
        stats = count_objects(db)
        assert stats.total.objects == db.count()
    assert [path.parent.name for path in stats.folders] == ["c", "r"]
    assert json.loads(json.dumps(stats.as_dict()))["objects"] == stats.total.objects


def test_damage_is_told_and_other_copies_are_used(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=9)
    run_git(repository, "repack", "-adq")
    whole = stats_of(repository)
    [pack] = (repository / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[12] = (data[12] & 0x8F) | 0x50  # the first entry has the reserved type 5 now
    pack.write_bytes(data)
    broken = stats_of(repository)
    assert broken.ledger.counts()[Reason.CORRUPT] >= 1
    assert broken.total.objects == whole.total.objects - broken.ledger.counts()[Reason.CORRUPT]


def test_a_budget_that_is_too_small_is_an_error(tmp_path):
    repository = make_history(tmp_path / "r", "sha1", seed=9)
    run_git(repository, "repack", "-adq")
    size = 0
    with open_database(repository) as db:
        size = db.budget.reserved("pack_index")
    with pytest.raises(BudgetExceeded):
        stats_of(repository, Budget(pack_index=size + 18))
    assert stats_of(repository, Budget(total_bytes=16 * MIB)).kinds[Kind.COMMIT].objects
