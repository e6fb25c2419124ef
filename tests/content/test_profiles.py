"""Profiles: frozen parameters, refused by the name of the field, readable again from what they write."""

import dataclasses

import pytest

from siltstone.content import gear_tables, profiles
from siltstone.content.profiles import DEFAULT_PROFILE, PROFILES, Profile, get_profile, table_digest, verify
from siltstone.core.errors import ConfigError, CorruptDataError


@pytest.mark.oracle
def test_table_begins_as_published():
    words = memoryview(Profile().gear).cast("Q")
    assert words[0] == 0x3B5D3C7D207E37DC
    assert len(words) == 256
    assert table_digest() == gear_tables.GEAR_DIGEST


def test_verify_accepts_every_profile():
    for profile in PROFILES.values():
        verify(profile)


def test_verify_sees_a_changed_table(monkeypatch):
    monkeypatch.setattr(profiles, "TABLE_DIGESTS", {profiles.FASTCDC_V2020: "0" * 64})
    with pytest.raises(CorruptDataError):
        verify()


@pytest.mark.oracle
@pytest.mark.parametrize(("target", "bits"), [
    (1500, 11), (12288, 14), (24576, 15), (1100, 10), (65536, 16), (11585, 13), (11586, 14),
])
def test_round_picks_the_nearest_power(target, bits):
    assert Profile(minimum=256, target=target, maximum=131072).target_bits == bits


def test_floor_picks_the_power_below():
    assert Profile(minimum=3000, target=12000, maximum=48000, log2="floor").target_bits == 13


@pytest.mark.parametrize(("field", "value"), [
    ("minimum", 63), ("minimum", 2**21 + 1), ("minimum", 70_000), ("minimum", True), ("minimum", 64.0),
    ("target", 255), ("target", 2**23 + 1), ("target", "64"),
    ("maximum", 1023), ("maximum", 2**25 + 1), ("maximum", 60_000),
    ("normalization", -1), ("normalization", 4), ("normalization", None), ("seed", -1), ("seed", 2**64), ("log2", "ceil"),
])
def test_a_wrong_parameter_is_refused_by_name(field, value):
    with pytest.raises(ConfigError) as caught:
        Profile(**{field: value})
    assert caught.value.field == field


def test_masks_exist_at_every_corner():
    for target in (256, 4 << 20):
        for normalization in range(4):
            profile = Profile(minimum=64, target=target, maximum=16 << 20, normalization=normalization)
            before, after = profile.masks
            assert before.bit_count() - after.bit_count() == 2 * normalization


def test_a_profile_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT_PROFILE.target = 1  # type: ignore[misc]


def test_a_profile_reads_what_it_writes():
    for profile in (*PROFILES.values(), Profile(seed=666, normalization=3, log2="floor")):
        assert Profile.from_dict(profile.as_dict()) == profile


@pytest.mark.parametrize("change", [
    {"algorithm": "rabin"}, {"minimum": 1}, {"table": "0" * 64}, {"extra": 1}, {"normalization": "1"}, {"seed": 1},
])
def test_changed_fields_are_corrupt(change):
    with pytest.raises(CorruptDataError):
        Profile.from_dict({**DEFAULT_PROFILE.as_dict(), **change})
    with pytest.raises(CorruptDataError):
        Profile.from_dict([])


def test_an_unknown_name_lists_the_known_ones():
    assert get_profile("fastcdc-64k") is DEFAULT_PROFILE
    with pytest.raises(ConfigError, match="fastcdc-8k"):
        get_profile("huge")
