"""The names of the content layer that users may rely on, and what loading them costs."""

import subprocess
import sys

import pytest

import siltstone.content

NAMES = {
    "Block", "BufferStrategy", "ChunkBlock", "ChunkPoller", "ChunkReader", "ChunkStore", "ChunkedItem", "Chunker",
    "CompressionDictionary", "Compressor", "ContentAddress", "DiscardingSink", "FileFingerprint", "Hash", "HashBatch",
    "HashCache", "HashCacheStats", "HashThreads", "NarChunk", "NarChunker", "NarDirectory", "NarDirectoryEnd", "NarFile",
    "NarInfo", "NarLimits", "NarReader", "NarSpan", "NarSummary", "NarSymlink", "NarWriter", "PROFILES", "Payload",
    "Pipeline", "PipelineBuilder", "PipelineContext", "PipelineOptions", "PipelineReport", "PipelineRun", "PipelineSummary",
    "Poll", "PollState", "Profile", "PublicKey", "SecretKey", "Signature", "Sink", "StorePath", "StoreStats", "StoreWriter",
    "StoredFile", "StreamTotals", "VerifyReport", "cat_nar", "chunk_batch", "chunks_by_entry", "compress", "compress_into",
    "content_address_path", "cut_offsets", "decode_base32", "decode_base32_batch", "decompress", "decompress_into",
    "detect_codec", "digest_of", "digests_of", "encode_base32", "encode_base32_batch", "encode_base32_texts", "encode_nar",
    "file_cut_offsets", "format_hash", "format_narinfo", "get_profile", "hash_batch", "hash_file", "hash_stream", "is_nar",
    "iter_chunks", "iter_chunks_async", "iter_file_chunks", "iter_file_chunks_async", "iter_file_cuts", "iter_in_slices",
    "iter_nar", "iter_nar_chunks", "iter_pack_nar", "list_nar", "load_dictionary", "load_hash_cache", "nar_tree",
    "new_hasher", "open_reader", "pack_nar", "parse_hash", "parse_narinfo", "parse_public_key", "parse_store_path",
    "read_chunks", "read_public_keys", "read_secret_key", "save_dictionary", "save_hash_cache", "sign_narinfo",
    "train_dictionary", "unpack_nar", "verify_narinfo", "warm_up",
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
