"""Cutting, hashing, compressing and keeping bytes. Names are loaded when they are first used: only a store needs numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone.core.lazy import lazy_names

if TYPE_CHECKING:
    from siltstone._native.cpu import cpu_features as cpu_features
    from siltstone.content.adaptive import AdaptiveResult as AdaptiveResult
    from siltstone.content.adaptive import compress_adaptive as compress_adaptive
    from siltstone.content.adaptive import find_packed_format as find_packed_format
    from siltstone.content.adaptive import sample_entropy as sample_entropy
    from siltstone.content.base32 import decode_base32 as decode_base32
    from siltstone.content.base32 import decode_base32_batch as decode_base32_batch
    from siltstone.content.base32 import encode_base32 as encode_base32
    from siltstone.content.base32 import encode_base32_batch as encode_base32_batch
    from siltstone.content.base32 import encode_base32_texts as encode_base32_texts
    from siltstone.content.batch_chunking import ChunkedItem as ChunkedItem
    from siltstone.content.batch_chunking import chunk_batch as chunk_batch
    from siltstone.content.batch_compression import CompressedItem as CompressedItem
    from siltstone.content.batch_compression import compress_batch as compress_batch
    from siltstone.content.batch_compression import decompress_batch as decompress_batch
    from siltstone.content.batch_hashing import HashBatch as HashBatch
    from siltstone.content.batch_hashing import hash_batch as hash_batch
    from siltstone.content.buffers import BufferStrategy as BufferStrategy
    from siltstone.content.chunk_async import iter_chunks_async as iter_chunks_async
    from siltstone.content.chunk_async import iter_file_chunks_async as iter_file_chunks_async
    from siltstone.content.chunk_slices import ChunkPoller as ChunkPoller
    from siltstone.content.chunk_slices import Poll as Poll
    from siltstone.content.chunk_slices import PollState as PollState
    from siltstone.content.chunk_slices import iter_in_slices as iter_in_slices
    from siltstone.content.chunk_streams import ChunkBlock as ChunkBlock
    from siltstone.content.chunk_streams import ChunkReader as ChunkReader
    from siltstone.content.chunk_streams import iter_file_chunks as iter_file_chunks
    from siltstone.content.chunk_streams import open_reader as open_reader
    from siltstone.content.chunk_streams import read_chunks as read_chunks
    from siltstone.content.chunk_threads import file_cut_offsets as file_cut_offsets
    from siltstone.content.chunk_threads import iter_file_cuts as iter_file_cuts
    from siltstone.content.chunking import Chunker as Chunker
    from siltstone.content.chunking import cut_offsets as cut_offsets
    from siltstone.content.chunking import iter_chunks as iter_chunks
    from siltstone.content.chunking import warmup as warmup
    from siltstone.content.codec_table import detect_codec as detect_codec
    from siltstone.content.compression import Compressor as Compressor
    from siltstone.content.compression import compress as compress
    from siltstone.content.compression import compress_into as compress_into
    from siltstone.content.compression import decompress as decompress
    from siltstone.content.compression import decompress_into as decompress_into
    from siltstone.content.compression_streams import CompressedReader as CompressedReader
    from siltstone.content.compression_streams import CompressedWriter as CompressedWriter
    from siltstone.content.compression_streams import open_compressed as open_compressed
    from siltstone.content.dictionaries import CompressionDictionary as CompressionDictionary
    from siltstone.content.dictionaries import load_dictionary as load_dictionary
    from siltstone.content.dictionaries import save_dictionary as save_dictionary
    from siltstone.content.dictionaries import train_dictionary as train_dictionary
    from siltstone.content.file_fingerprint import FileFingerprint as FileFingerprint
    from siltstone.content.frame_sequence import FrameLimits as FrameLimits
    from siltstone.content.hash_cache import HashCache as HashCache
    from siltstone.content.hash_cache import HashCacheStats as HashCacheStats
    from siltstone.content.hash_cache_file import load_hash_cache as load_hash_cache
    from siltstone.content.hash_cache_file import save_hash_cache as save_hash_cache
    from siltstone.content.hash_files import hash_file as hash_file
    from siltstone.content.hash_files import hash_stream as hash_stream
    from siltstone.content.hash_text import Hash as Hash
    from siltstone.content.hash_text import format_hash as format_hash
    from siltstone.content.hash_text import parse_hash as parse_hash
    from siltstone.content.hash_threads import HashThreads as HashThreads
    from siltstone.content.hashing import digest_of as digest_of
    from siltstone.content.hashing import digests_of as digests_of
    from siltstone.content.hashing import new_hasher as new_hasher
    from siltstone.content.manifest import StoredFile as StoredFile
    from siltstone.content.nar import NarReader as NarReader
    from siltstone.content.nar import iter_nar as iter_nar
    from siltstone.content.nar import nar_root as nar_root
    from siltstone.content.nar_chunking import NarChunk as NarChunk
    from siltstone.content.nar_chunking import NarChunker as NarChunker
    from siltstone.content.nar_chunking import NarSpan as NarSpan
    from siltstone.content.nar_chunking import chunks_by_entry as chunks_by_entry
    from siltstone.content.nar_chunking import iter_nar_chunks as iter_nar_chunks
    from siltstone.content.nar_format import NarDirectory as NarDirectory
    from siltstone.content.nar_format import NarDirectoryEnd as NarDirectoryEnd
    from siltstone.content.nar_format import NarFile as NarFile
    from siltstone.content.nar_format import NarLimits as NarLimits
    from siltstone.content.nar_format import NarSymlink as NarSymlink
    from siltstone.content.nar_format import is_nar as is_nar
    from siltstone.content.nar_listing import cat_nar as cat_nar
    from siltstone.content.nar_listing import list_nar as list_nar
    from siltstone.content.nar_listing import nar_tree as nar_tree
    from siltstone.content.nar_pack import NarSummary as NarSummary
    from siltstone.content.nar_pack import iter_pack_nar as iter_pack_nar
    from siltstone.content.nar_pack import pack_nar as pack_nar
    from siltstone.content.nar_source import open_nar as open_nar
    from siltstone.content.nar_unpack import unpack_nar as unpack_nar
    from siltstone.content.nar_writer import NarWriter as NarWriter
    from siltstone.content.nar_writer import encode_nar as encode_nar
    from siltstone.content.narinfo import NarInfo as NarInfo
    from siltstone.content.narinfo import Verdict as Verdict
    from siltstone.content.narinfo import format_narinfo as format_narinfo
    from siltstone.content.narinfo import parse_narinfo as parse_narinfo
    from siltstone.content.narinfo import sign_narinfo as sign_narinfo
    from siltstone.content.narinfo import verify_narinfo as verify_narinfo
    from siltstone.content.narinfo_check import NarFileCheck as NarFileCheck
    from siltstone.content.narinfo_check import check_nar_file as check_nar_file
    from siltstone.content.parallel_frames import compress_frames as compress_frames
    from siltstone.content.parallel_frames import iter_decompressed as iter_decompressed
    from siltstone.content.parallel_frames import iter_frames as iter_frames
    from siltstone.content.pipeline import Pipeline as Pipeline
    from siltstone.content.pipeline import PipelineContext as PipelineContext
    from siltstone.content.pipeline import PipelineOptions as PipelineOptions
    from siltstone.content.pipeline_block import Block as Block
    from siltstone.content.pipeline_block import DiscardingSink as DiscardingSink
    from siltstone.content.pipeline_block import Payload as Payload
    from siltstone.content.pipeline_block import Sink as Sink
    from siltstone.content.pipeline_builder import PipelineBuilder as PipelineBuilder
    from siltstone.content.pipeline_report import PipelineReport as PipelineReport
    from siltstone.content.pipeline_run import PipelineRun as PipelineRun
    from siltstone.content.pipeline_run import PipelineSummary as PipelineSummary
    from siltstone.content.pipeline_run import StreamTotals as StreamTotals
    from siltstone.content.profiles import PROFILES as PROFILES
    from siltstone.content.profiles import Profile as Profile
    from siltstone.content.profiles import describe_profiles as describe_profiles
    from siltstone.content.profiles import get_profile as get_profile
    from siltstone.content.profiles import verify_profile as verify_profile
    from siltstone.content.reference_rewrite import ReferenceNormalizer as ReferenceNormalizer
    from siltstone.content.reference_rewrite import ReferenceRestorer as ReferenceRestorer
    from siltstone.content.reference_rewrite import hash_modulo as hash_modulo
    from siltstone.content.reference_table import ReferenceTable as ReferenceTable
    from siltstone.content.reference_table import format_reference_table as format_reference_table
    from siltstone.content.reference_table import parse_reference_table as parse_reference_table
    from siltstone.content.references import ReferenceScanner as ReferenceScanner
    from siltstone.content.references import find_references as find_references
    from siltstone.content.sha_support import ShaSupport as ShaSupport
    from siltstone.content.sha_support import measure_sha_support as measure_sha_support
    from siltstone.content.signing import PublicKey as PublicKey
    from siltstone.content.signing import SecretKey as SecretKey
    from siltstone.content.signing import Signature as Signature
    from siltstone.content.signing import parse_public_key as parse_public_key
    from siltstone.content.signing import parse_secret_key as parse_secret_key
    from siltstone.content.signing import read_public_keys as read_public_keys
    from siltstone.content.signing import read_secret_key as read_secret_key
    from siltstone.content.signing import write_key_files as write_key_files
    from siltstone.content.store import ChunkStore as ChunkStore
    from siltstone.content.store import StoreStats as StoreStats
    from siltstone.content.store_check import VerifyReport as VerifyReport
    from siltstone.content.store_gc import GcReport as GcReport
    from siltstone.content.store_path import ContentAddress as ContentAddress
    from siltstone.content.store_path import StorePath as StorePath
    from siltstone.content.store_path import content_address_path as content_address_path
    from siltstone.content.store_path import output_path as output_path
    from siltstone.content.store_path import parse_content_address as parse_content_address
    from siltstone.content.store_path import parse_store_path as parse_store_path
    from siltstone.content.store_writer import StoreWriter as StoreWriter

_HOMES = {
    "AdaptiveResult": "siltstone.content.adaptive",
    "Block": "siltstone.content.pipeline_block",
    "BufferStrategy": "siltstone.content.buffers",
    "ChunkBlock": "siltstone.content.chunk_streams",
    "ChunkPoller": "siltstone.content.chunk_slices",
    "ChunkReader": "siltstone.content.chunk_streams",
    "ChunkStore": "siltstone.content.store",
    "ChunkedItem": "siltstone.content.batch_chunking",
    "Chunker": "siltstone.content.chunking",
    "CompressedItem": "siltstone.content.batch_compression",
    "CompressedReader": "siltstone.content.compression_streams",
    "CompressedWriter": "siltstone.content.compression_streams",
    "CompressionDictionary": "siltstone.content.dictionaries",
    "Compressor": "siltstone.content.compression",
    "ContentAddress": "siltstone.content.store_path",
    "DiscardingSink": "siltstone.content.pipeline_block",
    "FileFingerprint": "siltstone.content.file_fingerprint",
    "FrameLimits": "siltstone.content.frame_sequence",
    "GcReport": "siltstone.content.store_gc",
    "Hash": "siltstone.content.hash_text",
    "HashBatch": "siltstone.content.batch_hashing",
    "HashCache": "siltstone.content.hash_cache",
    "HashCacheStats": "siltstone.content.hash_cache",
    "HashThreads": "siltstone.content.hash_threads",
    "NarChunk": "siltstone.content.nar_chunking",
    "NarChunker": "siltstone.content.nar_chunking",
    "NarDirectory": "siltstone.content.nar_format",
    "NarDirectoryEnd": "siltstone.content.nar_format",
    "NarFile": "siltstone.content.nar_format",
    "NarFileCheck": "siltstone.content.narinfo_check",
    "NarInfo": "siltstone.content.narinfo",
    "NarLimits": "siltstone.content.nar_format",
    "NarReader": "siltstone.content.nar",
    "NarSpan": "siltstone.content.nar_chunking",
    "NarSummary": "siltstone.content.nar_pack",
    "NarSymlink": "siltstone.content.nar_format",
    "NarWriter": "siltstone.content.nar_writer",
    "PROFILES": "siltstone.content.profiles",
    "Payload": "siltstone.content.pipeline_block",
    "Pipeline": "siltstone.content.pipeline",
    "PipelineBuilder": "siltstone.content.pipeline_builder",
    "PipelineContext": "siltstone.content.pipeline",
    "PipelineOptions": "siltstone.content.pipeline",
    "PipelineReport": "siltstone.content.pipeline_report",
    "PipelineRun": "siltstone.content.pipeline_run",
    "PipelineSummary": "siltstone.content.pipeline_run",
    "Poll": "siltstone.content.chunk_slices",
    "PollState": "siltstone.content.chunk_slices",
    "Profile": "siltstone.content.profiles",
    "PublicKey": "siltstone.content.signing",
    "ReferenceNormalizer": "siltstone.content.reference_rewrite",
    "ReferenceRestorer": "siltstone.content.reference_rewrite",
    "ReferenceScanner": "siltstone.content.references",
    "ReferenceTable": "siltstone.content.reference_table",
    "SecretKey": "siltstone.content.signing",
    "ShaSupport": "siltstone.content.sha_support",
    "Signature": "siltstone.content.signing",
    "Sink": "siltstone.content.pipeline_block",
    "StorePath": "siltstone.content.store_path",
    "StoreStats": "siltstone.content.store",
    "StoreWriter": "siltstone.content.store_writer",
    "StoredFile": "siltstone.content.manifest",
    "StreamTotals": "siltstone.content.pipeline_run",
    "Verdict": "siltstone.content.narinfo",
    "VerifyReport": "siltstone.content.store_check",
    "cat_nar": "siltstone.content.nar_listing",
    "check_nar_file": "siltstone.content.narinfo_check",
    "chunk_batch": "siltstone.content.batch_chunking",
    "chunks_by_entry": "siltstone.content.nar_chunking",
    "compress": "siltstone.content.compression",
    "compress_adaptive": "siltstone.content.adaptive",
    "compress_batch": "siltstone.content.batch_compression",
    "compress_frames": "siltstone.content.parallel_frames",
    "compress_into": "siltstone.content.compression",
    "content_address_path": "siltstone.content.store_path",
    "cpu_features": "siltstone._native.cpu",
    "cut_offsets": "siltstone.content.chunking",
    "decode_base32": "siltstone.content.base32",
    "decode_base32_batch": "siltstone.content.base32",
    "decompress": "siltstone.content.compression",
    "decompress_batch": "siltstone.content.batch_compression",
    "decompress_into": "siltstone.content.compression",
    "describe_profiles": "siltstone.content.profiles",
    "detect_codec": "siltstone.content.codec_table",
    "digest_of": "siltstone.content.hashing",
    "digests_of": "siltstone.content.hashing",
    "encode_base32": "siltstone.content.base32",
    "encode_base32_batch": "siltstone.content.base32",
    "encode_base32_texts": "siltstone.content.base32",
    "encode_nar": "siltstone.content.nar_writer",
    "file_cut_offsets": "siltstone.content.chunk_threads",
    "find_packed_format": "siltstone.content.adaptive",
    "find_references": "siltstone.content.references",
    "format_hash": "siltstone.content.hash_text",
    "format_narinfo": "siltstone.content.narinfo",
    "format_reference_table": "siltstone.content.reference_table",
    "get_profile": "siltstone.content.profiles",
    "hash_batch": "siltstone.content.batch_hashing",
    "hash_file": "siltstone.content.hash_files",
    "hash_modulo": "siltstone.content.reference_rewrite",
    "hash_stream": "siltstone.content.hash_files",
    "is_nar": "siltstone.content.nar_format",
    "iter_chunks": "siltstone.content.chunking",
    "iter_chunks_async": "siltstone.content.chunk_async",
    "iter_decompressed": "siltstone.content.parallel_frames",
    "iter_file_chunks": "siltstone.content.chunk_streams",
    "iter_file_chunks_async": "siltstone.content.chunk_async",
    "iter_file_cuts": "siltstone.content.chunk_threads",
    "iter_frames": "siltstone.content.parallel_frames",
    "iter_in_slices": "siltstone.content.chunk_slices",
    "iter_nar": "siltstone.content.nar",
    "iter_nar_chunks": "siltstone.content.nar_chunking",
    "iter_pack_nar": "siltstone.content.nar_pack",
    "list_nar": "siltstone.content.nar_listing",
    "load_dictionary": "siltstone.content.dictionaries",
    "load_hash_cache": "siltstone.content.hash_cache_file",
    "measure_sha_support": "siltstone.content.sha_support",
    "nar_root": "siltstone.content.nar",
    "nar_tree": "siltstone.content.nar_listing",
    "new_hasher": "siltstone.content.hashing",
    "open_compressed": "siltstone.content.compression_streams",
    "open_nar": "siltstone.content.nar_source",
    "open_reader": "siltstone.content.chunk_streams",
    "output_path": "siltstone.content.store_path",
    "pack_nar": "siltstone.content.nar_pack",
    "parse_content_address": "siltstone.content.store_path",
    "parse_hash": "siltstone.content.hash_text",
    "parse_narinfo": "siltstone.content.narinfo",
    "parse_public_key": "siltstone.content.signing",
    "parse_reference_table": "siltstone.content.reference_table",
    "parse_secret_key": "siltstone.content.signing",
    "parse_store_path": "siltstone.content.store_path",
    "read_chunks": "siltstone.content.chunk_streams",
    "read_public_keys": "siltstone.content.signing",
    "read_secret_key": "siltstone.content.signing",
    "sample_entropy": "siltstone.content.adaptive",
    "save_dictionary": "siltstone.content.dictionaries",
    "save_hash_cache": "siltstone.content.hash_cache_file",
    "sign_narinfo": "siltstone.content.narinfo",
    "train_dictionary": "siltstone.content.dictionaries",
    "unpack_nar": "siltstone.content.nar_unpack",
    "verify_narinfo": "siltstone.content.narinfo",
    "verify_profile": "siltstone.content.profiles",
    "warmup": "siltstone.content.chunking",
    "write_key_files": "siltstone.content.signing",
}

__all__ = [*_HOMES]

__getattr__ = lazy_names(__name__, _HOMES)
