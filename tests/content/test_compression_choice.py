"""What is compressed already is kept; dictionaries are made, named, and asked for by name."""

import gzip
import io
import random
import shutil
import subprocess
import zipfile
from array import array

import pytest

from siltstone.content.adaptive import compress_adaptive, find_packed_format, sample_entropy
from siltstone.content.compression import compress, compress_into, decompress, decompress_into
from siltstone.content.compression_streams import CompressedReader, CompressedWriter
from siltstone.content.dictionaries import CompressionDictionary, load_dictionary, save_dictionary, train_dictionary
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError
from tests.content.compression_data import FRAMED, TEXT

NOISE = random.Random(4).randbytes(65_536)


def records(seed, count):
    """Small inputs that look alike, as the heads of files do."""
    rng = random.Random(seed)
    words = [b"name", b"version", b"license", b"Apache-2.0", b"homepage", b"https://example.org/", b"build", b"inputs"]

    def field():
        return b'"%s": "%s%d"' % (rng.choice(words), rng.choice(words), rng.randrange(99))

    return [b"{" + b", ".join(field() for _ in range(12)) + b"}" for _ in range(count)]


@pytest.fixture(scope="module")
def dictionary():
    return train_dictionary(records(1, 800), size=4096)


def test_what_is_compressed_already_is_kept():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", TEXT)
    packed = {"gzip": gzip.compress(TEXT), "zip": archive.getvalue(), "png": b"\x89PNG\r\n\x1a\n" + TEXT,
              "webp": b"RIFF\0\0\0\0WEBP" + TEXT, "mp4": b"\0\0\0\x18ftypisom" + TEXT,
              **{name: compress(TEXT, name) for name in FRAMED}}
    for name, data in packed.items():
        assert find_packed_format(data) == name
        result = compress_adaptive(data)
        assert (result.codec, result.payload) == ("none", data)
        assert name in result.reason


def test_noise_is_told_by_a_sample_and_text_is_compressed():
    assert compress_adaptive(NOISE).codec == "none"
    assert "noise" in compress_adaptive(NOISE).reason
    for codec in FRAMED:
        result = compress_adaptive(TEXT, codec)
        assert result.codec == codec
        assert decompress(result.payload) == TEXT
    for data in (b"", b"a", TEXT[:3], NOISE[:1000]):
        assert compress_adaptive(data).codec == "none"
    assert compress_adaptive(TEXT, ratio=0.01).codec == "none"
    assert "too little" in compress_adaptive(TEXT, ratio=0.01).reason
    assert compress_adaptive(TEXT, "none").payload is TEXT
    with pytest.raises(ConfigError):
        compress_adaptive(TEXT, ratio=0)


def test_data_of_any_items_is_judged_by_its_bytes():
    numbers = memoryview(array("Q", range(9_000)))
    result = compress_adaptive(numbers)
    assert (result.codec, decompress(result.payload)) == ("zstd", numbers.tobytes())
    assert sample_entropy(numbers) == sample_entropy(numbers.tobytes())


def test_entropy_goes_from_nothing_to_eight_bits():
    assert sample_entropy(b"") == sample_entropy(bytes(9999)) == 0
    assert sample_entropy(bytes(range(256))) == pytest.approx(8)
    assert 7.9 < sample_entropy(NOISE) <= 8
    assert 3 < sample_entropy(TEXT) < 5


def test_a_dictionary_wins_on_small_inputs_and_is_named_in_the_frame(dictionary):
    fresh = records(2, 50)
    with_it = [compress(data, dictionary=dictionary) for data in fresh]
    assert sum(map(len, with_it)) < 0.7 * sum(len(compress(data)) for data in fresh)
    for data, packed in zip(fresh, with_it, strict=True):
        assert decompress(packed, dictionary=dictionary) == data
        out, again = bytearray(1000), bytearray(1000)
        count = compress_into(data, out, dictionary=dictionary)
        assert decompress_into(memoryview(out)[:count], again, dictionary=dictionary) == len(data)
        assert again[: len(data)] == data
    target = io.BytesIO()
    with CompressedWriter(target, dictionary=dictionary) as writer:
        writer.write(fresh[0])
    assert CompressedReader(io.BytesIO(target.getvalue()), dictionary=dictionary).read(10_000) == fresh[0]
    assert decompress(compress(TEXT), dictionary=dictionary) == TEXT  # a frame that names none


def test_a_level_counts_with_a_dictionary_too(dictionary):
    data = b"".join(records(5, 300))
    sizes = [len(compress(data, level=level, dictionary=dictionary)) for level in (1, 3, 19)]
    assert sizes[0] > sizes[1] > sizes[2]
    high = CompressionDictionary(dictionary.data, 19)
    assert len(compress(data, dictionary=high)) == sizes[2]
    assert len(compress(data, level=1, dictionary=high)) == sizes[0]
    assert decompress(compress(data, level=1, dictionary=high), dictionary=dictionary) == data


def test_a_missing_or_wrong_dictionary_is_named(dictionary):
    packed = compress(TEXT[:500], dictionary=dictionary)
    other = train_dictionary(records(9, 900), size=4096)
    assert other.identity != dictionary.identity
    for given in (None, other):
        for read in (lambda **settings: decompress(packed, **settings),
                     lambda **settings: decompress_into(packed, bytearray(1000), **settings),
                     lambda **settings: CompressedReader(io.BytesIO(packed), **settings).readall()):
            with pytest.raises(NotFoundError) as caught:
                read(dictionary=given)
            assert caught.value.name == f"dictionary {dictionary.identity}"
    with pytest.raises(ConfigError):
        compress(TEXT, "lz4", dictionary=dictionary)


def test_a_dictionary_is_saved_and_loaded_by_its_digest(dictionary, tmp_path):
    path = tmp_path / "records.dict"
    save_dictionary(dictionary, path)
    loaded = load_dictionary(path, digest=dictionary.digest)
    assert (loaded.identity, loaded.digest) == (dictionary.identity, dictionary.digest)
    assert decompress(compress(TEXT, dictionary=dictionary), dictionary=loaded) == TEXT
    with pytest.raises(CorruptDataError, match="digest"):
        load_dictionary(path, digest=bytes(32))
    path.write_bytes(TEXT)
    with pytest.raises(CorruptDataError, match="records"):
        load_dictionary(path)


def test_damaged_dictionaries_and_poor_samples_are_refused(dictionary):
    for size in range(0, len(dictionary.data), 61):
        try:
            damaged = CompressionDictionary(dictionary.data[:size])
            assert decompress(compress(TEXT, dictionary=damaged), dictionary=damaged) == TEXT
        except CorruptDataError:
            continue
    with pytest.raises(CorruptDataError):
        train_dictionary([b"one"], size=4096)
    with pytest.raises(ConfigError):
        train_dictionary([], size=10)


@pytest.mark.oracle
def test_the_tool_and_we_read_each_other_s_dictionary_frames(dictionary, tmp_path):
    path = tmp_path / "records.dict"
    save_dictionary(dictionary, path)

    def run(word, content):
        words = ["zstd", word, "-c", "-D", path]
        return subprocess.run(words, input=content, capture_output=True, check=True, timeout=60).stdout

    if shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")
    assert run("-d", compress(TEXT, dictionary=dictionary)) == TEXT
    assert decompress(run("-z", TEXT), dictionary=dictionary) == TEXT
