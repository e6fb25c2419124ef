"""The columns of commits equal their twin; damage, limits, and rows that do not depend on the order of coming."""

from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone._native import commit_columns
from siltstone._native.commit_columns import CommitColumns
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from tests.reference import commit_columns as reference

WHO = b"A <a@example.com>"


def text_of(tree: bytes, parents: list[bytes], time: bytes = b"7") -> bytes:
    lines = [b"tree " + tree.hex().encode(), *(b"parent " + parent.hex().encode() for parent in parents)]
    return b"\n".join([*lines, b"author %s 1 +0000" % WHO, b"committer %s %s +0000" % (WHO, time), b"", b"message\n"])


def add(columns: CommitColumns, commits: dict[bytes, bytes]) -> list[tuple[int, str]]:
    ends, total = array("q"), 0
    for data in commits.values():
        total += len(data)
        ends.append(total)
    starts = array("q", [end - len(data) for end, data in zip(ends, commits.values(), strict=True)])
    return columns.add_block(b"".join(commits.values()), starts, ends, b"".join(commits))


def random_commits(rng: random.Random, id_size: int, count: int) -> dict[bytes, bytes]:
    """Commits that name each other, some absent ones among them."""
    names = sorted({rng.choice([b"\0", b"\xff", rng.randbytes(1)]) + rng.randbytes(id_size - 1) for _ in range(count)})
    rng.shuffle(names)
    commits = {}
    for i, name in enumerate(names):
        parents = [rng.choice([*names[i + 1 :], b"\xee" * id_size]) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
        commits[name] = text_of(rng.randbytes(id_size), parents, b"%d" % rng.randint(-5, 1 << 40))
    return commits


def rows_of(columns: CommitColumns, id_size: int) -> list[tuple[bytes, bytes, int, list[bytes]]]:
    oids, trees, times, parents, starts, missing = columns.finish()
    ids = [oids[at : at + id_size] for at in range(0, len(oids), id_size)]
    gone = [missing[at : at + id_size] for at in range(0, len(missing), id_size)]
    links, bounds = memoryview(parents).cast("q"), memoryview(starts).cast("q")
    return [
        (oid, trees[i * id_size : (i + 1) * id_size], memoryview(times).cast("q")[i],
         [ids[link] if link >= 0 else gone[-3 - link] for link in links[bounds[i] : bounds[i + 1]]])
        for i, oid in enumerate(ids)
    ]


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 10_000), count=st.integers(0, 60))
@example(seed=1, count=3_000)
def test_columns_equal_their_twin_in_any_order(id_size: int, seed: int, count: int) -> None:
    rng = random.Random(seed)
    commits = random_commits(rng, id_size, count)
    columns, twin = CommitColumns(id_size), reference.CommitColumns(id_size)
    for oid, data in commits.items():
        twin.add(oid, data)
    shuffled = rng.sample(list(commits.items()), len(commits))
    half = len(shuffled) // 2
    assert add(columns, dict(shuffled[:half])) == []
    assert add(columns, dict(shuffled)) == []
    for oid in rng.sample(sorted(commits), min(3, len(commits))):
        parents = rng.sample(sorted(commits), rng.randint(0, min(3, len(commits))))
        assert columns.set_parents(oid, b"".join(parents)) == twin.set_parents(oid, parents)
    assert columns.set_parents(b"\xdd" * id_size, b"") is False
    assert len(columns) == len(commits)
    asked = [*commits, b"\xee" * id_size]
    assert list(columns.contains_many(b"".join(asked))) == [1] * len(commits) + [0]
    assert rows_of(columns, id_size) == twin.finish()


