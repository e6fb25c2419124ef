from array import array
from typing import Self, final

from typing_extensions import Buffer

def cut_offsets(
    data: Buffer, table: Buffer, minimum: int, center: int, maximum: int, mask_before: int, mask_after: int
) -> array[int]: ...

@final
class CutScanner:
    def __new__(
        cls, table: Buffer, minimum: int, center: int, maximum: int, mask_before: int, mask_after: int
    ) -> Self: ...
    def feed(self, data: Buffer) -> array[int]: ...
    def finish(self) -> array[int]: ...
