from typing import Any

import numpy.typing as npt
from typing_extensions import Buffer

_Column = npt.NDArray[Any] | Buffer

def order_rows(order: int, times: _Column, parents: _Column, parent_starts: _Column, chosen: _Column) -> bytes: ...
def mark_reached(
    met: _Column, tips: _Column, parents: _Column, parent_starts: _Column, *, first_parent: bool = False
) -> None: ...
def find_ids(ids: Buffer, wanted: Buffer, id_size: int) -> bytes: ...
