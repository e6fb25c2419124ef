from collections.abc import Callable
from typing import Any, Self, final

@final
class CandidateWalker:
    def __new__(
        cls, packs: list[tuple[Any, ...]], trees: Any, parents: Any, parent_starts: Any, *, id_size: int, all_parents: bool,
        limit_bytes: int, cache_bytes: int, rows: int, path_bytes: int, stream_bytes: int,
        find: Callable[[bytes], bytes | bool | None], inflate: object, arena: object | None = None,
    ) -> Self: ...  # fmt: skip
    @property
    def counters(self) -> dict[str, int]: ...
    @property
    def peak_bytes(self) -> int: ...
    def begin(self, commits: Any) -> None: ...
    def next_block(self) -> tuple[bool, tuple[bytearray, ...], list[tuple[int, bytes, bytes, int, str]]]: ...
