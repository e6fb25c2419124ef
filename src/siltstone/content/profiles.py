"""Named, frozen chunking parameters: which algorithm, which sizes, which table.

A profile decides every cut, so two stores share chunks only where their profiles are equal.  Its parameters and the
digest of its table go into every manifest.  Changing what a name means would change every cut: new meaning, new name.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from siltstone.content.kernels import cut_offsets
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError, CorruptDataError

FASTCDC_V2020 = "fastcdc-v2020"  # DO NOT CHANGE: stored

ALGORITHMS = (FASTCDC_V2020,)

# The masks of the crate `fastcdc`, by their number of one-bits, from 5 on. DO NOT CHANGE: they decide every cut.
_FIRST_MASK_BITS = 5
_MASKS = (
    0x0000000001804110, 0x0000000001803110, 0x0000000018035100, 0x0000001800035300, 0x0000019000353000,
    0x0000590003530000, 0x0000D90003530000, 0x0000D90103530000, 0x0000D90303530000, 0x0000D90313530000,
    0x0000D90F03530000, 0x0000D90303537000, 0x0000D90703537000, 0x0000D90707537000, 0x0000D91707537000,
    0x0000D91747537000, 0x0000D91767537000, 0x0000D93767537000, 0x0000D93777537000, 0x0000D93777577000,
    0x0000DB3777577000,
)

# Digest of the table without a seed: SHA-256 over 256 little-endian words. DO NOT CHANGE: stored.
GEAR_DIGEST = "91a3061015ae351cd3701852712bcd6aa4a1ce26c8a231d3969432b00f028f88"

# Cuts of the input that `verify` makes, found by the pure twin: SHA-256 over little-endian words.
_CHECK_DIGEST = "acb9f91b84eacc8baf260c723c4794b6779f46d10807d6e3e3e06e0cc0f76f74"

_SIZE_RANGES = {"minimum": (64, 1 * MIB), "target": (256, 4 * MIB), "maximum": (1 * KIB, 16 * MIB)}  # as the crate
_LOG2_RULES = ("round", "floor")


@lru_cache(maxsize=8)
def gear_table(seed: int = 0) -> bytes:
    """Return the 256 words of the table in native byte order: the first 8 bytes of MD5 over 64 times the byte, xor *seed*."""
    digests = (hashlib.md5(bytes([value]) * 64, usedforsecurity=False).digest() for value in range(256))
    return array("Q", (int.from_bytes(digest[:8], "big") ^ seed for digest in digests)).tobytes()


def table_digest(seed: int = 0) -> str:
    """Return SHA-256 of the table of *seed*, its words little-endian, in hexadecimal."""
    words = memoryview(gear_table(seed)).cast("Q")
    return hashlib.sha256(b"".join(word.to_bytes(8, "little") for word in words)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An algorithm with its sizes in bytes.

    *normalization* 0 to 3 draws chunk sizes towards *target*.  *log2* says how a target that is no power of two picks its
    masks: ``round`` as the crate does, ``floor`` as its release 4.0.0 and pyfastcdc do.  *seed* changes the cuts; it does
    not hide content: published attacks recover such keys from chunk lengths.
    """

    algorithm: str = FASTCDC_V2020
    minimum: int = 16 * KIB
    target: int = 64 * KIB
    maximum: int = 256 * KIB
    normalization: int = 1
    seed: int = 0
    log2: str = "round"

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ConfigError(f"expected one of {', '.join(ALGORITHMS)}, got {self.algorithm!r}", field="algorithm")
        for name, (low, high) in _SIZE_RANGES.items():
            size = getattr(self, name)
            if type(size) is not int or not low <= size <= high:
                raise ConfigError(f"expected {low} to {high} bytes, got {size!r}", field=name)
        if self.minimum > self.target:
            raise ConfigError(f"may not pass target {self.target}, got {self.minimum}", field="minimum")
        if self.maximum < self.target:
            raise ConfigError(f"may not be below target {self.target}, got {self.maximum}", field="maximum")
        if type(self.normalization) is not int or not 0 <= self.normalization <= 3:
            raise ConfigError(f"expected 0 to 3, got {self.normalization!r}", field="normalization")
        if type(self.seed) is not int or not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"expected an unsigned number of 64 bits, got {self.seed!r}", field="seed")
        if self.log2 not in _LOG2_RULES:
            raise ConfigError(f"expected one of {', '.join(_LOG2_RULES)}, got {self.log2!r}", field="log2")

    @property
    def target_bits(self) -> int:
        """The logarithm of *target* that picks the masks."""
        return self.target.bit_length() - 1 if self.log2 == "floor" else math.floor(math.log2(self.target) + 0.5)

    @property
    def masks(self) -> tuple[int, int]:
        """The mask up to *target* bytes of a chunk, and the one beyond."""
        index = self.target_bits - _FIRST_MASK_BITS
        return _MASKS[index + self.normalization], _MASKS[index - self.normalization]

    @property
    def gear(self) -> bytes:
        """The table of this profile: 256 native words."""
        return gear_table(self.seed)

    @property
    def rules(self) -> tuple[memoryview, int, int, int, int, int]:
        """What the kernel takes after the data."""
        return (memoryview(self.gear).cast("Q"), self.minimum, self.target, self.maximum, *self.masks)

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters, the algorithm and the digest of the table as plain values, as a manifest keeps them."""
        return {
            "algorithm": self.algorithm, "minimum": self.minimum, "target": self.target, "maximum": self.maximum,
            "normalization": self.normalization, "seed": self.seed, "log2": self.log2, "table": table_digest(self.seed),
        }

    @classmethod
    def from_dict(cls, fields: object) -> Profile:
        """Return the profile that `as_dict` wrote. Raises CorruptDataError for anything else, or for another table."""
        if not isinstance(fields, dict) or fields.get("algorithm") not in ALGORITHMS:
            raise CorruptDataError("no profile of a known chunking algorithm")
        settings = {name: value for name, value in fields.items() if name != "table"}
        try:
            profile = cls(**settings)
        except (TypeError, ConfigError) as error:
            raise CorruptDataError(f"the chunking profile is not valid: {error}") from error
        if fields.get("table") != table_digest(profile.seed):
            raise CorruptDataError("the chunking profile was made with another table")
        return profile


PROFILES: Mapping[str, Profile] = MappingProxyType({
    "fastcdc-8k": Profile(minimum=2 * KIB, target=8 * KIB, maximum=32 * KIB),
    "fastcdc-16k": Profile(minimum=4 * KIB, target=16 * KIB, maximum=64 * KIB),
    "fastcdc-64k": Profile(),
    "fastcdc-256k": Profile(minimum=64 * KIB, target=256 * KIB, maximum=1 * MIB),
    "fastcdc-1m": Profile(minimum=256 * KIB, target=1 * MIB, maximum=4 * MIB),
})

DEFAULT_PROFILE = PROFILES["fastcdc-64k"]


def get_profile(name: str) -> Profile:
    """Return the profile called *name*. Raises ConfigError, which lists the names, where there is none."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigError(f"expected one of {', '.join(PROFILES)}, got {name!r}", field="profile") from None


def verify(profile: Profile = DEFAULT_PROFILE) -> None:
    """Check that this installation computes the table of *profile* and cuts as published.

    Raises CorruptDataError where the table or the cuts of a fixed input differ: chunks would silently stop being shared.
    """
    if table_digest() != GEAR_DIGEST:
        raise CorruptDataError("the gear table differs from the published one")
    data = hashlib.shake_128(b"siltstone profile check").digest(64 * KIB)
    whole = cut_offsets(data, Profile(minimum=64, target=256, maximum=1024))
    if hashlib.sha256(b"".join(end.to_bytes(8, "little") for end in whole)).hexdigest() != _CHECK_DIGEST:
        raise CorruptDataError("the cut points of the check input differ from the published ones")
    if max(profile.masks) >> 48:
        raise CorruptDataError("a mask reaches beyond the published 48 bits")
