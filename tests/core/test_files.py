"""Files are whole or absent; foreign files that shrink give an error."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from siltstone.core import CorruptDataError
from siltstone.core.files import WindowedFile, atomic_writer, make_private_directory, write_atomically


def test_write_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_atomically(target, b"old")
    write_atomically(target, b"new", mode=0o600)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_atomically(target, b"old")
    with pytest.raises(RuntimeError), atomic_writer(target) as file:
        file.write(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_an_interrupt_while_the_file_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def interrupted(*words: object, **named: object) -> int:
        os.close(real(*words, **named))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", b"new")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_atomically(target, b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from siltstone.core.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_atomically(Path(sys.argv[1]), b'x' * 100_000)\n"
        "except OSError as error: print(error.errno)\n"
    )
    words = [sys.executable, "-P", "-c", code, str(target)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().isdigit()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_private_directory_is_the_owners_alone(tmp_path: Path) -> None:
    made = make_private_directory(tmp_path / "x" / "y")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert make_private_directory(made) == made


def test_windows_cover_the_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * 5)
    with WindowedFile(path) as file:
        assert b"".join(file.windows(100)) == path.read_bytes()
        assert file.read_at(1_280, 0) == b""


@pytest.mark.parametrize(("offset", "size"), [(0, 11), (10, 1), (-1, 1), (0, -1)])
def test_a_read_outside_the_file_is_refused(tmp_path: Path, offset: int, size: int) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    with WindowedFile(path) as file, pytest.raises(CorruptDataError):
        file.read_at(offset, size)


def test_a_file_that_shrinks_gives_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 10_000)
    with WindowedFile(path) as file:
        os.truncate(path, 100)
        with pytest.raises(CorruptDataError, match="shrank"):
            file.read_at(0, 10_000)


def test_a_missing_folder_is_told_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "absent" / "file", b"")
    assert caught.value.filename == str(tmp_path / "absent" / "file")
