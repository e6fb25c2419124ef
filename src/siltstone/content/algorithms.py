"""What each chunking algorithm accepts, and which masks it draws from a target size.

The limits are those of the sources; where ours differ, the reason stands beside them.  Nothing here cuts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from siltstone.content.gear_tables import FASTCDC_V2016, FASTCDC_V2020, GEARHASH, RONOMON
from siltstone.core.budget import GIB, KIB, MIB

# The masks of the crate `fastcdc`, by their number of one-bits, from 5 on. DO NOT CHANGE: they decide every cut.
_FIRST_MASK_BITS = 5
_MASKS = (
    0x0000000001804110, 0x0000000001803110, 0x0000000018035100, 0x0000001800035300, 0x0000019000353000,
    0x0000590003530000, 0x0000D90003530000, 0x0000D90103530000, 0x0000D90303530000, 0x0000D90313530000,
    0x0000D90F03530000, 0x0000D90303537000, 0x0000D90703537000, 0x0000D90707537000, 0x0000D91707537000,
    0x0000D91747537000, 0x0000D91767537000, 0x0000D93767537000, 0x0000D93777537000, 0x0000D93777577000,
    0x0000DB3777577000,
)
MOST_MASK_BITS = _FIRST_MASK_BITS + len(_MASKS) - 1
MASK_WIDTH = 48  # no published mask has a bit beyond: a decision depends on that many bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """Ranges of the settings of one algorithm, both ends included; sizes in bytes."""

    minimum: tuple[int, int]
    target: tuple[int, int]
    maximum: tuple[int, int]
    normalization: tuple[int, int]
    seeded: bool = False  # whether a seed changes the table
    rounded: bool = True  # whether a target may be no power of two, and `log2` says how it is rounded
    window: int | None  # bytes that decide about a place beyond the minimum; None: no bound can be given


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({
    # As the crate, doubled where the Remote Execution API asks for targets up to 8 MiB with a maximum four times as long.
    FASTCDC_V2020: Algorithm(minimum=(64, 2 * MIB), target=(256, 8 * MIB), maximum=(1 * KIB, 32 * MIB), normalization=(0, 3),
                             seeded=True, window=MASK_WIDTH),
    FASTCDC_V2016: Algorithm(minimum=(64, 1 * MIB), target=(256, 4 * MIB), maximum=(1 * KIB, 16 * MIB), normalization=(0, 3),
                             window=MASK_WIDTH),
    # The masks are one bit apart from the target's on both sides, always. The hash halves by shifting, and a carry from any
    # byte before may live on in it: no number of bytes is a window.
    RONOMON: Algorithm(minimum=(64, 64 * MIB), target=(256, 256 * MIB), maximum=(1 * KIB, 1 * GIB), normalization=(1, 1),
                       window=None),
    # xet takes powers of two above the window and below 2**32; the kernel's longest chunk ends ours at 2**29.
    GEARHASH: Algorithm(minimum=(1, 512 * MIB), target=(128, 512 * MIB), maximum=(128, 1 * GIB), normalization=(0, 0),
                        rounded=False, window=64),
})


def default_normalization(algorithm: str) -> int:
    """Return the normalization of a profile of *algorithm* where none is given."""
    return min(1, ALGORITHMS[algorithm].normalization[1])


def target_bits_of(target: int, log2: str) -> int:
    """Return the logarithm of *target*, rounded down where *log2* is ``floor``, else to the nearest."""
    return target.bit_length() - 1 if log2 == "floor" else math.floor(math.log2(target) + 0.5)


def masks_of(algorithm: str, target_bits: int, normalization: int) -> tuple[int, int]:
    """Return the mask up to the target of a chunk, and the one beyond."""
    if algorithm == RONOMON:
        return (1 << target_bits + 1) - 1, (1 << target_bits - 1) - 1
    if algorithm == GEARHASH:
        mask = (1 << target_bits) - 1 << 64 - target_bits
        return mask, mask
    index = target_bits - _FIRST_MASK_BITS
    return _MASKS[index + normalization], _MASKS[index - normalization]


def ronomon_center(minimum: int, target: int) -> int:
    """Return the index of a chunk from which the second mask counts (`center_size` of the crate)."""
    return target - min(minimum + (minimum + 1) // 2, target)
