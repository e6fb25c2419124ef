"""The names of the content layer that users may rely on, and what loading them costs."""

import subprocess
import sys

import pytest

import siltstone.content

NAMES = {
    "Block", "BufferStrategy", "ChunkBlock", "ChunkPoller", "ChunkReader", "ChunkStore", "ChunkedItem", "Chunker",
    "Compressor", "DiscardingSink", "Hash", "PROFILES", "Payload", "Pipeline", "PipelineContext", "PipelineOptions",
    "PipelineReport", "PipelineRun", "PipelineSummary", "Poll", "PollState", "Profile", "Sink", "StoreStats", "StoreWriter",
    "StoredFile", "StreamTotals", "VerifyReport", "chunk_batch", "cut_offsets", "decode_base32", "decode_base32_batch",
    "decompress", "digest_of", "encode_base32", "encode_base32_batch", "encode_base32_texts", "file_cut_offsets",
    "format_hash", "get_profile", "iter_chunks", "iter_chunks_async", "iter_file_chunks", "iter_file_chunks_async",
    "iter_file_cuts", "iter_in_slices", "new_hasher", "open_reader", "parse_hash", "read_chunks", "warm_up",
    "ContentAddress", "StorePath", "content_address_path", "parse_store_path",
    "PublicKey", "SecretKey", "Signature", "parse_public_key", "read_public_keys", "read_secret_key",
    "NarInfo", "format_narinfo", "parse_narinfo", "sign_narinfo", "verify_narinfo",
    "NarDirectory", "NarDirectoryEnd", "NarFile", "NarLimits", "NarReader", "NarSummary", "NarSymlink", "NarWriter",
    "cat_nar", "encode_nar", "is_nar", "iter_nar", "iter_pack_nar", "list_nar", "nar_tree", "pack_nar", "unpack_nar",
}


def test_content_names_are_these_and_load():
    assert set(siltstone.content.__all__) == NAMES
    assert all(getattr(siltstone.content, name) is not None for name in NAMES)
    with pytest.raises(AttributeError):
        siltstone.content.absent  # noqa: B018


def test_cutting_loads_no_heavy_library():
    code = "import sys; from siltstone.content import cut_offsets; cut_offsets(b'x'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"numpy", "blake3", "zstandard"} & set(done.stdout.split())
