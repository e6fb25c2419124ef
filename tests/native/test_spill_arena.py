"""The spill arena against a dictionary, its limits, and what a full disk, a kill and threads do to it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone._native.spill_arena import SpillArena, index_bytes
from siltstone.core.errors import ConfigError, NotFoundError
from tests.reference import spill_arena as reference

# Ids that share their first bytes, as a hostile index may hold: the table must not depend on those alone.
IDS = st.sampled_from([bytes(16) + number.to_bytes(4, "big") for number in range(12)] + [b"\xff" * 20, bytes(20)])
CONTENT = st.sampled_from([b"", b"a", b"text" * 9, bytes(300)])


def make_arena(folder: Path | str, **options: int) -> SpillArena:
    settings = {"size_bytes": 1 << 20, "entries": 1000, "id_size": 20, "step_bytes": 4096} | options
    return SpillArena(os.fsencode(folder), **settings)


@given(st.integers(0, 8), st.integers(1, 900), st.integers(1, 500), st.lists(st.tuples(IDS, CONTENT), max_size=30))
def test_puts_and_gets_agree_with_the_twin(
    tmp_path_factory: pytest.TempPathFactory, entries: int, size_bytes: int, step: int, steps: list[tuple[bytes, bytes]]
) -> None:
    arena = make_arena(tmp_path_factory.getbasetemp(), size_bytes=size_bytes, entries=entries, step_bytes=step)
    twin = reference.SpillArena(size_bytes=size_bytes, entries=entries)
    for oid, data in steps:
        assert arena.put(oid, data) == twin.put(oid, data)
        assert arena.append(data) == twin.append(data)
    for oid, _ in steps:
        assert arena.get(oid) == arena.get(oid, mapped=True) == twin.get(oid)
        assert (oid in arena) == (oid in twin.objects)
    assert (len(arena), arena.used_bytes, arena.refused) == (len(twin.objects), twin.used_bytes, twin.refused)
    assert arena.spilled_bytes == twin.spilled_bytes
    assert arena.used_bytes <= arena.reserved_bytes <= arena.capacity_bytes
    arena.close()


@pytest.mark.parametrize("id_size", [20, 32])
@pytest.mark.parametrize("anonymous", [True, False])
def test_what_was_put_comes_back(tmp_path: Path, id_size: int, anonymous: bool) -> None:
    source = random.Random(3)
    objects = {source.randbytes(id_size): source.randbytes(source.randrange(1, 9_000)) for _ in range(300)}
    arena = make_arena(tmp_path, size_bytes=1 << 24, id_size=id_size, anonymous=anonymous, allowance_bytes=1 << 18)
    assert all(arena.put(oid, data) for oid, data in objects.items())
    assert list(tmp_path.iterdir()) == []
    for mapped in (False, True):
        assert all(arena.get(oid, mapped=mapped) == data for oid, data in objects.items())
    assert arena.reads == 600
    assert arena.get(bytes(id_size)) is None
    first = next(iter(objects))
    assert arena.put(first, b"of another kind", kind=2)
    assert (arena.get(first, kind=2), arena.get(first)) == (b"of another kind", objects[first])
    assert arena.get(first, kind=1) is None
    place = arena.append(b"without a name")
    assert place is not None
    assert arena.read_at(place, 14) == b"without a name"


def test_no_file_is_made_before_the_first_put(tmp_path: Path) -> None:
    arena = make_arena(tmp_path / "absent")
    assert bytes(20) not in arena
    assert not arena.put(bytes(20), b"a")
    assert (arena.refused, arena.refusal, arena.reserved_bytes) == (1, os.strerror(2), 0)
    assert not arena.put(b"b" * 20, b"")


def test_leftovers_of_a_kill_are_swept_where_files_have_names(tmp_path: Path) -> None:
    (tmp_path / ".siltstone-spill-abcdef").write_bytes(b"left")
    (tmp_path / "mine").write_bytes(b"kept")
    arena = make_arena(tmp_path, anonymous=False)
    assert arena.put(bytes(20), b"a")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_closed_arena_says_so_and_a_capsule_keeps_it_open(tmp_path: Path) -> None:
    arena = make_arena(tmp_path)
    arena.put(bytes(20), b"content")
    held = arena.capsule()
    arena.close()
    arena.close()
    for call in (arena.capsule, lambda: arena.put(bytes(20), b""), lambda: arena.get(bytes(20)), lambda: arena.append(b"")):
        with pytest.raises(NotFoundError):
            call()
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 1
    del held
    assert sys.platform != "linux" or len(os.listdir("/proc/self/fd")) == before - 1


def test_wrong_values_are_refused(tmp_path: Path) -> None:
    arena = make_arena(tmp_path)
    calls = (
        lambda: arena.put(b"short", b""), lambda: arena.get(b""), lambda: arena.read_at(0, 1), lambda: arena.read_at(-1, 0),
        lambda: make_arena(tmp_path, id_size=21), lambda: make_arena(tmp_path, size_bytes=0),
        lambda: make_arena(tmp_path, entries=-1), lambda: make_arena(tmp_path, entries=1 << 40),
        lambda: make_arena(tmp_path, step_bytes=0), lambda: make_arena(tmp_path, allowance_bytes=-1),
        lambda: make_arena("nul\0"), lambda: index_bytes(-1),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(ConfigError):
            call()
    assert index_bytes(100) == 16 * 256
    assert arena.held_bytes == index_bytes(1000) + (8 << 20)


def test_threads_share_an_arena(tmp_path: Path) -> None:
    arena = make_arena(tmp_path, size_bytes=1 << 24, allowance_bytes=1 << 18)
    wrong: list[int] = []

    def work(first: int) -> None:
        for number in range(first, first + 600):
            oid, data = (number % 900).to_bytes(20, "big"), b"%d" % (number % 900) * 40
            if not arena.put(oid, data) or arena.get(oid, mapped=number % 2 == 0) != data:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(300 * place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert all(arena.get(number.to_bytes(20, "big")) == b"%d" % number * 40 for number in range(900))


def run_child(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    head = "import sys\nfrom siltstone._native.spill_arena import SpillArena\n"
    # Under the address sanitizer freed memory would wait in a quarantine, and count.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
    settings = {**os.environ, "ASAN_OPTIONS": options}
    return subprocess.run([sys.executable, "-c", head + code, *map(str, words)], capture_output=True, text=True, timeout=60,
                          check=False, env=settings)


FILL = """
import os, resource
arena = SpillArena(os.fsencode(sys.argv[1]), size_bytes=1 << 32, entries=4000, id_size=20, step_bytes=1 << 16)
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
data, taken = bytes(range(256)) * 16, 0
for number in range(2000):
    taken += arena.put(number.to_bytes(20, "big"), data)
