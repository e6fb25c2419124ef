"""Which compiled kernel cuts for a profile: the one door between the content layer and the cutting kernels.

All kernels of an algorithm find the same cuts; a name only says how fast.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Protocol

from siltstone._native import gear, gearhash, ronomon
from siltstone.content.gear_tables import FASTCDC_V2016, FASTCDC_V2020, GEARHASH, RONOMON
from siltstone.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from siltstone.content.profiles import Profile

AUTO = "auto"
SCALAR = "scalar"
_KERNELS = {
    **dict.fromkeys((FASTCDC_V2020, FASTCDC_V2016), gear.available()),
    **dict.fromkeys((RONOMON, GEARHASH), (SCALAR,)),
}


class Scanner(Protocol):
    """What finds cuts in a stream: offsets count from its start, ascending, each given once."""

    def feed(self, data: ReadableBuffer) -> array[int]:
        """Return the cuts that *data* decides; one may lie a byte before *data*."""

    def finish(self) -> array[int]:
        """Return the end of the open chunk, where there is one, and begin anew."""


def available(algorithm: str = FASTCDC_V2020) -> tuple[str, ...]:
    """Return the names of the kernels for *algorithm* that run on this machine, slowest first."""
    if algorithm not in _KERNELS:
        raise ConfigError(f"expected one of {', '.join(_KERNELS)}, got {algorithm!r}", field="algorithm")
    return _KERNELS[algorithm]


def cut_offsets(data: ReadableBuffer, profile: Profile, *, kernel: str = AUTO) -> array[int]:
    """Return the end of every chunk of *data*, ascending, in one call without the GIL; the last is the size of *data*.

    *kernel* forces one of `available`. Raises ConfigError where it cannot run here, or not for this algorithm.
    """
    _check_kernel(kernel, profile.algorithm)
    if profile.algorithm == GEARHASH:
        return gearhash.cut_offsets(data, *profile.rules)
    if profile.algorithm == RONOMON:
        return ronomon.cut_offsets(data, *profile.rules)
    return gear.cut_offsets(data, *profile.rules, kernel=kernel)


def scanner(profile: Profile, *, kernel: str = AUTO) -> Scanner:
    """Return what finds the cuts of `cut_offsets` in a stream that comes in pieces of any size."""
    _check_kernel(kernel, profile.algorithm)
    if profile.algorithm == GEARHASH:
        return gearhash.CutScanner(*profile.rules)
    if profile.algorithm == RONOMON:
        return ronomon.CutScanner(*profile.rules)
    return gear.CutScanner(*profile.rules, kernel=kernel)


def _check_kernel(kernel: str, algorithm: str) -> None:
    names = available(algorithm)
    if kernel != AUTO and kernel not in names:
        raise ConfigError(f"for {algorithm} expected {AUTO} or one of {', '.join(names)}, got {kernel!r}", field="kernel")
