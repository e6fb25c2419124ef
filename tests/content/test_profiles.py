"""Profiles: frozen parameters, refused by the name of the field, readable again from what they write, cutting as published."""

import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content import gear_tables, profiles
from siltstone.content.algorithms import ALGORITHMS, ronomon_center
from siltstone.content.gear_tables import TABLE_DIGESTS, table_digest, table_of
from siltstone.content.kernels import available
from siltstone.content.profiles import (
    DEFAULT_PROFILE,
    FASTCDC_V2016,
    FASTCDC_V2020,
    GEARHASH,
    PROFILES,
    RONOMON,
    Profile,
    describe_profiles,
    get_profile,
    verify_profile,
)
from siltstone.core.errors import ConfigError, CorruptDataError

KIB = 1 << 10
EVERY = {**PROFILES, **{f"default {name}": Profile(algorithm=name) for name in ALGORITHMS}}


@pytest.mark.oracle
def test_tables_begin_as_published():
    words = {name: memoryview(table_of(name)).cast("I" if name == RONOMON else "Q") for name in ALGORITHMS}
    assert {name: (len(table), table[0]) for name, table in words.items()} == {
        FASTCDC_V2020: (256, 0x3B5D3C7D207E37DC), FASTCDC_V2016: (256, 0x3B5D3C7D207E37DC),
        RONOMON: (256, 0x5C95C078), GEARHASH: (256, 0xB088D3A9E840F559),
    }
    assert (words[GEARHASH][17], words[GEARHASH][128], words[GEARHASH][255]) == (
        0x00005082119EA468, 0xA315F5EBFB706D26, 0x63C7A906C1DD187B)
    assert {name: table_digest(name) for name in ALGORITHMS} == TABLE_DIGESTS


def test_a_seed_changes_every_word_of_the_table():
    plain, seeded = (memoryview(Profile(seed=seed).gear).cast("Q") for seed in (0, 666))
    assert [word ^ other for word, other in zip(plain, seeded, strict=True)] == [666] * 256


@pytest.mark.parametrize("name", EVERY)
def test_verify_accepts_every_profile(name):
    EVERY[name].verify()
    for kernel in available(EVERY[name].algorithm):
        EVERY[name].verify(kernel=kernel)


def test_verify_sees_a_changed_table(monkeypatch):
    monkeypatch.setattr(profiles, "TABLE_DIGESTS", {FASTCDC_V2020: "0" * 64})
    with pytest.raises(CorruptDataError):
        verify_profile()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_verify_sees_changed_constants(monkeypatch, name):
    """A word of the table that differs is seen by its digest; one that differs together with it is seen by the cuts."""
    changed = bytearray(table_of(name))
    changed[8] ^= 0x10
    monkeypatch.setattr(profiles, "table_of", lambda algorithm, seed: bytes(changed))
    with pytest.raises(CorruptDataError, match="cut points"):
        verify_profile(Profile(algorithm=name))


@pytest.mark.parametrize("change", [
    {"minimum": 4 * KIB}, {"target": 16 * KIB}, {"maximum": 32 * KIB - 2}, {"normalization": 2}, {"seed": 1},
])
def test_the_check_of_a_name_sees_every_setting(monkeypatch, change):
    changed = dataclasses.replace(PROFILES["fastcdc-8k"], **change)
    monkeypatch.setattr(profiles, "PROFILES", {"fastcdc-8k": changed})
    with pytest.raises(CorruptDataError, match="fastcdc-8k"):
        verify_profile(changed)


def test_named_profiles_are_what_their_sources_say():
    def sizes(name):
        profile = PROFILES[name]
        return profile.algorithm, profile.minimum // KIB, profile.target // KIB, profile.maximum // KIB, profile.normalization

    assert sizes("attic") == (RONOMON, 16, 64, 256, 1)
    assert sizes("snix") == (FASTCDC_V2020, 128, 256, 512, 1)
    assert sizes("hestia") == (FASTCDC_V2020, 64, 256, 1024, 1)
    assert sizes("reapi") == (FASTCDC_V2020, 128, 512, 2048, 2)
    assert sizes("xet") == (GEARHASH, 8, 64, 128, 0)
    assert PROFILES["xet"].masks == (0xFFFF000000000000, 0xFFFF000000000000)
    assert all(profile.seed == 0 for profile in PROFILES.values())


