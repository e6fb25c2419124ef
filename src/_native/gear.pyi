from array import array

from typing_extensions import Buffer

def cut_offsets(
    data: Buffer, gear: Buffer, minimum: int, target: int, maximum: int, mask_before: int, mask_after: int
) -> array[int]: ...

class CutScanner:
    def __init__(
        self, gear: Buffer, minimum: int, target: int, maximum: int, mask_before: int, mask_after: int
    ) -> None: ...
    def feed(self, data: Buffer) -> array[int]: ...
    def finish(self) -> array[int]: ...
