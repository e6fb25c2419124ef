"""Named, frozen chunking parameters: which algorithm, which sizes, which table.

A profile decides every cut, so two stores share chunks only where their profiles are equal.  Its parameters and the
digest of its table go into every manifest.  Changing what a name means would change every cut: new meaning, new name.
Where each named profile comes from: docs/formats/profiles.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from siltstone.content.algorithms import (
    ALGORITHMS,
    MOST_MASK_BITS,
    Algorithm,
    default_normalization,
    masks_of,
    ronomon_center,
    target_bits_of,
)
from siltstone.content.gear_tables import (
    FASTCDC_V2016,
    FASTCDC_V2020,
    GEARHASH,
    RONOMON,
    TABLE_DIGESTS,
    gear_table,
    table_digest,
    table_of,
)
from siltstone.content.kernels import AUTO, cut_offsets
from siltstone.core.budget import KIB, MIB
from siltstone.core.errors import ConfigError, CorruptDataError

__all__ = [
    "ALGORITHMS", "DEFAULT_PROFILE", "FASTCDC_V2016", "FASTCDC_V2020", "GEARHASH", "PROFILES", "RONOMON", "Profile",
    "describe_profiles", "gear_table", "get_profile", "table_digest", "verify_profile",
]

_LOG2_RULES = ("round", "floor")
_SIZES = ("minimum", "target", "maximum")
_BY_ALGORITHM: Any = object()  # the default of a setting that depends on another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An algorithm with its sizes in bytes; `ALGORITHMS` has the limits of each.

    *normalization* 0 to 3 draws chunk sizes towards *target*; the default is 1 (ronomon: always 1, gearhash: always 0).
    *log2* says how a target that is no power of two picks its masks: ``round`` as the crate does, ``floor`` as its release
    4.0.0 and pyfastcdc 0.2 do.  *seed* changes the cuts of FastCDC v2020; it does not hide content: published attacks recover
    such keys from chunk lengths.  Raises ConfigError, which names the field that does not fit.
    """

    algorithm: str = FASTCDC_V2020
    minimum: int = 16 * KIB
    target: int = 64 * KIB
    maximum: int = 256 * KIB
    normalization: int = _BY_ALGORITHM
    seed: int = 0
    log2: str = "round"

    def __post_init__(self) -> None:
        if not isinstance(self.algorithm, str) or self.algorithm not in ALGORITHMS:
            raise ConfigError(f"expected one of {', '.join(ALGORITHMS)}, got {self.algorithm!r}", field="algorithm")
        limits = ALGORITHMS[self.algorithm]
        if self.normalization is _BY_ALGORITHM:
            object.__setattr__(self, "normalization", default_normalization(self.algorithm))
        self._check_sizes(limits)
        self._check_rules(limits)

    def _check_sizes(self, limits: Algorithm) -> None:
        for name in _SIZES:
            size, (low, high) = getattr(self, name), getattr(limits, name)
            if type(size) is not int or not low <= size <= high:
                raise ConfigError(f"{self.algorithm} takes {low} to {high} bytes, got {size!r}", field=name)
        if self.minimum > self.target:
            raise ConfigError(f"may not pass target {self.target}, got {self.minimum}", field="minimum")
        if self.maximum < self.target:
            raise ConfigError(f"may not be below target {self.target}, got {self.maximum}", field="maximum")
        if not limits.rounded and self.target & (self.target - 1):
            raise ConfigError(f"{self.algorithm} takes powers of two, got {self.target}", field="target")

    def _check_rules(self, limits: Algorithm) -> None:
        low, high = limits.normalization
        if type(self.normalization) is not int or not low <= self.normalization <= high:
            raise ConfigError(f"{self.algorithm} takes {low} to {high}, got {self.normalization!r}", field="normalization")
        most = (1 << 64) - 1 if limits.seeded else 0
        if type(self.seed) is not int or not 0 <= self.seed <= most:
            raise ConfigError(f"{self.algorithm} takes 0 to {most}, got {self.seed!r}", field="seed")
        rules = _LOG2_RULES if limits.rounded else _LOG2_RULES[:1]
        if not isinstance(self.log2, str) or self.log2 not in rules:
            raise ConfigError(f"{self.algorithm} takes {' or '.join(rules)}, got {self.log2!r}", field="log2")
        drawn = self.algorithm in (FASTCDC_V2020, FASTCDC_V2016)
        if drawn and self.target_bits + self.normalization > MOST_MASK_BITS:
            raise ConfigError(f"no mask is published for {self.normalization} at target {self.target}", field="normalization")

    @classmethod
    def xet(cls, target: int = 64 * KIB) -> Profile:
        """Return the profile that xet cuts with for *target*, a power of two: an eighth of it to twice of it."""
        return _checked_target(GEARHASH, target, 8, 2, 0)

    @classmethod
    def reapi(cls, target: int = 512 * KIB, seed: int = 0) -> Profile:
        """Return what the Remote Execution API prescribes for the average *target* (FastCdc2020Params)."""
        return _checked_target(FASTCDC_V2020, target, 4, 4, 2, seed)

    @property
    def target_bits(self) -> int:
        """The logarithm of *target* that picks the masks."""
        return target_bits_of(self.target, self.log2)

    @property
    def masks(self) -> tuple[int, int]:
        """The mask up to *target* bytes of a chunk, and the one beyond."""
        return masks_of(self.algorithm, self.target_bits, self.normalization)

    @property
    def window(self) -> int | None:
        """How many bytes decide about a place beyond the minimum of its chunk; None where no number is enough."""
        return ALGORITHMS[self.algorithm].window

    @property
    def gear(self) -> bytes:
        """The table of this profile: 256 native words, of 4 bytes for ronomon, else of 8."""
        return table_of(self.algorithm, self.seed)

    @property
    def table_digest(self) -> str:
        """SHA-256 of the table, its words little-endian, in hexadecimal."""
        return table_digest(self.algorithm, self.seed)

    @property
    def rules(self) -> tuple[Any, ...]:
        """What the kernel of the algorithm takes after the data."""
        table = memoryview(self.gear).cast("I" if self.algorithm == RONOMON else "Q")
        if self.algorithm == GEARHASH:
            return (table, self.minimum, self.maximum, self.masks[0])
        if self.algorithm == RONOMON:
            return (table, self.minimum, ronomon_center(self.minimum, self.target), self.maximum, *self.masks)
        pairs = () if self.algorithm == FASTCDC_V2020 else (False,)
        return (table, self.minimum, self.target, self.maximum, *self.masks, *pairs)

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters, the algorithm and the digest of the table as plain values, as a manifest keeps them."""
        return {
            "algorithm": self.algorithm, "minimum": self.minimum, "target": self.target, "maximum": self.maximum,
            "normalization": self.normalization, "seed": self.seed, "log2": self.log2,
            "table": self.table_digest,
        }

    def verify(self, *, kernel: str = AUTO) -> None:
        """Check that this installation has the table and cuts as published: see `verify_profile`."""
        verify_profile(self, kernel=kernel)

    @classmethod
    def from_dict(cls, stored: object) -> Profile:
        """Return the profile that `as_dict` wrote. Raises CorruptDataError for anything else, or for another table."""
        names = {field.name for field in fields(cls)}
        if not isinstance(stored, dict) or set(stored) != {*names, "table"}:
            raise CorruptDataError("the chunking profile does not have the fields of one")
        try:
            profile = cls(**{name: stored[name] for name in names})
        except ConfigError as error:
            raise CorruptDataError(f"the chunking profile is not valid: {error}") from error
        if stored["table"] != profile.table_digest:
            raise CorruptDataError("the chunking profile was made with another table")
        return profile


def _checked_target(algorithm: str, target: int, below: int, above: int, normalization: int, seed: int = 0) -> Profile:
    low, high = ALGORITHMS[algorithm].target
    if type(target) is not int or not low <= target <= high:
        raise ConfigError(f"{algorithm} takes {low} to {high} bytes, got {target!r}", field="target")
    return Profile(algorithm=algorithm, minimum=target // below, target=target, maximum=above * target,
                   normalization=normalization, seed=seed)


PROFILES: Mapping[str, Profile] = MappingProxyType({
    "fastcdc-8k": Profile(minimum=2 * KIB, target=8 * KIB, maximum=32 * KIB),
    "fastcdc-16k": Profile(minimum=4 * KIB, target=16 * KIB, maximum=64 * KIB),
    "fastcdc-64k": Profile(),
    "fastcdc-256k": Profile(minimum=64 * KIB, target=256 * KIB, maximum=1 * MIB),
    "fastcdc-1m": Profile(minimum=256 * KIB, target=1 * MIB, maximum=4 * MIB),
    # The sizes of names above, on purpose: archives and plain files in one store share chunks. A target four times as large
    # keeps 3 % more of five versions of git's sources, in a quarter of the chunks (benchmarks/peers/profile_sizes.py).
    "nar-small": Profile(minimum=4 * KIB, target=16 * KIB, maximum=64 * KIB),
    "nar": Profile(),
    "nar-large": Profile(minimum=64 * KIB, target=256 * KIB, maximum=1 * MIB),
    "fastcdc-v2016-64k": Profile(algorithm=FASTCDC_V2016),
    "ronomon-64k": Profile(algorithm=RONOMON),
    "reapi": Profile.reapi(),
    "xet": Profile.xet(),
    "attic": Profile(algorithm=RONOMON),
    "snix": Profile(minimum=128 * KIB, target=256 * KIB, maximum=512 * KIB),
    "hestia": Profile(minimum=64 * KIB, target=256 * KIB, maximum=1 * MIB),
})

DEFAULT_PROFILE = PROFILES["fastcdc-64k"]


def get_profile(name: str) -> Profile:
    """Return the profile called *name*. Raises ConfigError, which lists the names, where there is none."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigError(f"expected one of {', '.join(PROFILES)}, got {name!r}", field="profile") from None


