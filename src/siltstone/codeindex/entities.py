"""Entities and relations in columns: parallel numpy arrays and one string arena per text column.

Lines and columns are 0-based; a column counts bytes of UTF-8 from the start of its line; -1 means not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int32]


class EntityKind(IntEnum):
    """What an entity is. DO NOT CHANGE the numbers: stored."""

    FILE = 0
    MODULE = 1
    CLASS = 2
    INTERFACE = 3  # also trait, protocol
    FUNCTION = 4
    METHOD = 5
    VARIABLE = 6
    TYPE = 7

    @property
    def label(self) -> str:
        """The name that keys, collections and output use."""
        return self.name.lower()


class EdgeKind(IntEnum):
    """What a relation says. DO NOT CHANGE the numbers: stored."""

    CONTAINS = 0
    IMPORTS = 1
    CALLS = 2
    REFERENCES = 3
    INHERITS = 4
    IMPLEMENTS = 5
    TYPE_OF = 6

    @property
    def label(self) -> str:
        """The name that keys and output use."""
        return self.name.lower()


class Source(IntEnum):
    """Who says so. DO NOT CHANGE the numbers: stored."""

    SCIP = 0
    SYNTAX = 1


class Confidence(IntEnum):
    """How sure: EXACT was said by a compiler or is structural; SCOPED was resolved by name inside one file or one import."""

    EXACT = 0
    SCOPED = 1


class Span(NamedTuple):
    """Where something stands; the end is exclusive."""

    start_line: int = -1
    start_column: int = -1
    end_line: int = -1
    end_column: int = -1


class Entity(NamedTuple):
    """One row of an `EntityBatch`, as a producer hands it in."""

    key: int
    kind: EntityKind
    path: str  # relative to the repository, '/' between parts
    name: str  # qualified inside its file, '.' between parts; of a file: its whole path
    signature: str = ""
    span: Span = Span()
    source: Source = Source.SYNTAX


class Edge(NamedTuple):
    """One row of an `EdgeBatch`; *line* is where the source says so, in the file of the source entity."""

    key: int
    source_key: int
    target_key: int
    kind: EdgeKind
    source: Source
    confidence: Confidence
    line: int = -1


class Unresolved(NamedTuple):
    """A use whose target is not known: kept and counted, never guessed."""

    source_key: int  # the entity that uses the name
    kind: EdgeKind  # what the edge would have been
    name: str  # as written
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Strings:
    """A text column: *offsets* (length n + 1) cut the UTF-8 *arena* into n values."""

    offsets: npt.NDArray[np.int64]
    arena: bytes

    @classmethod
    def of(cls, values: Iterable[str]) -> Strings:
        """Return the column of *values*; a lone surrogate becomes U+FFFD."""
        encoded = [value.encode("utf-8", "replace") for value in values]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(value) for value in encoded], out=offsets[1:])
        return cls(offsets, b"".join(encoded))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        return self.arena[self.offsets[index] : self.offsets[index + 1]].decode()

    def tolist(self) -> list[str]:
        """Return all values."""
        bounds, arena = self.offsets.tolist(), self.arena
        return [arena[start:end].decode() for start, end in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class EntityBatch:
    """Entities in columns; row i of every column belongs together."""

    keys: Keys
    kinds: Bytes
    sources: Bytes
    spans: Positions  # shape (n, 4): start line, start column, end line, end column
    paths: Strings
    names: Strings
    signatures: Strings

    @classmethod
    def of(cls, rows: Iterable[Entity]) -> EntityBatch:
        """Return the columns of *rows*, in their order."""
        rows = list(rows)
        return cls(
            keys=np.array([row.key for row in rows], np.uint64),
            kinds=np.array([row.kind for row in rows], np.uint8),
            sources=np.array([row.source for row in rows], np.uint8),
            spans=np.array([row.span for row in rows], np.int32).reshape(len(rows), 4),
            paths=Strings.of(row.path for row in rows),
            names=Strings.of(row.name for row in rows),
            signatures=Strings.of(row.signature for row in rows),
        )

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self) -> Iterator[Entity]:
        """Yield each entity as a value."""
        columns: Iterable[Any] = zip(
            self.keys.tolist(), self.kinds.tolist(), self.paths.tolist(), self.names.tolist(),
            self.signatures.tolist(), self.spans.tolist(), self.sources.tolist(), strict=True,
        )
        for key, kind, path, name, signature, span, source in columns:
            yield Entity(key, EntityKind(kind), path, name, signature, Span(*span), Source(source))


@dataclass(frozen=True, slots=True)
class EdgeBatch:
    """Relations in columns."""

    keys: Keys
    source_keys: Keys
    target_keys: Keys
    kinds: Bytes
    sources: Bytes
    confidences: Bytes
    lines: Positions

    @classmethod
    def of(cls, rows: Iterable[Edge]) -> EdgeBatch:
        """Return the columns of *rows*, in their order."""
        rows = list(rows)
        return cls(
            keys=np.array([row.key for row in rows], np.uint64),
            source_keys=np.array([row.source_key for row in rows], np.uint64),
            target_keys=np.array([row.target_key for row in rows], np.uint64),
            kinds=np.array([row.kind for row in rows], np.uint8),
            sources=np.array([row.source for row in rows], np.uint8),
            confidences=np.array([row.confidence for row in rows], np.uint8),
            lines=np.array([row.line for row in rows], np.int32),
        )

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class UnresolvedBatch:
    """Uses without a known target, in columns."""

    source_keys: Keys
    kinds: Bytes
    lines: Positions
    columns: Positions
    names: Strings

    @classmethod
    def of(cls, rows: Iterable[Unresolved]) -> UnresolvedBatch:
        """Return the columns of *rows*, in their order."""
        rows = list(rows)
        return cls(
            source_keys=np.array([row.source_key for row in rows], np.uint64),
            kinds=np.array([row.kind for row in rows], np.uint8),
            lines=np.array([row.line for row in rows], np.int32),
            columns=np.array([row.column for row in rows], np.int32),
            names=Strings.of(row.name for row in rows),
        )

    def __len__(self) -> int:
        return len(self.source_keys)


Batch = EntityBatch | EdgeBatch | UnresolvedBatch


class Sink(Protocol):
    """Takes batches in the order: all entities that an edge names come before the edge. An error stops the producer."""

    def write(self, batch: Batch) -> None:
        """Take one batch."""

    def close(self) -> None:
        """Finish: what was written is complete."""


@dataclass(slots=True)
class MemorySink:
    """Keeps the batches; for callers who want the values, and for tests."""

    entities: list[EntityBatch] = field(default_factory=list)
    edges: list[EdgeBatch] = field(default_factory=list)
    unresolved: list[UnresolvedBatch] = field(default_factory=list)

    def write(self, batch: Batch) -> None:
        """Keep *batch*."""
        kept: dict[type, list[Any]] = {
            EntityBatch: self.entities, EdgeBatch: self.edges, UnresolvedBatch: self.unresolved,
        }
        kept[type(batch)].append(batch)

    def close(self) -> None:
        """Do nothing."""
