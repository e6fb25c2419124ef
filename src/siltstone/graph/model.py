"""The values that the graph hands out, and the rows that a store takes beside the graph.

Lines here are 1-based, as people count them; 0 means not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from siltstone.codeindex.entities import EdgeKind, EntityKind, Source
from siltstone.codeindex.keys import format_key


class FileRow(NamedTuple):
    """A file of the indexed tree."""

    path: str
    language: str  # "" where it is not known
    size: int  # bytes
    digest: bytes  # of the content; which hash is the writer's choice, equal content has an equal digest


class FindingRow(NamedTuple):
    """A finding, its secret redacted by the detector; *detail* is everything the detector says, as JSON values."""

    fingerprint: str
    rule_id: str
    path: str | None
    line: int
    file_key: int | None  # the file entity it lies in, where the indexed tree holds that file
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EntityRow:
    """An entity as people read it."""

    key: int
    kind: EntityKind
    path: str
    name: str
    signature: str
    line: int
    end_line: int
    source: Source

    @property
    def place(self) -> str:
        """Where it stands: ``path:line``, of a file the path alone."""
        return f"{self.path}:{self.line}" if self.line and self.kind is not EntityKind.FILE else self.path

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; the key as 16 hexadecimal digits."""
        return {
            "key": format_key(self.key), "kind": self.kind.label, "path": self.path, "name": self.name,
            "signature": self.signature, "line": self.line, "end_line": self.end_line,
            "source": self.source.name.lower(),
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """An entity that a walk reached: *distance* edges away, by an edge of kind *via* to *parent*, said at *via_line*."""

    entity: EntityRow
    distance: int
    via: EdgeKind
    parent: EntityRow
    via_line: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.entity.as_dict(), "distance": self.distance, "via": self.via.label,
            "via_line": self.via_line, "parent": format_key(self.parent.key),
        }


@dataclass(frozen=True, slots=True)
class Reach:
    """What a walk found, by distance and then by key, and what its limits left out.

    *cut* counts the rows of the next distance that the node limit dropped (rows beyond those are not counted);
    *deeper* says that the depth limit hides at least one more.
    """

    seeds: tuple[EntityRow, ...]
    hits: tuple[Hit, ...]
    cut: int = 0
    deeper: bool = False

    @property
    def complete(self) -> bool:
        """Whether no limit left anything out."""
        return not self.cut and not self.deeper

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "seeds": [seed.as_dict() for seed in self.seeds], "hits": [hit.as_dict() for hit in self.hits],
            "complete": self.complete, "cut_by_limit": self.cut, "deeper_than_depth": self.deeper,
        }


@dataclass(frozen=True, slots=True)
class Cycle:
    """A strongly connected component: its *members* sorted by place and name, and one shortest *path* through the first.

    The path starts at the first member; from its last row an edge leads back to the first.
    """

    members: tuple[EntityRow, ...]
    path: tuple[EntityRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "size": len(self.members), "path": [row.as_dict() for row in self.path],
            "members": [row.as_dict() for row in self.members],
        }


@dataclass(frozen=True, slots=True)
class Cycles:
    """All cycles over one kind of edge, small ones first, and the entities with an edge to themselves."""

    kind: EdgeKind
    cycles: tuple[Cycle, ...] = field(default=())
    loops: tuple[EntityRow, ...] = field(default=())

    def through(self, entity: EntityRow) -> Cycles:
        """Return those that *entity* is in; imports lead from file to file, so there its file counts."""

        def has(rows: tuple[EntityRow, ...]) -> bool:
            if self.kind is EdgeKind.IMPORTS:
                return any(row.path == entity.path for row in rows)
            return any(row.key == entity.key for row in rows)

        return Cycles(self.kind, tuple(cycle for cycle in self.cycles if has(cycle.members)),
                      tuple(row for row in self.loops if has((row,))))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind.label, "cycles": [cycle.as_dict() for cycle in self.cycles],
            "self_loops": [row.as_dict() for row in self.loops],
        }