def describe_profiles() -> list[dict[str, Any]]:
    """Return name and parameters of every named profile as plain values, in the order of `PROFILES`."""
    return [{"name": name, **profile.as_dict()} for name, profile in PROFILES.items()]


# Cuts of the input that `verify_profile` makes, found by the pure twins: SHA-256 over little-endian words. Never computed anew:
# a changed digest is a changed profile. By algorithm (sizes of `_check_profile`), then by name.
_ALGORITHM_CUTS = {
    FASTCDC_V2020: "4da077e8e1b33559ce730f1aa27ff3fda039a1e1cff2e40f962bee9fd2690584",
    FASTCDC_V2016: "f789e43c1df06a27850a8c66fe667a48d2baae89de73786a8f9fc9e8fae81a7a",
    RONOMON: "dfa592f44299d8c5c6bdc1c8afaeba1fefe33eaf2b786d048e4a70ac8050f657",
    GEARHASH: "95d233e22df79badff558b39f1cb64bed3144dea56e6e98b552266e4dbf48bad",
}
_PROFILE_CUTS = {
    "fastcdc-8k": "bb7a5a2e06d60407affce3372059db6b496481823c5b1dd92621333ed7510085",
    "fastcdc-16k": "81f7f0e00eacfa56be3a7c52ab962b7d2f2fc4d4908dd22042f6ca284e9a151a",
    "fastcdc-64k": "f3e60c2430e3fb89f2d0ad3c5606493ac72fe8e8682ef4bc7bf5db4e416e7ebb",
    "fastcdc-256k": "04047407780c0df75956c2b8d674292936a49db6d56c22dc28368f7683835f39",
    "fastcdc-1m": "9266bab1f62fbf0060078826abbbf11bc13710ed9f7346aee8d49219ec5e8294",
    "nar-small": "81f7f0e00eacfa56be3a7c52ab962b7d2f2fc4d4908dd22042f6ca284e9a151a",
    "nar": "f3e60c2430e3fb89f2d0ad3c5606493ac72fe8e8682ef4bc7bf5db4e416e7ebb",
    "nar-large": "04047407780c0df75956c2b8d674292936a49db6d56c22dc28368f7683835f39",
    "fastcdc-v2016-64k": "f3e60c2430e3fb89f2d0ad3c5606493ac72fe8e8682ef4bc7bf5db4e416e7ebb",
    "ronomon-64k": "056b6e570b658e492e29e2cb77098e5e24381087e474c8865c14506b8256fe00",
    "reapi": "c196a89e3e2ea00dfd4ff12d8d8b8be348aa4d507b2bd6310fa2ecf3c07300da",
    "xet": "63ffd176d42cc99ea3b257879ebb5aa5a005e6e4b483c9adadc93912f58080ee",
    "attic": "056b6e570b658e492e29e2cb77098e5e24381087e474c8865c14506b8256fe00",
    "snix": "b52754ce29b3295895e1c64f0ca1f827c3d88fe9aeb917fc31ebe872993e6f50",
    "hestia": "04047407780c0df75956c2b8d674292936a49db6d56c22dc28368f7683835f39",
}


