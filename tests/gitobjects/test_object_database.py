"""Every object of repositories that git made, byte for byte as ``git cat-file`` gives it, whatever the storage."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone._native.spill_index import SpillIndex
from siltstone.core.budget import KIB, MIB, Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, NotFoundError
from siltstone.gitobjects.ids import Kind, ObjectId
from siltstone.gitobjects.ledger import Reason
from siltstone.gitobjects.object_database import ObjectDatabase

pytestmark = pytest.mark.oracle
Git = Callable[..., bytes]
Objects = dict[bytes, tuple[Kind, bytes]]
KINDS = {kind.label: kind for kind in Kind}


def cat_file(git: Git, folder: Path) -> Objects:
    """Every object as git gives it."""
    out = git(folder, "cat-file", "--batch-all-objects", "--batch", "--unordered")
    found: Objects = {}
    at = 0
    while at < len(out):
        stop = out.index(b"\n", at)
        name, label, size = out[at:stop].split()
        found[bytes.fromhex(name.decode())] = (KINDS[label], out[stop + 1 : stop + 1 + int(size)])
        at = stop + 2 + int(size)
    return found


def walked(database: ObjectDatabase, **options: object) -> Objects:
    """Every object as the walk gives it, each once."""
    found: Objects = {}
    for block in database.walk_objects(Kind, **options):  # type: ignore[arg-type]
        for i in range(len(block)):
            assert block.oid(i) not in found
            found[block.oid(i)] = (block.kind(i), bytes(block.content(i)))
    return found


def grow(git: Git, folder: Path, commits: int, start: int = 0) -> None:
    """Add commits that make long deltas: a growing file, a changing one, a folder, a tag now and then."""
    (folder / "below").mkdir(exist_ok=True)
    for number in range(start, start + commits):
        (folder / "log").write_text("".join(f"line {i} of the log\n" for i in range(20 * (number + 2))))
        (folder / "below" / f"f{number % 5}").write_text(f"{number}\n" * 300)
        (folder / "binary").write_bytes(bytes(range(256)) * 8 + b"%d" % number)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"change {number}")
        if number % 4 == 0:
            git(folder, "tag", "-am", f"version {number}", f"v{number}")


def agrees(git: Git, folder: Path, place: Path | None = None) -> None:
    """Hold walk, single reads, ids, kinds and counts to git's own list."""
    expected = cat_file(git, folder)
    with ObjectDatabase.open(place or folder) as database:
        assert walked(database) == expected
        assert walked(database, block_bytes=KIB) == expected
        assert set(database.iter_ids()) == set(expected)
        assert database.count() == len(expected) == len(list(database.iter_ids()))
        assert {oid: (database.read(oid).kind, database.read(oid).data) for oid in database.iter_ids()} == expected
        blobs = {name for name, (kind, _) in expected.items() if kind is Kind.BLOB}
        assert set(database.iter_ids([Kind.BLOB])) == blobs
        for name, (kind, data) in expected.items():
            assert database.header(ObjectId(name)) == (kind, len(data))
        assert database.ledger.complete


@pytest.fixture(params=["sha1", "sha256"])
def history(request: pytest.FixtureRequest, tmp_path: Path, git: Git) -> Path:
    folder = tmp_path / "history"
    git(tmp_path, "init", "-q", f"--object-format={request.param}", str(folder))
    grow(git, folder, 6)
    return folder


def test_loose_packed_and_mixed_objects(history: Path, git: Git) -> None:
    agrees(git, history)
    git(history, "repack", "-adfq", "--depth=50", "--window=50")
    git(history, "prune-packed")
    agrees(git, history)
    grow(git, history, 2, 6)
    agrees(git, history)


def test_named_bases_and_several_packs_with_the_same_objects(history: Path, git: Git) -> None:
    git(history, "-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=50")
    grow(git, history, 2, 6)
    git(history, "repack", "-q")  # a second pack
    names = git(history, "rev-list", "--objects", "--all")
    git(history, "pack-objects", "-q", ".git/objects/pack/pack", input=names)  # a third, of everything
    agrees(git, history)