def test_the_remote_execution_api_allows_eight_mebibytes():
    largest = Profile.reapi(8 << 20, seed=4242)
    assert (largest.minimum, largest.maximum, largest.seed) == (2 << 20, 32 << 20, 4242)
    assert largest.masks[0] == 0x0000DB3777577000


@pytest.mark.parametrize("target", [0, -8, 252, 255, (8 << 20) + 1, True, 65536.0, "64k", None])
def test_a_target_of_the_remote_execution_api_is_checked(target):
    with pytest.raises(ConfigError) as caught:
        Profile.reapi(target)
    assert caught.value.field == "target"


@pytest.mark.parametrize("target", [0, 64, 127, 3 * KIB, 1 << 30, True, None, 128.0])
def test_a_target_of_xet_is_a_power_of_two_above_its_window(target):
    with pytest.raises(ConfigError) as caught:
        Profile.xet(target)
    assert caught.value.field == "target"


@pytest.mark.oracle
@pytest.mark.parametrize(("target", "bits"), [
    (1500, 11), (12288, 14), (24576, 15), (1100, 10), (65536, 16), (11585, 13), (11586, 14),
])
def test_round_picks_the_nearest_power(target, bits):
    assert Profile(minimum=256, target=target, maximum=131072).target_bits == bits


def test_floor_picks_the_power_below():
    assert Profile(minimum=3000, target=12000, maximum=48000, log2="floor").target_bits == 13


@pytest.mark.parametrize(("field", "value"), [
    ("algorithm", "rabin"), ("algorithm", ""), ("algorithm", None), ("algorithm", ["fastcdc-v2020"]),
    ("minimum", 0), ("minimum", 63), ("minimum", 2**21 + 1), ("minimum", 70_000), ("minimum", True), ("minimum", 64.0),
    ("minimum", -16384), ("target", 0), ("target", 255), ("target", 2**23 + 1), ("target", "64"), ("target", 2**32 + 65536),
    ("maximum", 0), ("maximum", 1023), ("maximum", 2**25 + 1), ("maximum", 60_000), ("maximum", 2**32 + 262144),
    ("maximum", None), ("normalization", -1), ("normalization", 4), ("normalization", None), ("normalization", True),
    ("seed", -1), ("seed", 2**64), ("seed", 1.0), ("log2", "ceil"), ("log2", None), ("log2", ["round"]),
])
def test_a_wrong_parameter_is_refused_by_name(field, value):
    with pytest.raises(ConfigError) as caught:
        Profile(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(("algorithm", "field", "value"), [
    (FASTCDC_V2016, "seed", 1), (FASTCDC_V2016, "minimum", 2**20 + 1), (FASTCDC_V2016, "target", 2**22 + 1),
    (FASTCDC_V2016, "maximum", 2**24 + 1), (FASTCDC_V2016, "normalization", 4),
    (RONOMON, "seed", 1), (RONOMON, "normalization", 0), (RONOMON, "normalization", 2), (RONOMON, "minimum", 63),
    (RONOMON, "minimum", 2**26 + 1), (RONOMON, "target", 2**28 + 1), (RONOMON, "maximum", 2**30 + 1),
    (GEARHASH, "seed", 1), (GEARHASH, "normalization", 1), (GEARHASH, "log2", "floor"), (GEARHASH, "target", 65_537),
    (GEARHASH, "target", 64), (GEARHASH, "target", 2**30), (GEARHASH, "minimum", 0), (GEARHASH, "maximum", 2**30 + 1),
])
def test_each_algorithm_has_its_own_limits(algorithm, field, value):
    with pytest.raises(ConfigError, match=algorithm) as caught:
        Profile(**{"algorithm": algorithm, field: value})
    assert caught.value.field == field


def test_a_mask_that_nobody_published_is_refused():
    Profile(minimum=64, target=8 << 20, maximum=32 << 20, normalization=2)
    with pytest.raises(ConfigError) as caught:
        Profile(minimum=64, target=8 << 20, maximum=32 << 20, normalization=3)
    assert caught.value.field == "normalization"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_masks_exist_at_every_corner(algorithm):
    limits = ALGORITHMS[algorithm]
    for target in limits.target:
        for normalization in range(limits.normalization[0], min(limits.normalization[1], 2) + 1):
            profile = Profile(algorithm=algorithm, minimum=limits.minimum[0], target=target, maximum=limits.maximum[1],
                              normalization=normalization)
            before, after = profile.masks
            assert before.bit_count() - after.bit_count() == 2 * normalization
            assert after.bit_count() + normalization == profile.target_bits == target.bit_length() - 1
            assert profile.window is None or max(profile.masks).bit_length() <= profile.window


@pytest.mark.oracle
@pytest.mark.parametrize(("average", "minimum", "center"), [(50, 100, 0), (200, 100, 50), (16384, 8192, 4096), (64, 21, 32)])
def test_the_center_of_ronomon_is_the_published_one(average, minimum, center):
    assert ronomon_center(minimum, average) == center


def test_a_profile_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT_PROFILE.target = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        PROFILES["new"] = DEFAULT_PROFILE  # type: ignore[index]


def test_a_profile_reads_what_it_writes():
    others = Profile(seed=666, normalization=3, log2="floor"), Profile.reapi(8 << 20), Profile.xet(128)
    for profile in (*EVERY.values(), *others):
        assert Profile.from_dict(profile.as_dict()) == profile


def test_what_older_stores_hold_still_loads():
    stored = {"algorithm": "fastcdc-v2020", "minimum": 16384, "target": 65536, "maximum": 262144, "normalization": 1, "seed": 0,
              "log2": "round", "table": "91a3061015ae351cd3701852712bcd6aa4a1ce26c8a231d3969432b00f028f88"}
    assert Profile.from_dict(stored) == DEFAULT_PROFILE
    assert DEFAULT_PROFILE.as_dict() == stored


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.integers(), max_size=2),
                 st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(EVERY)), st.sampled_from(sorted(DEFAULT_PROFILE.as_dict())), JUNK)
