from collections.abc import Iterable
from typing import Any

from typing_extensions import Buffer

HIT_FORMAT: str

def variants() -> list[str]: ...

class LiteralMatcher:
    count: int
    def __init__(self, literals: Iterable[bytes], variant: str = "auto") -> None: ...
    def __len__(self) -> int: ...
    @property
    def variant(self) -> str: ...
    def search(
        self, data: Buffer, starts: Any, ends: Any, first: int = 0, limit: int = 1048576
    ) -> tuple[bytes, int]: ...
