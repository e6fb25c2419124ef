"""Whatever happens to a writer, the store holds the old state or the new one, whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from siltstone.core.errors import StoreError
from siltstone.graph import database
from siltstone.graph.queries import Graph
from siltstone.graph.reader import StoreReader
from siltstone.graph.store import GraphStore
from tests.graph.graph_world import fill, random_graph
from tests.reference.graph_digest import graph_digest

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = random_graph(1, entities=100, edges=300), random_graph(2, entities=1200, edges=4000)

# Each is a step of a writer; the child dies when the step has been done.
KILL_POINTS = {
    "graph emptied": "load.GraphLoad.__init__", "entities written": "load.GraphLoad._write_entities",
    "unresolved written": "load.GraphLoad._write_unresolved", "edges written": "load.GraphLoad._write_edges",
    "entities read back": "load.GraphLoad._read_back_entities", "image written": "load.GraphLoad._write_image",
    "meta written": "store.GraphStore._put_meta", "cache pruned": "cache.CacheTable.prune",
    "files replaced": "store.GraphStore.write_files",
}

WRITER = """
import functools, importlib, os, resource, signal, sys
from pathlib import Path
from siltstone.codeindex.entities import EdgeBatch, EntityBatch, UnresolvedBatch
from siltstone.graph.model import FileRow
from siltstone.graph.store import GraphStore
from tests.graph.graph_world import random_graph

folder, point, file_limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if point not in {"", "wait"}:
    module, owner, name = point.split(".")
    owner = getattr(importlib.import_module("siltstone.graph." + module), owner)
    step = getattr(owner, name)

    @functools.wraps(step)
    def step_and_die(*arguments):
        step(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, step_and_die)
entities, edges, unresolved = random_graph(2, entities=1200, edges=4000)
if file_limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
try:
    with GraphStore.open(folder) as store:
        store._connection.execute("PRAGMA cache_size = 8")  # pages reach the file long before the commit
        store.write_files([FileRow("new.py", "python", 1, b"")])
        store.cache.put(b"new", b"entry")
        for batch in (EntityBatch.of(entities), EdgeBatch.of(edges), UnresolvedBatch.of(unresolved)):
            store.write(batch)
        if point == "wait":
            print("writing", flush=True)
            sys.stdin.read()
except OSError as error:
    sys.exit(error.errno)
"""


def writer_words(folder, point="", file_limit=0):
    return [sys.executable, "-c", WRITER, str(folder), point, str(file_limit)]


def write_in_child(folder, point="", file_limit=0):
    return subprocess.run(writer_words(folder, point, file_limit), cwd=ROOT, capture_output=True, timeout=60, check=False)


def assert_old_state(folder):
    reader = StoreReader.open_existing(folder / "graph.db")
    assert reader.digest() == graph_digest(*OLD)
    assert sum(map(len, reader.entities())) == len(OLD[0])
    assert sum(map(len, reader.edges())) == len(OLD[1])
    assert list(reader.files()) == []
    assert reader.select("PRAGMA integrity_check").__next__() == ("ok",)
    reader.close()
    with Graph.open(folder) as graph:
        assert len(graph) == len(OLD[0])


@pytest.mark.parametrize("point", KILL_POINTS)
def test_killed_writer_leaves_the_old_state(tmp_path, point):
    fill(tmp_path, *OLD)
    assert write_in_child(tmp_path, KILL_POINTS[point]).returncode == -signal.SIGKILL
    assert_old_state(tmp_path)
    assert fill(tmp_path, *NEW) == graph_digest(*NEW)


@pytest.mark.parametrize("point", ["edges written", "cache pruned"])
def test_killed_writer_leaves_the_old_state_in_wal_mode(tmp_path, point, monkeypatch):
    monkeypatch.setattr(database, "FIRST_SAFE_WAL", (3, 0, 0))
    monkeypatch.setattr(sys.modules[__name__], "WRITER", "import siltstone.graph.database as d\n"
                        "d.FIRST_SAFE_WAL = (3, 0, 0)\n" + WRITER)
    fill(tmp_path, *OLD)
    assert write_in_child(tmp_path, KILL_POINTS[point]).returncode == -signal.SIGKILL
    assert_old_state(tmp_path)


def test_pages_reach_the_file_before_the_commit(tmp_path):
    """The kill points test a rollback only if there is something to roll back."""
    fill(tmp_path, *OLD)
    before = (tmp_path / "graph.db").read_bytes()
    write_in_child(tmp_path, KILL_POINTS["image written"])
    assert (tmp_path / "graph.db").read_bytes() != before


def test_writer_that_is_not_killed_leaves_the_new_state(tmp_path):
    fill(tmp_path, *OLD)
    done = write_in_child(tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    with GraphStore.open(tmp_path) as store:
        assert store.digest() == graph_digest(*NEW)
        assert store.cache.get(b"new") == b"entry"


@pytest.mark.parametrize("room", [1, 8, 64, 150])
def test_full_disk_is_said_and_leaves_the_old_state(tmp_path, room):
    fill(tmp_path, *OLD)
    pages = (tmp_path / "graph.db").stat().st_size // 4096
    store = GraphStore.open(tmp_path)
    store._connection.execute(f"PRAGMA max_page_count = {pages + room}")
    entities, edges, unresolved = random_graph(3, entities=3000, edges=9000)
    with pytest.raises(OSError) as error:
        fill_store(store, entities, edges, unresolved)
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename.endswith("graph.db")
    store.close()
    assert_old_state(tmp_path)


def fill_store(store, entities, edges, unresolved):
    from siltstone.codeindex.entities import EdgeBatch, EntityBatch, UnresolvedBatch

    for batch in (EntityBatch.of(entities), EdgeBatch.of(edges), UnresolvedBatch.of(unresolved)):
        store.write(batch)
    store.commit()


@pytest.mark.parametrize("room", [4096, 200_000])
def test_file_that_may_not_grow_is_said_and_leaves_the_old_state(tmp_path, room):
    fill(tmp_path, *OLD)
    done = write_in_child(tmp_path, "", (tmp_path / "graph.db").stat().st_size + room)
    assert done.returncode in {errno.EIO, errno.ENOSPC}, done.stderr
    assert_old_state(tmp_path)


def test_second_writer_is_told_who_holds_the_lock(tmp_path):
    fill(tmp_path, *OLD)
    with subprocess.Popen(writer_words(tmp_path, "wait"), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"writing\n"
        with pytest.raises(StoreError, match=f"locked by process {first.pid}"):
            GraphStore.open(tmp_path)
        first.stdin.close()
        assert first.wait(60) == 0
    GraphStore.open(tmp_path).close()


def test_cache_survives_a_kill_before_the_first_row(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "WRITER", WRITER.replace(
        'store.write_files([FileRow("new.py", "python", 1, b"")])', "store.begin_graph()"
    ).replace('b"entry")', 'b"entry"), store.cache.flush()'))
    fill(tmp_path, *OLD)
    assert write_in_child(tmp_path, KILL_POINTS["graph emptied"]).returncode == -signal.SIGKILL
    assert_old_state(tmp_path)
    with GraphStore.open(tmp_path) as store:
        assert store.cache.get(b"new") == b"entry"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_store_of_somebody_else_is_a_permission_error(tmp_path):
    fill(tmp_path, *OLD)
    script = WRITER.replace("try:", "os.setuid(65534)\ntry:", 1)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path), "", "0"], cwd=ROOT, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == errno.EACCES, done.stderr