def test_any_value_in_any_field_loads_as_written_or_is_corrupt(name, field, value):
    stored = {**EVERY[name].as_dict(), field: value}
    try:
        profile = Profile.from_dict(stored)
    except CorruptDataError:
        return
    assert profile.as_dict() == stored
    assert type(profile.as_dict()[field]) is type(value)


@pytest.mark.parametrize("name", ["fastcdc-64k", "fastcdc-v2016-64k", "ronomon-64k", "xet"])
def test_missing_and_further_fields_are_corrupt(name):
    stored = PROFILES[name].as_dict()
    for field in stored:
        with pytest.raises(CorruptDataError):
            Profile.from_dict({key: value for key, value in stored.items() if key != field})
    for damaged in ({**stored, "extra": 1}, [], None, "fastcdc-64k", {}, {1: 2}):
        with pytest.raises(CorruptDataError):
            Profile.from_dict(damaged)


def test_the_table_of_another_algorithm_is_corrupt():
    for one in ALGORITHMS:
        for other in ALGORITHMS:
            stored = {**Profile(algorithm=one).as_dict(), "table": table_digest(other)}
            if table_digest(one) == table_digest(other):
                assert Profile.from_dict(stored).algorithm == one
            else:
                with pytest.raises(CorruptDataError):
                    Profile.from_dict(stored)
    with pytest.raises(CorruptDataError):
        Profile.from_dict({**DEFAULT_PROFILE.as_dict(), "seed": 1})


def test_an_unknown_name_lists_the_known_ones():
    assert get_profile("fastcdc-64k") is DEFAULT_PROFILE
    with pytest.raises(ConfigError, match="fastcdc-8k"):
        get_profile("huge")


def test_profiles_are_described_as_they_are_stored():
    described = describe_profiles()
    assert [fields["name"] for fields in described] == list(PROFILES)
    for fields in described:
        name = fields.pop("name")
        assert Profile.from_dict(fields) == PROFILES[name]


def test_a_table_is_made_once():
    assert gear_tables.table_of(RONOMON) is gear_tables.table_of(RONOMON)
    assert hashlib.sha256(gear_tables.gear_table(0)).digest() == hashlib.sha256(table_of(FASTCDC_V2016)).digest()
