"""What commits bring, natively: the rows of the twin, whatever the size of blocks, of kept trees and of streams."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone._native.candidates import CandidateWalker
from siltstone._native.inflate import capsule
from siltstone._native.spill_arena import SpillArena
from siltstone.core.errors import ConfigError
from tests.reference.candidates import candidate_rows

MODES = (0o100644, 0o100755, 0o100664, 0o120000, 0o160000)
NAMES = (b"a", b"a.c", b"a0", b"ab", b"b", b"\xff", b"z" * 40)


class Forest:
    """Random trees by id, and a history over them."""

    def __init__(self, seed: int, id_size: int, commits: int) -> None:
        self.rng, self.id_size = random.Random(seed), id_size
        self.trees: dict[bytes, bytes] = {}
        self.roots: list[bytes] = []
        self.parents: list[list[int]] = []
        for row in range(commits):
            base = self.rng.choice(self.roots) if row and self.rng.random() < 0.8 else None
            self.roots.append(self.grow(base, 3))
            self.parents.append([self.rng.randint(-2, row - 1) for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3]))])

    def grow(self, base: bytes | None, depth: int) -> bytes:
        """Return a tree, mostly like *base*."""
        records = dict(self.records(base)) if base is not None else {}
        for _ in range(self.rng.randint(0 if records else 1, 3)):
            name = self.rng.choice(NAMES)
            below = depth and self.rng.random() < 0.4
            for kind in (False, True):
                was = records.pop((name, kind), None)
                if kind and below:
                    inner = was[1] if was else None
                    records[name, True] = (0o040000, self.grow(inner, depth - 1))
            if not below and self.rng.random() < 0.8:
                records[name, False] = (self.rng.choice(MODES), self.rng.choice(range(20)).to_bytes(1, "big") * self.id_size)
        ordered = sorted(records, key=lambda key: key[0] + b"/" * key[1])
        data = b"".join(b"%o %s\0" % (records[key][0], key[0]) + records[key][1] for key in ordered)
        oid = hashlib.sha256(data).digest()[: self.id_size]
        self.trees[oid] = data
        return oid

    def records(self, oid: bytes) -> list[tuple[tuple[bytes, bool], tuple[int, bytes]]]:
        """Return the records of one of our trees."""
        data, at, found = self.trees[oid], 0, []
        while at < len(data):
            stop = data.index(0, at)
            mode, name = data[at:stop].split(b" ", 1)
            found.append(((name, mode == b"40000"), (int(mode, 8), data[stop + 1 : stop + 1 + self.id_size])))
            at = stop + 1 + self.id_size
        return found

    def walker(self, *, all_parents: bool, **settings: object) -> CandidateWalker:
        """Return a walker that asks for every tree."""
        starts = np.cumsum([0, *map(len, self.parents)]).astype(np.int64)
        flat = np.array([row for rows in self.parents for row in rows], np.int64)
        chosen = {"limit_bytes": 1 << 20, "cache_bytes": 1 << 16, "rows": 50, "path_bytes": 1 << 14, "stream_bytes": 1 << 20,
                  "find": self.trees.get, **settings}  # fmt: skip
        return CandidateWalker(
            [], b"".join(self.roots), flat, starts, id_size=self.id_size, all_parents=all_parents, inflate=capsule(), **chosen)


def rows_of(walker: CandidateWalker, commits: list[int], id_size: int) -> list[tuple[object, ...]]:
    """Return all rows of a range, and hold each block to the room it was given."""
    walker.begin(np.array(commits, np.int64))
    rows: list[tuple[object, ...]] = []
    done = False
    while not done:
        done, columns, _ = walker.next_block()
        numbers = [np.frombuffer(column, kind).tolist() for column, kind in
                   zip(columns[:6], ("i4", "i4", "i4", "u1", "u4", "i8"), strict=True)]  # fmt: skip
        ends = numbers.pop()
        paths = [bytes(columns[7][start:end]) for start, end in zip([0, *ends], ends, strict=False)]
        blobs = [bytes(columns[6][at : at + id_size]) for at in range(0, len(columns[6]), id_size)]
        rows += zip(*numbers, blobs, paths, strict=True)
    return rows


@given(st.integers(0, 1 << 30), st.sampled_from([20, 32]), st.booleans(), st.sampled_from([1, 3, 50]),
       st.sampled_from([1, 1 << 20]))
@settings(max_examples=60)
def test_rows_equal_those_of_the_twin(seed: int, id_size: int, all_parents: bool, rows: int, cache_bytes: int) -> None:
    forest = Forest(seed, id_size, 12)
    commits = list(range(12))
    forest.rng.shuffle(commits)
    walker = forest.walker(all_parents=all_parents, rows=rows, cache_bytes=cache_bytes)
    expected = candidate_rows(
        forest.trees, forest.roots, forest.parents, commits, all_parents=all_parents, id_size=id_size)
    assert rows_of(walker, commits, id_size) == expected


@given(st.integers(0, 1 << 30), st.sampled_from([20, 32]), st.sampled_from([1, 50]))
@settings(max_examples=20)
def test_trees_that_are_streamed_from_an_arena_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, seed: int, id_size: int, rows: int
) -> None:
    forest = Forest(seed, id_size, 12)
    folder = os.fsencode(tmp_path_factory.mktemp("arena"))
    arena = SpillArena(folder, size_bytes=1 << 24, entries=1 << 12, id_size=id_size)
    for oid, data in forest.trees.items():
        assert arena.put(oid, data)
    walker = forest.walker(all_parents=True, rows=rows, stream_bytes=0, find=lambda oid: None, arena=arena.capsule())
    expected = candidate_rows(
        forest.trees, forest.roots, forest.parents, range(12), all_parents=True, id_size=id_size)
    assert rows_of(walker, list(range(12)), id_size) == expected
    assert walker.counters["trees.streamed"] >= sum(map(bool, expected))


@pytest.mark.parametrize("rows", [1, 50])
def test_trees_over_the_limit_come_from_the_asker(tmp_path: Path, rows: int) -> None:
    forest = Forest(5, 20, 12)
    arena = SpillArena(os.fsencode(tmp_path), size_bytes=1 << 24, entries=1 << 12, id_size=20)
    expected = candidate_rows(forest.trees, forest.roots, forest.parents, range(12), all_parents=True, id_size=20)
    for find in (forest.trees.get, lambda oid: arena.put(oid, forest.trees[oid])):
        walker = forest.walker(all_parents=True, rows=rows, limit_bytes=1, cache_bytes=1, find=find, arena=arena.capsule())
        assert rows_of(walker, list(range(12)), 20) == expected
    assert walker.counters["trees.streamed"] > 12
    lying = forest.walker(all_parents=True, find=lambda oid: True)
    assert rows_of(lying, list(range(12)), 20) == []


def test_what_is_left_out_is_noted() -> None:
    forest = Forest(1, 20, 1)
    deep = {bytes([number]) * 20: b"40000 d\0" + bytes([number + 1]) * 20 for number in range(1, 251)}
    forest.trees = {**deep, b"\xff" * 20: b"160000 sub\0" + b"s" * 20 + b"100644 cut\0" + b"c" * 7}
    forest.roots, forest.parents = [b"\xff" * 20, b"\x01" * 20], [[], []]
    walker = forest.walker(all_parents=False)
    walker.begin(np.array([0, 1], np.int64))
    done, columns, notes = walker.next_block()
    assert done
    assert not columns[0]
    assert notes == [(1, b"s" * 20, b"sub", 0, ""), (4, b"\xff" * 20, b"", 31, "tree record is cut short")]


def test_a_tree_that_is_shorter_when_it_is_read_again_is_at_its_end() -> None:
    """Two packs can give one id to two contents; what is kept decides which one comes."""
    roots = [b"\x01" * 20, b"\x02" * 20]
    heads = [b"40000 sub\0" + bytes([number]) * 20 for number in (3, 4)]
    tails = [b"".join(b"100644 z%03d\0" % at + bytes([number]) * 20 for at in range(10)) for number in (1, 2)]
    again = dict(zip(roots, (b"", heads[1] + b"broken" * 20), strict=True))
    first = dict(zip(roots, (heads[0] + tails[0], heads[1] + tails[1]), strict=True))
    forest = Forest(1, 20, 1)
    forest.roots, forest.parents = roots, [[], [0]]

    def find(oid: bytes) -> bytes:
        return first.pop(oid, again[oid]) if oid in again else b"100644 x\0" + oid

    walker = forest.walker(all_parents=False, cache_bytes=1, find=find)
    walker.begin(np.array([1], np.int64))
    done, columns, notes = walker.next_block()
    assert done
    assert bytes(columns[7]) == b"sub/x"
    assert notes == [(4, roots[1], b"", len(heads[1]), "tree record has no octal mode")]


def test_an_error_of_the_asker_ends_the_walk() -> None:
    forest = Forest(1, 20, 2)

    def refuse(oid: bytes) -> bytes:
        raise LookupError(oid.hex())

    walker = forest.walker(all_parents=False, find=refuse)
    walker.begin(np.array([0], np.int64))
    with pytest.raises(LookupError):
        walker.next_block()


@pytest.mark.parametrize("change", [
    {"limit_bytes": 0}, {"cache_bytes": 0}, {"rows": 0}, {"path_bytes": 100},
])  # fmt: skip
def test_bad_settings_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Forest(1, 20, 2).walker(all_parents=False, **change)


def test_rows_outside_the_history_are_refused() -> None:
    walker = Forest(1, 20, 2).walker(all_parents=False)
    for rows in ([2], [-1]):
        with pytest.raises(ConfigError):
            walker.begin(np.array(rows, np.int64))

