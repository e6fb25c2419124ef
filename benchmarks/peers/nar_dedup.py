"""What a chunk store must add for the next version of a package, NAR-aware and plain.

Run: python benchmarks/peers/nar_dedup.py OLD NEW

OLD and NEW are unpacked packages (folders).  Counted are bytes of chunks of NEW that OLD does not have, before compression.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable

from siltstone.content.chunking import cut_offsets
from siltstone.content.nar_chunking import iter_nar_chunks
from siltstone.content.nar_pack import iter_pack_nar
from siltstone.content.profiles import Profile, get_profile

PROFILES = ("nar-small", "nar", "nar-large")


def sizes_of(pieces: Iterable[bytes | memoryview]) -> dict[bytes, int]:
    """Return the sizes of distinct pieces by their digest."""
    return {hashlib.sha256(piece).digest(): len(piece) for piece in pieces}


def plain(archive: bytes, profile: Profile) -> dict[bytes, int]:
    """Cut as the profile says."""
    ends = cut_offsets(archive, profile=profile)
    return sizes_of(archive[start:end] for start, end in zip([0, *ends], ends, strict=False))


def aware(archive: bytes, profile: Profile) -> dict[bytes, int]:
    """Cut where entries begin."""
    return sizes_of(chunk.data for chunk in iter_nar_chunks(archive, profile=profile))


def main() -> int:
    """Print one line for each preset."""
    if len(sys.argv) != 3:
        print("name two versions of a tree: python benchmarks/peers/nar_dedup.py OLD NEW", file=sys.stderr)
        return 1
    old, new = (b"".join(iter_pack_nar(path)) for path in sys.argv[1:])
    for name in PROFILES:
        profile = get_profile(name)
        added = {}
        for way in (plain, aware):
            known = way(old, profile)
            added[way] = sum(size for digest, size in way(new, profile).items() if digest not in known)
        gain = 1 - added[aware] / added[plain] if added[plain] else 0.0
        print(f"{name:10} plain {added[plain]:>12,} ({added[plain] / len(new):6.2%})"
              f"   aware {added[aware]:>12,} ({added[aware] / len(new):6.2%})   {gain:+.1%} less to add")
    return 0


if __name__ == "__main__":
    sys.exit(main())
