from typing import Self, final

RING_BYTES: int

@final
class TreeStream:
    def __new__(
        cls,
        source: object,  # a buffer, a capsule of a SpillArena, or a function of (position, most) that returns a buffer
        id_size: int,
        *,
        offset: int = 0,
        size: int | None = None,
        ring_bytes: int = 16384,
    ) -> Self: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[int, bytes, bytes]: ...
    @property
    def size(self) -> int: ...
    @property
    def held_bytes(self) -> int: ...

@final
class TreeDiffStream:
    def __new__(cls, old: TreeStream | None, new: TreeStream | None, id_size: int) -> Self: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[bytes, int, int, bytes | None, bytes | None]: ...