assert all(arena.get(number.to_bytes(20, "big"), mapped=True) == data for number in range(taken))
assert arena.get((taken).to_bytes(20, "big")) is None
assert arena.refused == 2000 - taken and arena.spilled_objects == taken, arena.refused
print(taken, arena.refusal)
"""


@pytest.mark.parametrize("limit", [0, 1, 5_000, 65_535, 65_536, 1_000_000])
def test_a_limit_of_the_system_refuses_objects_and_keeps_those_before(tmp_path: Path, limit: int) -> None:
    done = run_child(FILL, tmp_path, str(limit))
    assert done.returncode == 0, done.stderr
    taken, _, refusal = done.stdout.strip().partition(" ")
    assert int(taken) == limit // (4096 + reference.HEAD)
    assert refusal == os.strerror(27)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_refuses_objects_and_keeps_those_before(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (disk / "others").write_bytes(bytes(1_000_000))
        done = run_child(FILL, disk)
        assert done.returncode == 0, done.stderr
        taken, _, refusal = done.stdout.strip().partition(" ")
        assert 150 < int(taken) < 300
        assert refusal == os.strerror(28)
        assert [path.name for path in disk.iterdir()] == ["others"]
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("anonymous", [True, False])
def test_a_kill_leaves_nothing_behind(tmp_path: Path, anonymous: bool) -> None:
    code = f"""
import os, signal
arena = SpillArena(os.fsencode(sys.argv[1]), size_bytes=1 << 24, entries=9, id_size=20, anonymous={anonymous})
assert arena.put(bytes(20), bytes(100_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_child(code, tmp_path).returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_fork_reads_what_was_there_and_writes_nothing(tmp_path: Path) -> None:
    code = """
import os
arena = SpillArena(os.fsencode(sys.argv[1]), size_bytes=1 << 20, entries=9, id_size=20)
arena.put(bytes(20), b"before")
child = os.fork()
if child == 0:
    kept = arena.get(bytes(20), mapped=True) == arena.get(bytes(20)) == b"before"
    os._exit(0 if kept and not arena.put(b"c" * 20, b"child") and arena.append(b"child") is None else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert arena.put(b"p" * 20, b"parent") and arena.get(b"p" * 20) == b"parent" and arena.refused == 0
"""
    done = run_child(code, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_reading_through_the_mapping_stays_within_the_allowance(tmp_path: Path) -> None:
    code = """
import os
arena = SpillArena(os.fsencode(sys.argv[1]), size_bytes=1 << 28, entries=1024, id_size=20, allowance_bytes=4 << 20)
data = os.urandom(1 << 16)
for number in range(1000):
    arena.put(number.to_bytes(20, "big"), data)
def peak():
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
before = peak()
for _ in range(3):
    for number in range(1000):
        assert arena.get(number.to_bytes(20, "big"), mapped=True) == data
print(peak() - before)
"""
    done = run_child(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 6 * 1024