def verify_profile(profile: Profile = DEFAULT_PROFILE, *, kernel: str = AUTO) -> None:
    """Check that this installation has the table of *profile* and cuts as published.

    Cuts a generated input with small sizes, and with the sizes of *profile* where it is a named one.  Raises
    CorruptDataError where the table or a cut differs: chunks would silently stop being shared.  Memory: 16 targets and a
    maximum of the profile.
    """
    if table_digest(profile.algorithm) != TABLE_DIGESTS[profile.algorithm]:
        raise CorruptDataError(f"the table of {profile.algorithm} differs from the published one")
    if _digest_of_cuts(_check_profile(profile.algorithm), kernel) != _ALGORITHM_CUTS[profile.algorithm]:
        raise CorruptDataError(f"the cut points of {profile.algorithm} differ from the published ones")
    name = next((name for name, known in PROFILES.items() if known == profile), None)
    if name is not None and _digest_of_cuts(profile, kernel) != _PROFILE_CUTS[name]:
        raise CorruptDataError(f"the cut points of the profile {name} differ from the published ones")


def _check_profile(algorithm: str) -> Profile:
    """Return small sizes, odd where the algorithm takes them: pairs of bytes end where single ones do not."""
    odd = 1 if ALGORITHMS[algorithm].rounded else 0
    return Profile(algorithm=algorithm, minimum=64 + odd, target=256 + odd, maximum=1025)


def _digest_of_cuts(profile: Profile, kernel: str) -> str:
    """Return the digest over the cuts of noise, of zeros that only the maximum cuts, and of an end below the minimum."""
    noise = hashlib.shake_128(b"siltstone profile check").digest(16 * profile.target + 4321)
    cuts = cut_offsets(noise + bytes(profile.maximum + 1) + b"the end", profile, kernel=kernel)
    return hashlib.sha256(b"".join(end.to_bytes(8, "little") for end in cuts)).hexdigest()
