"""Many buffers and files at once: results in order, failures stay with their item."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.content.batch_chunking import chunk_batch
from siltstone.content.chunking import cut_offsets
from siltstone.core.errors import Cancelled, ConfigError
from siltstone.core.progress import Progress
from tests.content.chunk_inputs import SMALL, content


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_equal_single_calls(threads: int) -> None:
    items = [content("random", size, size) for size in (0, 1, 5_000, 300, 100_000) * 150]
    results = list(chunk_batch(items, profile=SMALL, threads=threads))
    assert [result.index for result in results] == list(range(len(items)))
    assert all(result.get() == cut_offsets(item, profile=SMALL) for item, result in zip(items, results, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failure_belongs_to_its_item(tmp_path: Path, threads: int) -> None:
    path = tmp_path / "data"
    path.write_bytes(content("text", 50_000))
    strided = memoryview(bytes(100))[::2]
    items = [b"abc", None, path, str(tmp_path / "absent"), strided, tmp_path, bytearray(5_000)]
    results = list(chunk_batch(items, profile=SMALL, threads=threads))
    assert [type(result.error).__name__ for result in results] == [
        "NoneType", "TypeError", "NoneType", "FileNotFoundError", "TypeError", "IsADirectoryError", "NoneType",
    ]
    assert results[2].get() == cut_offsets(path.read_bytes(), profile=SMALL)
    with pytest.raises(FileNotFoundError):
        results[3].get()


def test_progress_counts_items_and_can_stop_the_batch() -> None:
    states = []
    progress = Progress(states.append)
    progress.stage("chunk", 5)
    assert len(list(chunk_batch([b"x"] * 5, progress=progress))) == 5
    progress.finish()
    assert states[-1].finished
    stopped = Progress()
    taken = []
    with pytest.raises(Cancelled):
        for result in chunk_batch([b"x"] * 2_000, threads=2, progress=stopped):
            taken.append(result)
            stopped.cancel()
    assert len(taken) == 1


def test_items_are_taken_little_by_little() -> None:
    taken = []

    def items() -> object:
        for index in range(100_000):
            taken.append(index)
            yield b"x"

    results = chunk_batch(items(), threads=2)
    next(results)
    assert len(taken) <= 5 * 256
    results.close()


def test_wrong_settings_are_no_failure_of_an_item() -> None:
    with pytest.raises(ConfigError, match="kernel"):
        list(chunk_batch([b"x"], kernel="steam"))
    with pytest.raises(ConfigError, match="threads"):
        list(chunk_batch([b"x"], threads=0))
