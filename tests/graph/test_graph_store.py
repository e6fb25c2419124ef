"""The store keeps what was written, all of it or nothing, and says clearly why it cannot."""

import fcntl
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from siltstone.codeindex.entities import EdgeBatch, EntityBatch, UnresolvedBatch
from siltstone.core.budget import Budget
from siltstone.core.errors import BudgetExceeded, CorruptDataError, NotFoundError, StoreError
from siltstone.graph import database
from siltstone.graph.model import FileRow, FindingRow
from siltstone.graph.queries import Graph
from siltstone.graph.reader import StoreReader
from siltstone.graph.schema import SCHEMA_VERSION, signed, unsigned
from siltstone.graph.store import GraphStore, find_database, open_store_directory
from tests.graph.graph_world import fill, random_graph

FILES = [FileRow("a.py", "python", 12, b"\x01" * 32), FileRow("é/b.ts", "", 0, b"")]
FINDINGS = [
    FindingRow("ff00", "rule-b", "a.py", 4, 2**64 - 1, {"column": 7, "secret": "ab…yz"}),
    FindingRow("0a", "rule-a", None, 0, None, {}),
]


@pytest.fixture
def folder(tmp_path):
    return open_store_directory(tmp_path)


def rows_of(batches):
    return [row for batch in batches for row in batch.rows()]


def test_store_gives_back_what_was_written(folder):
    entities, edges, unresolved = random_graph(1)
    fill(folder, entities, edges, unresolved)
    with GraphStore.open(folder, create=False) as store:
        store.write_files(FILES)
        store.write_findings(FINDINGS)
        store.write_scan_state(b"state" * 1000)
        store.write_meta(repo_id="repo", tool_version="1", summary={"files": 2})
    reader = StoreReader.open_existing(find_database(folder))
    assert rows_of(reader.entities()) == sorted(entities)
    assert [key for batch in reader.edges() for key in batch.keys.tolist()] == sorted(row.key for row in edges)
    assert sorted(name for batch in reader.unresolved() for name in batch.names.tolist()) == sorted(
        row.name for row in unresolved
    )
    assert list(reader.files()) == FILES
    assert list(reader.findings()) == FINDINGS
    assert reader.scan_state() == b"state" * 1000
    assert reader.summary() == {"files": 2}
    meta = reader.meta()
    assert (meta["repo_id"], meta["entities"], meta["edges"]) == ("repo", str(len(entities)), str(len(edges)))
    reader.close()


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11])
def test_scan_state_is_kept_in_chunks(folder, monkeypatch, size):
    monkeypatch.setattr("siltstone.graph.store._STATE_CHUNK_BYTES", 10)
    with GraphStore.open(folder) as store:
        assert store.scan_state() is None
        store.write_scan_state(bytes(size))
    with GraphStore.open(folder) as store:
        assert store.scan_state() == bytes(size)


