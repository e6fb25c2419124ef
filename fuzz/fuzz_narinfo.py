"""Fuzz the readers of narinfo and of key files. Run: python fuzz/fuzz_narinfo.py [--seed N] [--iterations N]

A damaged text gives a documented error, or a value that is written and read back as the same value; a damaged key gives a
documented error or a key that is written as it was read.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import mutation

from siltstone.content.narinfo import format_narinfo, parse_narinfo, verify_narinfo
from siltstone.content.signing import PublicKey, SecretKey, parse_public_key, parse_secret_key, parse_signature
from siltstone.core.errors import CorruptDataError, SiltstoneError

_KEY = SecretKey("fuzz-1", bytes(range(32)))
_NARINFO = f"""\
StorePath: /nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin
URL: nar/05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56.nar.xz
Compression: xz
FileHash: sha256:05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56
FileSize: 68852
NarHash: sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0
NarSize: 196040
References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0 6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115
Deriver: 5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0.drv
Sig: {_KEY.sign(b"")}
CA: fixed:r:sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0
X-Other: anything
"""
SEEDS = (_NARINFO.encode(), str(_KEY.public).encode(), _KEY.to_text().encode())


def is_read(data: bytes) -> bool:
    """Whether *data* is a narinfo; what is read must be written and read back alike. Any error but CorruptDataError passes."""
    refusal: CorruptDataError | None = None
    try:
        info = parse_narinfo(data, source="fuzz")
    except CorruptDataError as error:
        refusal = error
    if refusal is not None:
        assert refusal.source == "fuzz"
        assert refusal.offset is not None
        assert 0 <= refusal.offset <= len(data)
        return False
    written = format_narinfo(info)
    assert parse_narinfo(written) == info
    assert format_narinfo(parse_narinfo(written)) == written
    verify_narinfo(info, [_KEY.public, PublicKey("cache.nixos.org-1", bytes(32))])
    return True


def check_keys(data: bytes) -> None:
    """Read *data* as each kind of key and as a signature; what is read is written as it was."""
    text = data.decode("latin-1")
    for parse in (parse_public_key, parse_signature):
        try:
            found = str(parse(text))
        except CorruptDataError:
            continue
        assert found == text
    try:
        key = parse_secret_key(text)
    except CorruptDataError:
        return
    assert key.to_text() == text.strip()


def target(data: bytes) -> None:
    """Read *data* as everything; SiltstoneError where it is no narinfo."""
    check_keys(data)
    if not is_read(data):
        raise CorruptDataError("refused")


def find_difference(source: random.Random, count: int) -> str | None:
    """Try *count* mutations; return what went wrong, or None."""
    for _ in range(count):
        data = mutation.mutate(source, source.choice(SEEDS))
        try:
            target(data)
        except SiltstoneError:
            continue
        except AssertionError:
            return data.hex()
    return None


if __name__ == "__main__":
    sys.exit(mutation.run(target, SEEDS))