def test_old_indexes(history: Path, git: Git) -> None:
    git(history, "-c", "pack.indexVersion=1", "repack", "-adfq")
    agrees(git, history)


def test_large_offsets(history: Path, git: Git) -> None:
    git(history, "repack", "-adfq")
    (pack,) = (history / ".git/objects/pack").glob("*.pack")
    pack.with_suffix(".idx").chmod(0o644)
    git(history, "index-pack", "--index-version=2,0x40", "-o", str(pack.with_suffix(".idx")), str(pack))
    agrees(git, history)


def test_thin_bases_are_found_in_other_sources(tmp_path: Path, git: Git) -> None:
    folder = tmp_path / "thin"
    git(tmp_path, "init", "-q", str(folder))
    grow(git, folder, 3)
    git(folder, "repack", "-adfq")
    grow(git, folder, 1, 3)
    thin = git(folder, "pack-objects", "--thin", "--stdout", "--revs", "-q", input=b"HEAD\n^HEAD~1\n")
    expected = cat_file(git, folder)
    for name, (_, _) in expected.items():
        (folder / ".git/objects" / name.hex()[:2] / name.hex()[2:]).unlink(missing_ok=True)
    index_thin(folder / ".git/objects/pack", thin, expected)
    with ObjectDatabase.open(folder) as database:
        assert walked(database) == expected
        assert {oid: (database.read(oid).kind, database.read(oid).data) for oid in database.iter_ids()} == expected


def index_thin(folder: Path, pack: bytes, objects: Objects) -> None:
    """Write a thin pack with an index of its own, as no git would leave it on disk."""
    import struct
    import zlib

    from tests.reference import delta as deltas
    from tests.reference.pack_read import make_index, name_of
    from tests.reference.varint import read_base_offset, read_entry_header

    at, places, contents = 12, {}, {}
    contents_by_place: dict[int, tuple[int, bytes]] = {}
    for _ in range(struct.unpack(">I", pack[8:12])[0]):
        start = at
        kind, _, at = read_entry_header(pack, at)
        base: tuple[int, bytes] | None = None
        if kind == 6:
            distance, at = read_base_offset(pack, at)
            base = contents_by_place[start - distance]
        elif kind == 7:
            base, at = contents.get(pack[at : at + 20]) or objects[pack[at : at + 20]], at + 20
        engine = zlib.decompressobj()
        data = engine.decompress(pack[at:])
        at = len(pack) - len(engine.unused_data)
        value = (kind, data) if base is None else (int(base[0]), deltas.apply(base[1], data))
        contents_by_place[start] = value
        places[name_of(*value)] = start
        contents[name_of(*value)] = value
    (folder / "pack-thin.pack").write_bytes(pack)
    (folder / "pack-thin.idx").write_bytes(make_index(places, pack[-20:]))


def test_alternates_relative_chained_and_in_a_circle(tmp_path: Path, git: Git) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    git(tmp_path, "init", "-q", str(first))
    grow(git, first, 2)
    git(tmp_path, "clone", "-q", "--shared", str(first), str(second))
    grow(git, second, 1, 2)
    git(tmp_path, "clone", "-q", "--shared", str(second), str(third))
    grow(git, third, 1, 3)
    (third / ".git/objects/info/alternates").write_text("# a comment\n../../../second/.git/objects\n")
    agrees(git, third)
    (first / ".git/objects/info").mkdir(exist_ok=True)
    (first / ".git/objects/info/alternates").write_text(f"{third}/.git/objects\n")
    with ObjectDatabase.open(third) as database:
        assert walked(database) == cat_file(git, third)
    (first / ".git/objects/info/alternates").write_text("/nonexistent/objects\n")
    with ObjectDatabase.open(third) as database:
        assert database.ledger.counts() == {Reason.MISSING: 1}


