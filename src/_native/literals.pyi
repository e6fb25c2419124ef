from collections.abc import Iterable
from typing import Any, Self, final

from typing_extensions import Buffer

HIT_FORMAT: str

def variants() -> list[str]: ...

@final
class LiteralMatcher:
    count: int
    def __new__(cls, literals: Iterable[bytes], variant: str = "auto") -> Self: ...
    def __len__(self) -> int: ...
    @property
    def variant(self) -> str: ...
    def search(
        self, data: Buffer, starts: Any, ends: Any, first: int = 0, limit: int = 1048576
    ) -> tuple[bytes, int]: ...
