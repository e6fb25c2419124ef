"""Stores cut by every algorithm, and the profiles that a store does not take."""

import io
import json
import random

import pytest

from siltstone.content.hashing import digest_of
from siltstone.content.profiles import ALGORITHMS, PROFILES, Profile
from siltstone.content.store import ChunkStore
from siltstone.content.store_folder import encode_format, read_format
from siltstone.core.errors import ConfigError, CorruptDataError

LONGEST = Profile.reapi(8 << 20)  # chunks of up to 32 MiB


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_store_of_any_algorithm_gives_files_back(tmp_path, algorithm):
    profile = Profile(algorithm=algorithm, minimum=64, target=256, maximum=1024)
    data = random.Random(5).randbytes(50_000) + bytes(10_000)
    with ChunkStore.open(tmp_path / "store", create=True, profile=profile) as store:
        store.put("file", io.BytesIO(data))
    with ChunkStore.open(tmp_path / "store") as store:
        target = io.BytesIO()
        store.get("file", target)
        assert target.getvalue() == data
        assert store.profile == profile
        assert store.verify().problems == ()


@pytest.mark.parametrize("name", PROFILES)
def test_a_store_takes_every_named_profile(tmp_path, name):
    ChunkStore.open(tmp_path / "store", create=True, profile=PROFILES[name]).close()
    assert read_format(tmp_path / "store", PROFILES[name]) == PROFILES[name]


def test_a_store_refuses_chunks_longer_than_a_pack_takes(tmp_path):
    with pytest.raises(ConfigError) as caught:
        ChunkStore.open(tmp_path / "store", create=True, profile=LONGEST)
    assert caught.value.field == "profile"
    assert not (tmp_path / "store").exists()


def test_a_stored_profile_with_longer_chunks_is_corrupt(tmp_path):
    (tmp_path / "format").write_bytes(encode_format(LONGEST))
    with pytest.raises(CorruptDataError, match="33554432"):
        read_format(tmp_path, None)


@pytest.mark.parametrize("field", sorted(Profile().as_dict()))
@pytest.mark.parametrize("value", [None, True, -1, 0, 3, 1 << 40, "", "round", "xet", [], {}, 1.5, "absent"])
def test_any_value_in_the_profile_of_a_format_file_is_read_or_corrupt(tmp_path, field, value):
    fields = json.loads(encode_format(Profile()).splitlines()[0])
    fields["profile"][field] = value
    if value == "absent":
        del fields["profile"][field]
    line = json.dumps(fields).encode()
    (tmp_path / "format").write_bytes(line + b"\n" + digest_of(line).hex().encode() + b"\n")
    try:
        assert read_format(tmp_path, None).as_dict() == fields["profile"]
    except CorruptDataError:
        return