def test_bare_worktree_and_a_folder_inside(history: Path, tmp_path: Path, git: Git) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(history), str(tmp_path / "bare.git"))
    agrees(git, tmp_path / "bare.git")
    git(history, "worktree", "add", "-q", str(tmp_path / "linked"), "HEAD~1")
    for place in (history / "below", history / ".git", tmp_path / "linked", tmp_path / "linked" / ".git"):
        agrees(git, history, place)


def test_what_is_skipped_is_not_handed_out(history: Path, git: Git) -> None:
    git(history, "repack", "-adq")
    grow(git, history, 1, 6)
    expected = cat_file(git, history)
    skipped = sorted(expected)[::2]
    with ObjectDatabase.open(history) as database:
        index = SpillIndex(len(skipped), database.algorithm.size)
        index.put_many(b"".join(skipped))
        assert set(walked(database, skip=index)) == set(expected) - set(skipped)


def test_an_absent_object_is_not_found(history: Path) -> None:
    with ObjectDatabase.open(history) as database:
        absent = ObjectId(bytes(database.algorithm.size))
        assert absent not in database
        assert b"short" not in database
        assert database.find(absent) is None
        with pytest.raises(NotFoundError):
            database.read(absent)
        head = database.head()
        assert head in database


def test_packs_that_came_meanwhile_are_seen(history: Path, git: Git) -> None:
    with ObjectDatabase.open(history) as database:
        expected = cat_file(git, history)
        git(history, "repack", "-adfq")
        git(history, "prune-packed")
        assert {oid: (database.read(ObjectId(oid)).kind, database.read(ObjectId(oid)).data) for oid in expected} == expected
        git(history, "repack", "-adfq", "--depth=3")  # the same objects in another pack: the one before is gone
        grow(git, history, 1, 6)
        git(history, "repack", "-adfq")
        git(history, "prune-packed")
        for oid, value in cat_file(git, history).items():
            found = database.read(ObjectId(oid))
            assert (found.kind, found.data) == value
        assert walked(database) == cat_file(git, history)


def test_a_walk_goes_on_where_its_packs_are_gone(history: Path, git: Git) -> None:
    git(history, "repack", "-adfq")
    git(history, "prune-packed")
    expected = cat_file(git, history)
    with ObjectDatabase.open(history) as database:
        grow(git, history, 1, 6)
        git(history, "repack", "-adfq")
        git(history, "prune-packed")
        found = walked(database)
        assert expected.items() <= found.items()
        assert database.ledger.complete


def test_limits_hold_and_the_ledger_tells(tmp_path: Path, git: Git) -> None:
    folder = tmp_path / "large"
    git(tmp_path, "init", "-q", str(folder))
    (folder / "large").write_bytes(os.urandom(50) * 4_000)
    (folder / "small").write_text("small")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "large")
    for step in ("loose", "packed"):
        if step == "packed":
            git(folder, "repack", "-adfq")
            git(folder, "prune-packed")
        budget = Budget(object=100 * KIB, objects=MIB)
        with ObjectDatabase.open(folder, budget=budget) as database:
            assert len(walked(database, block_bytes=64 * KIB)) == 3
            assert database.ledger.counts() == {Reason.OVERSIZE: 1}
            with pytest.raises(ConfigError):
                database.walk_objects(Kind, block_bytes=2 * MIB)
            assert len(walked(database)) == 3  # a block is made to fit a small budget
        assert budget.reserved("pack_index") == 0
    with pytest.raises(BudgetExceeded):
        ObjectDatabase.open(folder, budget=Budget(pack_index=10))


def test_threads_read_at_once(history: Path, git: Git) -> None:
    git(history, "repack", "-adfq")
    expected = cat_file(git, history)
    failures: list[bytes] = []
    with ObjectDatabase.open(history) as database:

        def read(names: list[bytes]) -> None:
            failures.extend(name for name in names if database.read(ObjectId(name)).data != expected[name][1])

        threads = [threading.Thread(target=read, args=(sorted(expected)[::step] * 5,)) for step in (1, -1, 2, -3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
