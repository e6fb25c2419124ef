"""Commits as dictionaries: what the columns must hold, by plain string handling."""

from __future__ import annotations

from siltstone.core.errors import CorruptDataError

INT64_MAX = (1 << 63) - 1


def _id_of(line: bytes, label: bytes, id_size: int) -> bytes | None:
    text = line[len(label):]
    if not line.startswith(label) or len(text) != 2 * id_size or text.strip(b"0123456789abcdefABCDEF"):
        return None
    return bytes.fromhex(text.decode())


def _time_of(line: bytes) -> int:
    _, sign, text = line.rpartition(b">")
    text = text.lstrip(b" \t\v\f\r")
    negative = text.startswith(b"-")
    digits = text[negative:]
    digits = digits[: len(digits) - len(digits.lstrip(b"0123456789"))]
    value = min(int(digits or b"0"), INT64_MAX) if sign else 0
    if value > (INT64_MAX - 9) // 10 * 10 + 9:
        value = INT64_MAX
    return -value if negative else value


def parse_commit_links(data: bytes, id_size: int) -> tuple[bytes, bytes, int]:
    *lines, rest = data.split(b"\n")
    tree = _id_of(lines[0], b"tree ", id_size) if lines else None
    if tree is None:
        raise CorruptDataError("commit does not start with a tree", offset=0)
    at, parents = 1, b""
    while at < len(lines):
        parent = _id_of(lines[at], b"parent ", id_size)
        if parent is None:
            break
        parents += parent
        at += 1
    following = lines[at] if at < len(lines) else rest
    if following.startswith(b"parent "):
        raise CorruptDataError("a parent of the commit is no object id", offset=sum(len(line) + 1 for line in lines[:at]))
    if len(lines) < at + 2 or not lines[at].startswith(b"author") or not lines[at + 1].startswith(b"committer"):
        return tree, parents, 0
    return tree, parents, _time_of(lines[at + 1][9:])


class CommitColumns:
    """The same collecting, with a dictionary."""

    def __init__(self, id_size: int) -> None:
        self.id_size = id_size
        self.commits: dict[bytes, tuple[bytes, list[bytes], int]] = {}

    def add(self, oid: bytes, data: bytes) -> None:
        tree, parents, time = parse_commit_links(data, self.id_size)
        ids = [parents[at : at + self.id_size] for at in range(0, len(parents), self.id_size)]
        self.commits.setdefault(oid, (tree, ids, time))

    def set_parents(self, oid: bytes, parents: list[bytes]) -> bool:
        if oid not in self.commits:
            return False
        tree, _, time = self.commits[oid]
        self.commits[oid] = (tree, parents, time)
        return True

    def finish(self) -> list[tuple[bytes, bytes, int, list[bytes]]]:
        """``(oid, tree, time, parents)`` by id."""
        return [(oid, tree, time, parents) for oid, (tree, parents, time) in sorted(self.commits.items())]