@pytest.mark.parametrize("key", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_keys_survive_the_signed_integer(key):
    assert unsigned(signed(key)) == key
    assert -(2**63) <= signed(key) < 2**63


def test_new_graph_replaces_the_old_one_at_once(folder):
    fill(folder, *random_graph(1))
    old = StoreReader.open_existing(find_database(folder))
    digest, entities, edges = old.digest(), *random_graph(2)[:2]
    store = GraphStore.open(folder)
    store.write(EntityBatch.of(entities))
    store.write(EdgeBatch.of(edges))
    assert old.digest() == digest
    assert sum(map(len, old.entities())) == len(random_graph(1)[0])
    store.close()
    assert old.digest() != digest
    assert sum(map(len, old.entities())) == len(entities)
    old.close()


def test_error_inside_the_block_forgets_everything(folder):
    digest = fill(folder, *random_graph(1))
    with pytest.raises(RuntimeError), GraphStore.open(folder) as store:
        store.write(EntityBatch.of(random_graph(2)[0]))
        store.write_files(FILES)
        raise RuntimeError
    with GraphStore.open(folder) as store:
        assert (store.digest(), list(store.files())) == (digest, [])


def test_failed_write_leaves_nothing_but_abort(folder):
    digest = fill(folder, *random_graph(1))
    store = GraphStore.open(folder, budget=Budget(graph=100))
    with pytest.raises(BudgetExceeded):
        store.write(EntityBatch.of(random_graph(2)[0]))
    with pytest.raises(StoreError, match="earlier write failed"):
        store.write_files(FILES)
    with pytest.raises(StoreError, match="earlier write failed"):
        store.commit()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write_files(FILES)
    with GraphStore.open(folder) as store:
        assert store.digest() == digest


def test_budget_is_given_back(folder):
    budget = Budget()
    with GraphStore.open(folder, budget=budget) as store:
        store.write(EntityBatch.of(random_graph(2)[0]))
        assert budget.reserved("graph") > 0
    assert budget.reserved("graph") == 0


def test_empty_graph_replaces_a_full_one(folder):
    fill(folder, *random_graph(1))
    fill(folder, [])
    with GraphStore.open(folder) as store:
        assert store.meta()["entities"] == "0"
        assert list(store.entities()) == []


def test_edge_without_its_entity_is_counted(folder):
    entities, edges, _ = random_graph(1)
    lost = {edges[-1].source_key}
    fill(folder, [row for row in entities if row.key not in lost], edges)
    with GraphStore.open(folder) as store:
        assert int(store.meta()["dangling_edges"]) == sum(
            row.source_key in lost or row.target_key in lost for row in edges
        )


def test_cache_keeps_what_the_last_complete_run_used(folder):
    with GraphStore.open(folder) as store:
        for number in range(4):
            store.cache.put(b"key%d" % number, b"value" * number)
        store.begin_graph()
    with GraphStore.open(folder) as store:
        assert [store.cache.get(b"key%d" % number) for number in (1, 2, 9)] == [b"value", b"value" * 2, None]
        store.cache.put(b"new", b"n")
        assert store.cache.get(b"new") == b"n"
        store.begin_graph()
    with GraphStore.open(folder) as store:
        assert [store.cache.get(key) is None for key in (b"key0", b"key1", b"key2", b"key3", b"new")] == [
            True, False, False, True, False,
        ]


def test_cache_survives_a_run_that_fails(folder, monkeypatch):
    monkeypatch.setattr("siltstone.graph.cache._WAITING_BYTES", 1)
    with pytest.raises(RuntimeError), GraphStore.open(folder) as store:
        store.cache.put(b"early", b"1")
        store.begin_graph()
        store.cache.put(b"later", b"2")
        store.write_files([])
        store.cache.put(b"late", b"3")
        raise RuntimeError
    with GraphStore.open(folder) as store:
        assert [store.cache.get(key) for key in (b"early", b"later", b"late")] == [b"1", b"2", None]


def test_damaged_cache_entry_is_a_miss(folder):
    with GraphStore.open(folder) as store:
        store.cache.put(b"key", b"value")
    change(folder, "UPDATE cache SET payload = x'00'")
    with GraphStore.open(folder) as store:
        assert store.cache.get(b"key") is None


def test_directory_hides_itself_from_git(tmp_path):
    folder = open_store_directory(tmp_path)
    assert folder == tmp_path / ".siltstone"
    assert (folder / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert open_store_directory(tmp_path) == folder
    assert open_store_directory(None, output=tmp_path / "out" / "deep").is_dir()


def test_directory_is_refused_where_a_link_leads_away(tmp_path):
    (tmp_path / ".siltstone").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="symbolic link"):
        open_store_directory(tmp_path)
    with pytest.raises(StoreError, match="--output"):
        open_store_directory(None)


@pytest.mark.parametrize("name", ["graph.db", "graph.lock"])
def test_link_in_the_store_is_not_followed(folder, tmp_path, name):
    (tmp_path / "victim").write_bytes(b"precious")
    (folder / name).symlink_to(tmp_path / "victim")
    with pytest.raises((StoreError, OSError)):
        GraphStore.open(folder)
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_missing_store_says_what_to_do(tmp_path):
    with pytest.raises(NotFoundError, match="silt ingest"):
        GraphStore.open(tmp_path, create=False)
    with pytest.raises(NotFoundError, match="silt ingest"):
        StoreReader.open_existing(tmp_path / "graph.db")


def test_lock_that_no_process_holds_is_taken(folder):
    (folder / "graph.lock").write_text("999999\n")
    GraphStore.open(folder).close()
    with open(folder / "graph.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(StoreError, match=f"locked by process {os.getpid()}"):
            GraphStore.open(folder)


def test_journal_is_the_one_that_is_safe():
    assert database.journal_mode((3, 40, 1)) == database.journal_mode((3, 51, 2)) == "delete"
    assert database.journal_mode((3, 51, 3)) == database.journal_mode((3, 53, 0)) == "wal"


def test_wal_works_where_it_is_chosen(folder, monkeypatch):
    monkeypatch.setattr(database, "FIRST_SAFE_WAL", (3, 0, 0))
    digest = fill(folder, *random_graph(1))
    monkeypatch.undo()
    reader = StoreReader.open_existing(find_database(folder))
    assert reader.digest() == digest
    reader.close()
    assert fill(folder, *random_graph(1)) == digest


def change(folder, *statements):
    connection = sqlite3.connect(folder / "graph.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_newer_schema_is_refused(folder):
    fill(folder, *random_graph(1))
    change(folder, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    for attempt in (GraphStore.open, lambda path: StoreReader.open_existing(path / "graph.db")):
        with pytest.raises(StoreError, match="newer"):
            attempt(folder)


def test_older_schema_is_emptied_by_a_writer_and_refused_to_a_reader(folder):
    fill(folder, *random_graph(1))
    change(folder, "PRAGMA user_version = 0")
    with pytest.raises(StoreError, match="silt ingest"):
        StoreReader.open_existing(folder / "graph.db")
    with GraphStore.open(folder) as store:
        assert store.digest() == ""


@pytest.mark.parametrize("statement", [
    "DROP TABLE files", "DROP INDEX entities_by_leaf", "ALTER TABLE meta ADD COLUMN more TEXT",
    "CREATE TRIGGER t AFTER DELETE ON files BEGIN SELECT 1; END", "CREATE VIEW v AS SELECT 1",
])
def test_altered_tables_are_refused(folder, statement):
    fill(folder, *random_graph(1))
    change(folder, statement)
    with pytest.raises(CorruptDataError, match=r"graph\.db"):
        GraphStore.open(folder)


def test_database_of_another_program_is_refused(folder):
    change(folder, "CREATE TABLE theirs(x)")
    with pytest.raises(CorruptDataError, match="another program"):
        GraphStore.open(folder)
    (folder / "graph.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CorruptDataError, match="not a database"):
        GraphStore.open(folder)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_give_a_value_or_a_clear_error(folder, seed):
    fill(folder, *random_graph(1))
    path = folder / "graph.db"
    data = bytearray(path.read_bytes())
    for step in range(40):
        data[(seed * 7919 + step * 3571) % len(data)] ^= 1 << (seed % 8)
    path.write_bytes(data)
    try:
        with closing(StoreReader.open_existing(path)) as reader:
            for rows in (reader.image(), *map(list, (reader.entities(), reader.edges(), reader.unresolved()))):
                assert rows is not None
    except (CorruptDataError, StoreError, OSError):
        pass


def test_image_checksum_is_looked_at(folder):
    fill(folder, *random_graph(1))
    change(folder, "UPDATE image SET checksum = checksum + 1 WHERE name = 'keys'")
    reader = StoreReader.open_existing(folder / "graph.db")
    with pytest.raises(CorruptDataError, match="keys"):
        reader.image()
    reader.close()


def test_unresolved_uses_are_kept_once(folder):
    entities, _, unresolved = random_graph(1)
    with GraphStore.open(folder) as store:
        store.write(EntityBatch.of(entities))
        for _ in range(2):
            store.write(UnresolvedBatch.of(unresolved))
    with GraphStore.open(folder) as store:
        assert store.meta()["unresolved"] == str(len(unresolved))


@pytest.mark.parametrize("statement", [
    "UPDATE entities SET name = x'ff'", "UPDATE entities SET kind = 999", "UPDATE entities SET kind = 99",
    "UPDATE entities SET path = x'00'", "UPDATE entities SET start_line = 'far'", "UPDATE entities SET end_line = 1 << 40",
    "UPDATE entities SET source = 7", "UPDATE edges SET line = 'x'", "UPDATE edges SET kind = -1",
    "UPDATE unresolved SET name = x'ff'", "UPDATE image SET data = 5", "UPDATE image SET name = 'keys' || chunk || rowid",
    "UPDATE findings SET detail = '{'", "UPDATE findings SET file_key = 'x'", "UPDATE meta SET value = '[]'",
    "UPDATE scan_state SET data = 'text'",
])
def test_stored_value_of_the_wrong_type_is_damage(folder, statement):
    fill(folder, *random_graph(1))
    with GraphStore.open(folder) as store:
        store.write_findings(FINDINGS)
        store.write_scan_state(b"state")
        store.write_meta(summary={"files": 2})
    change(folder, statement)
    reader = StoreReader.open_existing(folder / "graph.db")
    with pytest.raises((CorruptDataError, StoreError)):
        read_everything(folder, reader)
    reader.close()


def read_everything(folder, reader):
    for rows in (reader.entities(), reader.edges(), reader.unresolved(), reader.findings()):
        list(rows)
    reader.scan_state()
    reader.summary()
    with Graph.open(folder) as graph:
        graph.blast_radius(graph.find("part3")[0])
