"""Where a store's pipeline ends: groups of new chunks go to packs, the list of all chunks to the manifest of their file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from siltstone.content.compression import Compressor
from siltstone.content.manifest import ManifestWriter
from siltstone.content.packs import PackWriter
from siltstone.content.pipeline_block import Block, Pack, Payload
from siltstone.core.budget import KIB, MIB

if TYPE_CHECKING:
    from siltstone.content.store import ChunkStore

PACK_BYTES = 512 * MIB  # a pack is closed above this
PACK_CHUNKS = 1 << 17  # or with so many chunks: their table takes 240 bytes for each until it is published
GROUP_BYTES = 512 * KIB  # compressed as one frame: 4.6 % smaller than 64 KiB chunks alone (1.35 GB of /usr), at the same speed


class PackSink:
    """The sink of a store's pipeline; packs are written in *folder* and published one by one as they are full."""

    def __init__(self, store: ChunkStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._pack: PackWriter | None = None
        self._count = 0

    def is_known(self, digest: bytes) -> bool:
        """Return whether the store, or the pack that is being written, has this chunk."""
        return (self._pack is not None and digest in self._pack) or digest in self._store.index

    def put(self, block: Block) -> None:
        """Append the new chunks of *block* to the pack, and all of them to the manifest of its file."""
        manifest = block.stream
        assert isinstance(manifest, ManifestWriter)
        chunks = list(zip(block.digests, block.sizes(), strict=True))
        if block.payloads:
            self._append(block, chunks)
        manifest.append(chunks)

    def _append(self, block: Block, chunks: Sequence[tuple[bytes, int]]) -> None:
        pack = self._open_pack()
        fresh = iter(block.fresh)
        for payload in block.payloads:
            pack.append([chunks[next(fresh)] for _ in range(payload.chunks)], payload.codec, payload.data)
        pack.flush()  # nothing may look into the block's buffer after this: it is used again
        if pack.size >= PACK_BYTES or len(pack) >= PACK_CHUNKS:
            self.publish()

    def _open_pack(self) -> PackWriter:
        if self._pack is None:
            self._pack = PackWriter(self._folder / f"{self._count}.pack")
            self._count += 1
        return self._pack

    def publish(self) -> None:
        """Publish the pack that is being written, if there is one."""
        if self._pack is not None:
            pack, self._pack = self._pack, None
            try:
                pack.publish(self._store.root / "packs")
            finally:
                pack.close()
            self._store.refresh()

    def close(self) -> None:
        """Close the pack that was not published; what is in it is lost with its folder."""
        if self._pack is not None:
            self._pack.close()


def pack_in_groups(compressor: Compressor, *, group_bytes: int = GROUP_BYTES) -> Pack:
    """Return a packer that compresses consecutive new chunks together, up to *group_bytes* of them."""

    def pack(chunks: Sequence[memoryview]) -> list[Payload]:
        payloads, group, size = [], list[memoryview](), 0
        for chunk in chunks:
            if group and size + len(chunk) > group_bytes:
                payloads.append(_compress(group))
                group, size = [], 0
            group.append(chunk)
            size += len(chunk)
        if group:
            payloads.append(_compress(group))
        return payloads

    def _compress(group: Sequence[memoryview]) -> Payload:
        data = group[0] if len(group) == 1 else b"".join(group)
        return Payload(*compressor.compress(data), len(group))

    return pack