@pytest.mark.parametrize("id_size", [20, 32])
@given(seed=st.integers(0, 10_000))
def test_rows_equal_the_commits_they_were_made_from(id_size: int, seed: int) -> None:
    rng = random.Random(seed)
    commits = {oid: data.replace((b"\xee" * id_size).hex().encode(), min(data, data)[5 : 5 + 2 * id_size])
               for oid, data in random_commits(rng, id_size, 30).items()}
    ids = {data[5 : 5 + 2 * id_size] for data in commits.values()}
    commits |= {bytes.fromhex(name.decode()): text_of(b"\1" * id_size, []) for name in ids}
    first, again = CommitColumns(id_size), CommitColumns(id_size)
    add(first, commits)
    oids, trees, times, parents, starts, missing = first.finish()
    assert missing == b""
    again.add_rows(oids, trees, memoryview(times).cast("q"), memoryview(parents).cast("q"), memoryview(starts).cast("q"))
    assert again.finish() == (oids, trees, times, parents, starts, missing)


def outcome(parse, data: bytes, id_size: int) -> object:
    try:
        return parse(data, id_size)
    except CorruptDataError as error:
        return error.problem, error.offset


@pytest.mark.parametrize("id_size", [20, 32])
def test_every_cut_and_every_flip_parses_as_the_twin_does(id_size: int) -> None:
    whole = text_of(b"\xab" * id_size, [b"\x12" * id_size, b"\xcd" * id_size], b"1700000000")
    for size in range(len(whole) + 1):
        assert outcome(commit_columns.parse_commit_links, whole[:size], id_size) == outcome(
            reference.parse_commit_links, whole[:size], id_size)
    for place in range(len(whole)):
        for flip in (1, 0x20, 0x80):
            data = bytes(byte ^ flip if i == place else byte for i, byte in enumerate(whole))
            assert outcome(commit_columns.parse_commit_links, data, id_size) == outcome(
                reference.parse_commit_links, data, id_size)


@given(line=st.text("<> -0129\t", max_size=30).map(str.encode))
@example(line=b"> 9223372036854775807")
@example(line=b"> 99999999999999999999999")
@example(line=b"> -99999999999999999999999")
@example(line=b"> 922337203685477580")
def test_times_are_read_as_the_twin_does(line: bytes) -> None:
    data = b"tree " + b"ab" * 20 + b"\nauthor A\ncommitter" + line + b"\n\n"
    assert commit_columns.parse_commit_links(data, 20) == reference.parse_commit_links(data, 20)


def test_damaged_commits_are_told_and_left_out() -> None:
    columns = CommitColumns(20)
    good, bad = text_of(b"\1" * 20, []), text_of(b"\1" * 20, []).replace(b"author", b"parent x\nauthor")
    told = add(columns, {b"a" * 20: bad, b"b" * 20: good, b"c" * 20: b"", b"d" * 20: good})
    assert told == [(0, "a parent of the commit is no object id"), (2, "commit does not start with a tree")]
    assert [row[0] for row in rows_of(columns, 20)] == [b"b" * 20, b"d" * 20]


def test_columns_stay_within_their_limit() -> None:
    with pytest.raises(BudgetExceeded):
        CommitColumns(20, limit_bytes=1_000)
    columns = CommitColumns(20, limit_bytes=60_000)
    with pytest.raises(BudgetExceeded):
        add(columns, random_commits(random.Random(1), 20, 900))


def test_wrong_shapes_are_refused() -> None:
    one, empty = array("q", [0]), array("q")
    with pytest.raises(ConfigError):
        CommitColumns(21)
    columns = CommitColumns(20)
    for call in (
        lambda: columns.add_block(b"", one, empty, b""), lambda: columns.add_block(b"", one, one, b"x"),
        lambda: columns.add_rows(b"", b"", one, empty, one), lambda: columns.set_parents(b"short", b""),
        lambda: columns.set_parents(b"a" * 20, b"short"), lambda: columns.contains_many(b"short"),
        lambda: columns.add_rows(b"a" * 20, b"t" * 20, one, array("q", [1]), array("q", [0, 1])),
        lambda: columns.add_rows(b"a" * 20, b"t" * 20, one, array("q", [0]), array("q", [0, 2])),
        lambda: commit_columns.parse_commit_links(b"", 19),
    ):
        with pytest.raises(ConfigError):
            call()
    columns.finish()
    with pytest.raises(ConfigError):
        columns.finish()
