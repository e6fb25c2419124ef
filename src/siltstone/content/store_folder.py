"""The folder of a chunk store: what marks it as one, how it is made, and which format it has.

The file ``format`` is written last: a folder without it is no store, and one whose making was cut short can be made again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from siltstone.content.hashing import BLAKE3, digest_of
from siltstone.content.packs import LONGEST_CHUNK
from siltstone.content.profiles import DEFAULT_PROFILE, Profile
from siltstone.content.staging import exclusive
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError, StoreError
from siltstone.core.files import TEMPORARY_SUFFIX, make_private_directory, sync_directory, write_atomically

FORMAT_NAME = "siltstone-chunk-store"  # DO NOT CHANGE: stored
VERSION = 2
_FOLDERS = ("packs", "manifests", "staging")
_OTHER_NAMES = {"lock", "writers"}
_LONGEST_FORMAT = 64 << 10


def create_folder(root: Path, profile: Profile | None) -> None:
    """Make an empty store in *root* where there is none.

    Raises StoreError where the folder holds something else, ConfigError where *profile* cuts chunks that no pack takes.
    """
    if (root / "format").exists():
        return
    chosen = profile or DEFAULT_PROFILE
    if chosen.maximum > LONGEST_CHUNK:
        raise ConfigError(f"a store takes chunks of at most {LONGEST_CHUNK} bytes, got {chosen.maximum}", field="profile")
    make_private_directory(root)
    strange = [name for name in os.listdir(root) if not _belongs_to_a_store(name)]
    if strange:
        raise StoreError(f"the folder holds {strange[0]!r} and is no chunk store", store=str(root))
    for name in _FOLDERS:
        (root / name).mkdir(mode=0o700, exist_ok=True)
    with exclusive(root):
        if (root / "format").exists():
            return
        for name in os.listdir(root):
            if name.endswith(TEMPORARY_SUFFIX):
                os.unlink(root / name)
        write_atomically(root / "format", encode_format(chosen))
    sync_directory(root.parent)


def _belongs_to_a_store(name: str) -> bool:
    return name in _FOLDERS or name in _OTHER_NAMES or (name.startswith(".format.") and name.endswith(TEMPORARY_SUFFIX)) \
        or name == "format"


def encode_format(profile: Profile, *, version: int = VERSION) -> bytes:
    """Return the content of the file ``format``: one line of JSON, one line with its digest."""
    line = json.dumps({"format": FORMAT_NAME, "version": version, "hash": BLAKE3, "profile": profile.as_dict()},
                      sort_keys=True).encode("ascii")
    return line + b"\n" + digest_of(line).hex().encode("ascii") + b"\n"


def read_format(root: Path, expected: Profile | None) -> Profile:
    """Return the profile of the store in *root*; the errors are those of `ChunkStore.open`."""
    source = str(root / "format")
    try:
        with open(source, "rb") as file:
            data = file.read(_LONGEST_FORMAT)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError("no chunk store", name=str(root)) from None
    try:
        profile = _parse_format(data, str(root))
    except CorruptDataError as error:
        raise error.within(source) from error
    if expected is not None and expected != profile:
        raise ConfigError(f"the store was made with {profile}, not with {expected}", field="profile")
    return profile


def _parse_format(data: bytes, store: str) -> Profile:
    line, _, rest = data.partition(b"\n")
    if rest != digest_of(line).hex().encode("ascii") + b"\n":
        raise CorruptDataError("the format file does not match its digest", offset=0)
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorruptDataError("the format file is not JSON", offset=0) from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT_NAME or type(fields.get("version")) is not int:
        raise CorruptDataError("the format file is not that of a chunk store", offset=0)
    if fields["version"] > VERSION:
        raise StoreError(f"the store has format {fields['version']}, this release reads format {VERSION}", store=store)
    if fields["version"] == 1:
        raise StoreError("the store has format 1, which was never released; this release reads format 2", store=store)
    if fields["version"] != VERSION or fields.get("hash") != BLAKE3:
        raise CorruptDataError("the format file is not valid", offset=0)
    profile = Profile.from_dict(fields.get("profile"))
    if profile.maximum > LONGEST_CHUNK:
        raise CorruptDataError(f"the store says that its chunks have up to {profile.maximum} bytes", offset=0)
    return profile
