"""The spill arena as a dictionary and a list of sizes: what it takes, and where it stops."""

from __future__ import annotations

HEAD = 48


class SpillArena:
    """Objects by id, at most *entries* of them in *size_bytes*."""

    def __init__(self, *, size_bytes: int, entries: int) -> None:
        self.size_bytes, self.entries = size_bytes, entries
        self.objects: dict[bytes, bytes] = {}
        self.used_bytes = self.refused = self.spilled_bytes = 0

    def put(self, oid: bytes, data: bytes) -> bool:
        if oid in self.objects:
            return True
        if len(self.objects) == self.entries or self.used_bytes + HEAD + len(data) > self.size_bytes:
            self.refused += 1
            return False
        self.used_bytes += HEAD + len(data)
        self.spilled_bytes += len(data)
        self.objects[oid] = data
        return True

    def append(self, data: bytes) -> int | None:
        if self.used_bytes + len(data) > self.size_bytes:
            self.refused += 1
            return None
        self.used_bytes += len(data)
        self.spilled_bytes += len(data)
        return self.used_bytes - len(data)

    def get(self, oid: bytes) -> bytes | None:
        return self.objects.get(oid)
