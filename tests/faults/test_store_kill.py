"""A store whose writer dies: at every write, sync, rename, removal it makes, and where the disk is full."""

import io
import os
import random
import resource
import signal

import pytest

from siltstone.content.profiles import Profile
from siltstone.content.store import ChunkStore
from siltstone.core.errors import ConfigError, NotFoundError

SMALL = Profile(minimum=64, target=256, maximum=1024)
OLD = random.Random(1).randbytes(5_000)
NEW = OLD[:2_500] + random.Random(2).randbytes(5_000)
DYING_CALLS = ("mkdir", "writev", "fsync", "rename", "replace", "unlink", "rmdir")
KILLED = 77


def in_child(work):
    """Run *work* in a child process and return its exit code; 78 where it raised."""
    child = os.fork()
    if child == 0:
        code = 78
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(name, number, *, after):
    """Let this process die at the *number*-th call of os.<name>, before the call or *after* it."""
    real, calls = getattr(os, name), 0

    def counted(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == number and not after:
            os._exit(KILLED)
        result = real(*arguments, **options)
        if calls == number:
            os._exit(KILLED)
        return result

    setattr(os, name, counted)


def put_new(folder):
    with ChunkStore.open(folder, create=True, profile=SMALL) as store, store.writer(workers=1) as writer:
        writer.put("new", io.BytesIO(NEW))


def content_of(folder, name):
    with ChunkStore.open(folder) as store:
        return b"".join(store.iter_chunks(name))


def check_after(folder, *, had_old):
    """Whatever happened: the old file is whole, the new one is whole or absent, and writing goes on."""
    with ChunkStore.open(folder, create=True, profile=SMALL) as store:
        assert store.verify().problems == ()
        present = store.find("new") is not None
        if had_old:
            assert b"".join(store.iter_chunks("old")) == OLD
        if not present:
            store.put("new", io.BytesIO(NEW))
        else:
            with pytest.raises(ConfigError):
                store.put("new", io.BytesIO(NEW))
        assert b"".join(store.iter_chunks("new")) == NEW
        assert list((folder / "staging").iterdir()) == []
        assert {path.suffix for path in (folder / "packs").iterdir()} == {".pack"}
    assert not list(folder.glob(".format*"))


@pytest.mark.parametrize("had_old", [True, False], ids=["second put", "first put"])
@pytest.mark.parametrize("call", DYING_CALLS)
def test_a_killed_writer_leaves_a_whole_store(tmp_path, call, had_old):
    deaths = 0
    for after in (False, True):
        for number in range(1, 40):
            folder = tmp_path / f"{after}-{number}"
            if had_old:
                with ChunkStore.open(folder, create=True, profile=SMALL) as store:
                    store.put("old", io.BytesIO(OLD))

            def work(folder=folder, number=number, after=after):
                die_at(call, number, after=after)
                put_new(folder)

            code = in_child(work)
            assert code in (0, KILLED)
            deaths += code == KILLED
            check_after(folder, had_old=had_old)
            if code == 0:
                break
    assert deaths or (call == "replace" and had_old)


def test_a_writer_killed_by_a_signal_in_the_middle(tmp_path):
    class Deadly:
        def __init__(self):
            self.reads = 0

        def read(self, size=-1):
            self.reads += 1
            if self.reads == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return NEW

    folder = tmp_path / "store"
    ChunkStore.open(folder, create=True, profile=SMALL).close()

    def work():
        with ChunkStore.open(folder) as store, store.writer(workers=1) as writer:
            writer.put("new", Deadly())

    assert in_child(work) == -signal.SIGKILL
    assert len(list((folder / "staging").iterdir())) == 1
    check_after(folder, had_old=False)


@pytest.mark.parametrize("call", ["mkdir", "writev", "fsync", "rename", "unlink", "rmdir"])
def test_a_killed_collector_leaves_a_whole_store(tmp_path, call):
    deaths = 0
    for after in (False, True):
        for number in range(1, 20):
            folder = tmp_path / f"{after}-{number}"
            with ChunkStore.open(folder, create=True, profile=SMALL) as store:
                with store.writer() as writer:
                    writer.put("old", io.BytesIO(OLD))
                    writer.put("dropped", io.BytesIO(random.Random(5).randbytes(5_000)))
                store.put("dropped too", io.BytesIO(random.Random(6).randbytes(5_000)))
                store.delete("dropped", "dropped too")

            def work(folder=folder, number=number, after=after):
                with ChunkStore.open(folder) as store:
                    die_at(call, number, after=after)
                    store.gc(waste=0.0)

            code = in_child(work)
            assert code in (0, KILLED)
            deaths += code == KILLED
            with ChunkStore.open(folder) as store:
                assert store.verify().problems == ()
                store.gc(waste=0.0)
                assert store.stats().chunk_bytes == len(OLD)
            check_after(folder, had_old=True)
            if code == 0:
                break
    assert deaths


def test_a_leftover_is_kept_while_its_writer_lives(tmp_path):
    with ChunkStore.open(tmp_path / "store", create=True, profile=SMALL) as store, store.writer() as first:
        first.put("first", io.BytesIO(OLD))
        store.put("second", io.BytesIO(NEW))
        assert len(list((store.root / "staging").iterdir())) == 1
    assert content_of(tmp_path / "store", "first") == OLD


@pytest.mark.parametrize("limit", [0, 100, 1000, 4000, 7700, 9000])
def test_a_full_disk_is_an_oserror_and_stores_nothing(tmp_path, limit):
    folder = tmp_path / "store"
    with ChunkStore.open(folder, create=True, profile=SMALL) as store:
        store.put("old", io.BytesIO(OLD))

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            with ChunkStore.open(folder) as store, store.writer(workers=1) as writer:
                writer.put("new", io.BytesIO(random.Random(3).randbytes(20_000)))
        except OSError:
            os._exit(4)

    assert in_child(work) == 4
    with ChunkStore.open(folder) as store:
        with pytest.raises(NotFoundError):
            next(store.iter_chunks("new"))
        assert list((folder / "staging").iterdir()) == []
        assert store.stats().files == 1
    check_after(folder, had_old=True)


def test_a_folder_without_permission_is_an_oserror(tmp_path):
    folder = tmp_path / "store"
    ChunkStore.open(folder, create=True, profile=SMALL).close()
    for path in (tmp_path, *tmp_path.parents):
        if path.name.startswith("pytest-"):
            path.chmod(0o755)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)

    def work():
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            put_new(folder)
        except PermissionError:
            os._exit(4)

    if os.getuid() != 0:
        (folder / "staging").chmod(0o555)
    assert in_child(work) == 4
    (folder / "staging").chmod(0o755)
    assert list((folder / "staging").iterdir()) == []
