"""The names users may rely on, locked: adding or losing one is a decision, seen in this file."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import siltstone
import siltstone.core

TOP = {
    "Budget", "BudgetExceeded", "Cancelled", "ChunkStore", "Chunker", "ConfigError", "CorruptDataError", "Graph",
    "IncompleteError", "NotFoundError", "ObjectDatabase", "SiltstoneError", "StoreError", "UnsupportedError",
    "cut_offsets", "ingest", "native_status", "read_scip", "scan",
}
CORE = {
    "Budget", "BudgetExceeded", "Cancelled", "ConfigError", "CorruptDataError", "DEFAULT_LIMITS", "GIB",
    "IncompleteError", "KIB", "LatencyHistogram", "LatencyWatch", "MIB", "Metrics", "NO_METRICS", "NO_PROGRESS",
    "NotFoundError", "PressureLimits", "Progress", "ProgressState", "SiltstoneError", "StoreError", "TraceEvent", "Tracer",
    "UnsupportedError",
}


def test_top_level_names_are_these() -> None:
    assert set(siltstone.__all__) == TOP


def test_every_public_name_loads() -> None:
    for name in siltstone.__all__:
        assert getattr(siltstone, name) is not None
    assert set(siltstone.__all__) <= set(dir(siltstone))


def test_core_names_are_these() -> None:
    assert set(siltstone.core.__all__) == CORE
    for name in CORE:
        assert hasattr(siltstone.core, name)


LAYERS = {
    "content": {  # one a line: many hands add to it
        "AdaptiveResult",
        "Block",
        "BufferStrategy",
        "ChunkBlock",
        "ChunkPoller",
        "ChunkReader",
        "ChunkStore",
        "ChunkedItem",
        "Chunker",
        "CompressedItem",
        "CompressedReader",
        "CompressedWriter",
        "CompressionDictionary",
        "Compressor",
        "ContentAddress",
        "DiscardingSink",
        "FileFingerprint",
        "FrameLimits",
        "GcReport",
        "Hash",
        "HashBatch",
        "HashCache",
        "HashCacheStats",
        "HashThreads",
        "NarChunk",
        "NarChunker",
        "NarDirectory",
        "NarDirectoryEnd",
        "NarFile",
        "NarFileCheck",
        "NarInfo",
        "NarLimits",
        "NarReader",
        "NarSpan",
        "NarSummary",
        "NarSymlink",
        "NarWriter",
        "PROFILES",
        "Payload",
        "Pipeline",
        "PipelineBuilder",
        "PipelineContext",
        "PipelineOptions",
        "PipelineReport",
        "PipelineRun",
        "PipelineSummary",
        "Poll",
        "PollState",
        "Profile",
        "PublicKey",
        "ReferenceNormalizer",
        "ReferenceRestorer",
        "ReferenceScanner",
        "ReferenceTable",
        "SecretKey",
        "ShaSupport",
        "Signature",
        "Sink",
        "StorePath",
        "StoreStats",
        "StoreWriter",
        "StoredFile",
        "StreamTotals",
        "Verdict",
        "VerifyReport",
        "cat_nar",
        "check_nar_file",
        "chunk_batch",
        "chunks_by_entry",
        "compress",
        "compress_adaptive",
        "compress_batch",
        "compress_frames",
        "compress_into",
        "content_address_path",
        "cpu_features",
        "cut_offsets",
        "decode_base32",
        "decode_base32_batch",
        "decompress",
        "decompress_batch",
        "decompress_into",
        "describe_profiles",
        "detect_codec",
        "digest_of",
        "digests_of",
        "encode_base32",
        "encode_base32_batch",
        "encode_base32_texts",
        "encode_nar",
        "file_cut_offsets",
        "find_packed_format",
        "find_references",
        "format_hash",
        "format_narinfo",
        "format_reference_table",
        "get_profile",
        "hash_batch",
        "hash_file",
        "hash_modulo",
        "hash_stream",
        "is_nar",
        "iter_chunks",
        "iter_chunks_async",
        "iter_decompressed",
        "iter_file_chunks",
        "iter_file_chunks_async",
        "iter_file_cuts",
        "iter_frames",
        "iter_in_slices",
        "iter_nar",
        "iter_nar_chunks",
        "iter_pack_nar",
        "list_nar",
        "load_dictionary",
        "load_hash_cache",
        "measure_sha_support",
        "nar_root",
        "nar_tree",
        "new_hasher",
        "open_compressed",
        "open_nar",
        "open_reader",
        "output_path",
        "pack_nar",
        "parse_content_address",
        "parse_hash",
        "parse_narinfo",
        "parse_public_key",
        "parse_reference_table",
        "parse_secret_key",
        "parse_store_path",
        "read_chunks",
        "read_public_keys",
        "read_secret_key",
        "sample_entropy",
        "save_dictionary",
        "save_hash_cache",
        "sign_narinfo",
        "train_dictionary",
        "unpack_nar",
        "verify_narinfo",
        "verify_profile",
        "warmup",
        "write_key_files",
    },
    "gitobjects": {
        "Candidate", "CandidateBlock", "canonical_contexts", "iter_candidate_lines", "iter_candidates",
        "CommitHistory", "CommitRecord", "Context", "CoverageLedger", "GitObject", "Kind", "ObjectBlock", "ObjectDatabase",
        "ObjectId", "Reason", "TreeChange", "TreeEntry", "WorkFile", "WorkTree", "attribute", "diff_trees", "fetch_bare",
        "iter_tree_files", "parse_commit", "parse_object_id", "parse_tag", "parse_tree", "path_fields",
        "quote_path", "resolve_name", "unquote_path", "walk_commits", "ObjectStats", "ObjectsReport", "count_objects",
        "verify_objects",
    },
    "detection": {
        "Engine", "Finding", "Match", "Rule", "RuleSet", "ScanResult", "ScanState", "as_document", "as_sarif",
        "default_rules", "iter_json_lines", "load_rules",
    },
    "codeindex": {
        "Confidence", "EdgeBatch", "EdgeKind", "EntityBatch", "EntityKind", "ExtractionCache", "IndexSummary", "MemorySink",
        "NdjsonSink", "Sink", "SourceFile", "UnresolvedBatch", "edge_key", "entity_key", "extract", "find_roots",
        "format_symbol", "index_repository", "parse_symbol", "read_scip",
    },
    "graph": {
        "Cycle", "Cycles", "EntityRow", "FileRow", "FindingRow", "Graph", "GraphStore", "Hit", "Reach", "StoreReader",
        "open_store_directory",
    },
    "ingestion": {"CodeSummary", "HistorySummary", "IngestSummary", "Stage", "ingest"},
}


@pytest.mark.parametrize("layer", LAYERS)
def test_names_of_a_layer_are_these_and_load(layer: str) -> None:
    package = import_module(f"siltstone.{layer}")
    assert set(package.__all__) == LAYERS[layer]
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("layer", ["", *(name for name in LAYERS if name != "ingestion")])
def test_type_checkers_see_the_names_where_they_are_loaded_from(layer: str) -> None:
    package = import_module(f"siltstone.{layer}" if layer else "siltstone")
    source = Path(str(package.__file__)).read_text("utf-8")
    (block,) = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    told = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == package._HOMES


@pytest.mark.parametrize("layer", ["", *LAYERS])
def test_no_public_name_is_that_of_a_module_beside_it(layer: str) -> None:
    """Importing a module sets its name in the package: whoever asked later got the module in place of the function."""
    package = import_module(f"siltstone.{layer}".rstrip("."))
    assert package.__file__ is not None
    folder = Path(package.__file__).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not {name for name in package.__all__ if name in modules}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="frobnicate"):
        siltstone.frobnicate  # noqa: B018
