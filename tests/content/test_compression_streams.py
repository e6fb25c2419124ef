"""Compressed file objects, many frames, many buffers: the same content as whole buffers give, for any split."""

import io
import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siltstone.content import parallel_frames
from siltstone.content.batch_compression import compress_batch, decompress_batch
from siltstone.content.codecs import zstd_frames
from siltstone.content.compression import compress, decompress
from siltstone.content.compression_streams import CompressedReader, CompressedWriter, open_compressed
from siltstone.content.context_pools import BUFFERS, BUFFERS_AT_MOST
from siltstone.content.frame_sequence import FrameLimits, reader_of
from siltstone.content.parallel_frames import compress_frames, iter_decompressed, iter_frames
from siltstone.core.errors import BudgetExceeded, Cancelled, ConfigError, CorruptDataError, SiltstoneError, UnsupportedError
from siltstone.core.progress import Progress
from tests.content.compression_data import ALL, FRAMED, TEXT

DATA = TEXT * 6 + random.Random(8).randbytes(70_000) + bytes(150_000)


class Dribble(io.BytesIO):
    """Gives a few bytes at a time, as sockets do."""

    def read(self, size=-1):
        return super().read(min(size, 7_001))


def written(codec, pieces, **settings):
    target = io.BytesIO()
    with CompressedWriter(target, codec, **settings) as writer:
        for piece in pieces:
            assert writer.write(piece) == len(piece)
    assert writer.content_bytes == sum(map(len, pieces))
    assert writer.written_bytes == len(target.getvalue())
    return target.getvalue()


@settings(max_examples=25)
@given(st.sampled_from(ALL), st.lists(st.binary(max_size=400), max_size=6), st.integers(1, 700), st.sampled_from([None, 100]))
def test_a_stream_gives_what_was_written(codec, pieces, size, frame_bytes):
    packed = written(codec, pieces, frame_bytes=frame_bytes)
    reader = CompressedReader(io.BytesIO(packed), codec=codec)
    found = b""
    while piece := reader.read(size):
        assert len(piece) <= size
        found += piece
    assert found == b"".join(pieces)
    assert reader.read(10) == b""


@pytest.mark.parametrize("codec", FRAMED)
def test_a_reader_finds_the_codec_and_reads_every_frame(codec):
    packed = written(codec, [DATA[:100_000], DATA[100_000:]], frame_bytes=90_000) + compress(DATA, codec)
    with CompressedReader(Dribble(packed)) as reader:
        assert reader.codec == "auto"
        buffer = bytearray(33_333)
        found = b""
        while count := reader.readinto(buffer):
            found += buffer[:count]
        assert reader.codec == codec
    assert found == DATA + DATA
    with pytest.raises(ConfigError):
        reader.readinto(buffer)


@pytest.mark.parametrize("codec", FRAMED)
def test_a_reader_stops_exactly_at_its_limit(codec):
    packed = compress(DATA, codec) * 2
    total = 2 * len(DATA)
    assert CompressedReader(io.BytesIO(packed), limit_bytes=total).readall() == DATA * 2
    reader = CompressedReader(io.BytesIO(packed), limit_bytes=total - 1)
    with pytest.raises(BudgetExceeded):
        reader.readall()
    with pytest.raises(BudgetExceeded):  # and stays there
        reader.read(1)
    with pytest.raises(CorruptDataError):
        CompressedReader(io.BytesIO(packed[:-1])).readall()


@pytest.mark.parametrize("codec", FRAMED)
def test_a_reader_makes_a_little_at_a_time_whatever_is_in_the_frame(codec):
    bomb = compress(bytes(30 << 20), codec) + compress(DATA, codec)
    with CompressedReader(io.BytesIO(bomb)) as reader:
        sizes = [len(piece) for piece in reader.iter_content()]
    assert max(sizes) <= 128 << 10
    assert sum(sizes) == (30 << 20) + len(DATA)
    assert 0 < BUFFERS.count() <= BUFFERS_AT_MOST
    reader.close()
    readers = [CompressedReader(io.BytesIO(bomb)) for _ in range(9)]
    assert {len(reader.read(10)) for reader in readers} == {10}
    for reader in readers:
        reader.close()
    assert BUFFERS.count() == BUFFERS_AT_MOST


@pytest.mark.parametrize("codec", FRAMED)
def test_what_was_not_closed_is_not_whole(codec):
    for error in (ValueError, KeyboardInterrupt):
        target = io.BytesIO()
        with pytest.raises(error):
            with CompressedWriter(target, codec) as writer:
                writer.write(DATA)
                raise error
        with pytest.raises(CorruptDataError):
            decompress(target.getvalue() or b"", codec=codec)
        with pytest.raises(ConfigError):
            writer.write(b"more")
    assert decompress(written(codec, [])) == b""


@pytest.mark.parametrize("codec", FRAMED)
def test_a_writer_that_is_dropped_ends_no_frame(codec):
    target = io.BytesIO()
    writer = CompressedWriter(target, codec)
    writer.write(DATA)
    del writer
    with pytest.raises(CorruptDataError):
        decompress(target.getvalue(), codec=codec)


