from array import array
from typing import Self, final

from typing_extensions import Buffer

def cut_offsets(
    data: Buffer, gear: Buffer, minimum: int, target: int, maximum: int, mask_before: int, mask_after: int, pairs: bool = True
) -> array[int]: ...

@final
class CutScanner:
    def __new__(
        cls, gear: Buffer, minimum: int, target: int, maximum: int, mask_before: int, mask_after: int, pairs: bool = True
    ) -> Self: ...
    def feed(self, data: Buffer) -> array[int]: ...
    def finish(self) -> array[int]: ...
