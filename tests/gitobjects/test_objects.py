"""Commits and tags: what git writes, what history holds, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.objects import parse_commit, parse_signature, parse_tag

TREE = b"tree " + b"1" * 40 + b"\n"
WHO = b"A U Thor <a@example.com>"


@pytest.mark.oracle
def test_commits_and_tags_of_git(repository: Path, git: Callable[..., bytes]) -> None:
    zone = {"GIT_AUTHOR_DATE": "1234567890 -0730", "GIT_COMMITTER_DATE": "1234567891 +1400"}
    git(repository, "commit", "-q", "--allow-empty", "-m", "first\n\nbody", env=zone)
    git(repository, "-c", "i18n.commitEncoding=latin1", "commit", "-q", "--allow-empty", "-F", "-", input=b"caf\xe9\n")
    git(repository, "tag", "-am", "the tag", "v1")
    with ObjectDatabase.open(repository) as database:
        head = database.head()
        assert head is not None
        second = parse_commit(database.read(head).data)
        first = parse_commit(database.read(second.parents[0]).data)
        tag = parse_tag(database.read(database.refs()[b"refs/tags/v1"]).data)
    assert (second.encoding, second.message) == (b"latin1", b"caf\xe9\n")
    assert (first.parents, first.message, first.encoding) == ((), b"first\n\nbody\n", b"")
    assert (first.author_time, first.author_zone) == (1234567890, b"-0730")
    assert (first.committer_time, first.committer_zone) == (1234567891, b"+1400")
    assert first.author == b"A U Thor <author@example.com>"
    assert (tag.target, tag.kind, tag.name, tag.message) == (head, Kind.COMMIT, b"v1", b"the tag\n")


def test_a_signature_and_a_merge_of_many_parents() -> None:
    parents = b"".join(b"parent " + digit * 40 + b"\n" for digit in (b"a", b"b", b"c"))
    signed = b"gpgsig -----BEGIN-----\n \n abc\n -----END-----\n"
    commit = parse_commit(TREE + parents + b"author " + WHO + b" 5 +0000\n" + signed + b"\nmessage\n\nmore")
    assert [parent[:1] for parent in commit.parents] == [b"\xaa", b"\xbb", b"\xcc"]
    assert commit.message == b"message\n\nmore"
    assert commit.committer == b""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (WHO + b" 12 +0100", (WHO, 12, b"+0100")),
        (WHO + b" 12", (WHO, 12, b"")),
        (WHO, (WHO, 0, b"")),
        (WHO + b" -12 +0000", (WHO, 0, b"+0000")),
        (WHO + b" yesterday", (WHO, 0, b"")),
        (b"no mail 12 +0000", (b"no mail 12 +0000", 0, b"")),
        (b"a <b> c> 7 +0000", (b"a <b> c>", 7, b"+0000")),
        (b"", (b"", 0, b"")),
        (WHO + b" 99999999999999999999 +0000", (WHO, 0, b"+0000")),
    ],
)
def test_odd_identities_are_tolerated(line: bytes, expected: tuple[bytes, int, bytes]) -> None:
    found = parse_signature(line)
    assert (found.identity, found.time, found.zone) == expected


@pytest.mark.parametrize("data", [
    b"", b"tree", b"tree " + b"1" * 39, b"tree " + b"1" * 41 + b"\n", b"tree " + b"g" * 40, b"parent " + b"1" * 40,
    TREE + b"parent " + b"1" * 64 + b"\n", TREE + b"parent \n", b"tree " + b"1 " * 20 + b"\n",
])  # fmt: skip
def test_a_commit_without_its_ids_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptDataError):
        parse_commit(data)


@pytest.mark.parametrize("data", [
    b"", b"object " + b"1" * 40, b"object " + b"1" * 40 + b"\ntype thing\ntag x\n",
    b"object " + b"1" * 40 + b"\ntype commit\n", b"type commit\n",
])  # fmt: skip
def test_a_tag_without_its_target_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptDataError):
        parse_tag(data)


@given(st.binary(max_size=120))
def test_any_bytes_give_a_value_or_the_error(data: bytes) -> None:
    for parse in (parse_commit, parse_tag):
        for start in (b"", TREE, b"object " + b"1" * 40 + b"\ntype blob\n"):
            with suppress(CorruptDataError):
                parse(start + data)