def test_compressed_files_are_opened_by_suffix(tmp_path):
    for suffix in (".zst", ".lz4", ".xz", ".bz2"):
        path = tmp_path / f"data{suffix}"
        with open_compressed(path, "wb") as file:
            file.write(DATA)
        with open_compressed(path) as file:
            assert file.read(5) + file.read() == DATA
        with pytest.raises(BudgetExceeded), open_compressed(path, limit_bytes=1000) as file:
            file.read()
    with pytest.raises(RuntimeError), open_compressed(tmp_path / "left.zst", "wb") as file:
        file.write(DATA)
        raise RuntimeError
    assert not [path for path in tmp_path.iterdir() if "left" in path.name]
    for name, mode in (("data.txt", "wb"), ("data.zst", "r+")):
        with pytest.raises(ConfigError), open_compressed(tmp_path / name, mode):
            pass


@pytest.mark.parametrize("codec", FRAMED)
def test_frames_do_not_depend_on_the_number_of_threads(codec):
    one = compress_frames(DATA, codec, frame_bytes=50_000)
    assert compress_frames(DATA, codec, frame_bytes=50_000, threads=3) == one
    assert b"".join(iter_frames(Dribble(DATA).read, codec, frame_bytes=50_000, threads=2)) == one
    assert decompress(one) == DATA
    assert decompress(compress_frames(b"", codec)) == b""
    for threads in (1, 3):
        for read in (reader_of(one), Dribble(one).read):
            assert b"".join(iter_decompressed(read, threads=threads)) == DATA
    with pytest.raises(ConfigError):
        compress_frames(DATA, codec, frame_bytes=100)


@pytest.mark.parametrize("codec", FRAMED)
def test_threads_keep_limits_and_find_damage(codec):
    packed = compress_frames(DATA, codec, frame_bytes=50_000) + compress(b"", codec)

    def outcome(data, **limits):
        try:
            return b"".join(iter_decompressed(reader_of(data), limits=FrameLimits(**limits), threads=2))
        except SiltstoneError as error:
            return type(error)

    assert outcome(packed, limit_bytes=len(DATA)) == DATA
    assert outcome(packed, limit_bytes=len(DATA) - 1) is BudgetExceeded
    assert outcome(packed + packed, limit_ratio=1.0) is (BudgetExceeded if len(DATA) * 2 > 1 << 20 else DATA * 2)
    assert outcome(packed[:-1]) is CorruptDataError
    assert outcome(packed + b"garbage that is longer") is CorruptDataError
    assert outcome(b"garbage that is longer") is UnsupportedError
    assert outcome(b"") is CorruptDataError
    for at in range(0, len(packed), 997):
        changed = bytearray(packed)
        changed[at] ^= 0x10
        assert outcome(bytes(changed)) in (DATA, CorruptDataError, BudgetExceeded, UnsupportedError)


def test_a_frame_that_does_not_end_is_not_walked_again_for_each_piece(monkeypatch):
    walked = []

    def find(view, start):
        walked.append(len(view))
        return zstd_frames.find_frame(view, start)

    monkeypatch.setitem(parallel_frames._FINDERS, "zstd", find)
    packed = compress(random.Random(3).randbytes(20 << 20), level=1)[:-5]
    with pytest.raises(CorruptDataError):
        for _ in iter_decompressed(reader_of(packed), threads=2):
            pass
    assert sum(walked) <= 3 * len(packed)


def test_frames_of_unknown_size_between_others_are_read_in_order():
    mixed = compress(TEXT) + written("zstd", [TEXT[:500]]) + compress(TEXT) + b"\x50\x2a\x4d\x18\0\0\0\0"
    assert b"".join(iter_decompressed(reader_of(mixed), threads=2)) == TEXT + TEXT[:500] + TEXT
    limits = FrameLimits(limit_bytes=2 * len(TEXT) + 499)
    with pytest.raises(BudgetExceeded):
        b"".join(iter_decompressed(reader_of(mixed), threads=2, limits=limits))


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_keeps_order_and_its_failures_apart(threads):
    items = [TEXT[:at] for at in range(300)]
    packed = [item.get() for item in compress_batch(items, "lz4", threads=threads)]
    assert [decompress(data) for data in packed] == items
    packed[7] = packed[7][:-1]
    packed[200] = b"not a frame at all"
    packed[201] = None
    found = list(decompress_batch(packed, threads=threads, limit_bytes=298))
    assert [item.index for item in found] == list(range(300))
    failed = {item.index: type(item.error) for item in found if item.error is not None}
    assert failed == {7: CorruptDataError, 200: UnsupportedError, 201: TypeError, 299: BudgetExceeded}
    assert [item.data for item in found if item.error is None] == [items[at] for at in range(300) if at not in failed]
    with pytest.raises(CorruptDataError):
        found[7].get()


def test_a_batch_tells_how_far_it_is_and_stops_on_request():
    states = []
    progress = Progress(states.append)
    progress.stage("compress", 150)
    batch = compress_batch((TEXT for _ in range(150)), threads=2, progress=progress)
    for _ in range(10):
        next(batch)
    progress.cancel()
    with pytest.raises(Cancelled):
        list(batch)
    with pytest.raises(ConfigError):
        compress_batch([], "zstd", level=99)
    with pytest.raises(ConfigError):
        decompress_batch([], codec="gzip")
    assert threading.active_count() < 10
