"""The store of one repository, and the sink that fills it: ``graph.db`` in a folder of its own.

Whatever a run writes (graph, files, findings, scan state, meta) becomes visible at once, by one commit, or not at all:
a crash, a kill or a full disk leaves the state of the last complete run.  Only the extraction cache may run ahead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from siltstone.codeindex.entities import Batch
from siltstone.core.budget import Budget
from siltstone.core.errors import NotFoundError, StoreError
from siltstone.core.files import make_private_directory, write_atomically
from siltstone.graph.cache import CacheTable
from siltstone.graph.database import Connection, WriterLock, connect_writer, reading, roll_back, translated
from siltstone.graph.load import GraphLoad
from siltstone.graph.model import FileRow, FindingRow
from siltstone.graph.reader import StoreReader
from siltstone.graph.schema import DATABASE_NAME, SCHEMA_VERSION, check_tables, create_tables, signed, stored_version

STORE_FOLDER = ".siltstone"
_OWN_NAMES = ("graph.", "repository.git", ".gitignore", "..gitignore")  # what a store may hold before its database is made
_STATE_CHUNK_BYTES = 8 << 20


def open_store_directory(work_tree: Path | None, *, output: Path | None = None) -> Path:
    """Return the folder that holds the store, made where it is missing, with a ``.gitignore`` of its own holding ``*``.

    It is *output*, else ``.siltstone`` in *work_tree*.  Raises StoreError where neither is given, or where the
    repository brought a symbolic link of that name along, which could lead out of it.
    """
    if output is None:
        if work_tree is None:
            raise StoreError("has no work tree; choose a folder with --output", store="repository")
        output = work_tree / STORE_FOLDER
        if output.is_symlink():
            raise StoreError("is a symbolic link; choose a folder with --output", store=str(output))
    folder = make_private_directory(output)
    ignore = folder / ".gitignore"
    strange = sorted(name for name in os.listdir(folder) if not name.startswith(_OWN_NAMES))
    if strange and not (folder / DATABASE_NAME).exists():
        raise StoreError(f"holds {strange[0]!r} and is no store; choose an empty folder", store=str(folder))
    if not ignore.exists() and not ignore.is_symlink():
        write_atomically(ignore, b"*\n")
    return folder


def find_database(path: Path) -> Path:
    """Return the ``graph.db`` that *path* names: the file, its folder, or a folder in or above which a store lies.

    Raises NotFoundError, which says to run `silt ingest`.
    """
    if path.is_file() or (path.is_symlink() and not path.is_dir()):
        return path
    if (path / DATABASE_NAME).exists():
        return path / DATABASE_NAME
    for folder in (path, *path.absolute().parents) if path.is_dir() else ():
        if (folder / STORE_FOLDER / DATABASE_NAME).exists():
            return folder / STORE_FOLDER / DATABASE_NAME
        if (folder / ".git").exists():  # the store of an outer repository is not this one's
            break
    raise NotFoundError("no graph there; make one with `silt ingest`", name=str(path))


class GraphStore(StoreReader):
    """The one writer of a store; a `codeindex` `Sink`, and a context manager that commits or, on an error, forgets.

    The first `write` begins a new graph in place of the old.  `commit` makes everything since visible; `close` commits
    and closes.  After an error inside a write only `abort` is left.  Used by one thread at a time.
    """

    def __init__(self, path: Path, connection: Connection, lock: WriterLock, budget: Budget) -> None:
        super().__init__(path, connection)
        self.cache = CacheTable(path, connection)
        self._lock, self._budget = lock, budget
        self._load: GraphLoad | None = None
        self._replacing = False
        self._failed = False

    @classmethod
    def open(cls, path: Path | str, *, create: bool = True, budget: Budget | None = None) -> GraphStore:
        """Open the store at *path* (its folder, or the ``graph.db`` in it) for writing.

        A database of an older schema is emptied.  Raises NotFoundError where there is none and *create* is false,
        StoreError where another process writes it or a newer version made it, CorruptDataError where it is damaged.
        """
        path = Path(path)
        if path.name != DATABASE_NAME:
            path = path / DATABASE_NAME
        if not create and not path.exists():
            raise NotFoundError("no graph; make one with `silt ingest`", name=str(path))
        if create:
            make_private_directory(path.parent)
        lock = WriterLock(path.parent)
        try:
            connection = connect_writer(path)
        except BaseException:
            lock.release()
            raise
        store = cls(path, connection, lock, budget or Budget())
        try:
            with reading(path):
                if stored_version(connection, str(path)) != SCHEMA_VERSION:
                    create_tables(connection)
                check_tables(connection, str(path))
        except BaseException:
            store.abort()
            raise
        return store

    def __enter__(self) -> GraphStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def begin_graph(self) -> None:
        """Say that this run makes a new graph, even if nothing is written to it.

        The transaction begins with the first row: until then the cache is written on its own, and survives a crash.
        """
        self._replacing = True

    def write(self, batch: Batch) -> None:
        """Take one batch of the new graph; of two rows with one key the smaller stays."""
        load = self._load_in_progress()
        with self._writing():
            load.write(batch)

    def write_files(self, files: Iterable[FileRow]) -> None:
        """Replace the list of files."""
        self._replace("files", "INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?)", files)

    def write_findings(self, findings: Iterable[FindingRow]) -> None:
        """Replace the findings; their order is kept."""
        self._replace("findings", "INSERT INTO findings VALUES(NULL, ?, ?, ?, ?, ?, ?)", (
            (row.fingerprint, row.rule_id, row.path, row.line, None if row.file_key is None else signed(row.file_key),
             json.dumps(row.detail, sort_keys=True))
            for row in findings
        ))

    def write_scan_state(self, state: bytes) -> None:
        """Replace the scan state; what is in it is the detector's business."""
        view = memoryview(state)
        self._replace("scan_state", "INSERT INTO scan_state VALUES(?, ?)", (
            (chunk, view[start : start + _STATE_CHUNK_BYTES])
            for chunk, start in enumerate(range(0, max(len(view), 1), _STATE_CHUNK_BYTES))
        ))

    def write_meta(self, *, repo_id: str = "", tool_version: str = "", summary: Mapping[str, Any] | None = None) -> None:
        """Set the given values; the graph's own (digest, counts) are set by the commit."""
        given = {"repo_id": repo_id, "tool_version": tool_version}
        if summary is not None:
            given["summary"] = json.dumps(summary, sort_keys=True)
        self._put_meta({name: value for name, value in given.items() if value})

    def commit(self) -> None:
        """Make everything written since the last commit visible, at once; prune the cache where a graph was written."""
        if self._failed:
            raise StoreError("an earlier write failed, nothing can be committed", store=str(self.path))
        if self._replacing or self._load is not None:
            load = self._load_in_progress()
            with self._writing():
                values = load.finish()
            self._put_meta(values)
            with self._writing():
                self.cache.prune()
            self._end_load()
        else:
            self.cache.flush()
        if self._connection.in_transaction:
            with self._writing():
                self._connection.execute("COMMIT")

    def close(self) -> None:
        """Commit and close; after a failed write, forget and close. Closing twice is harmless."""
        if self._lock.released:
            return
        try:
            if not self._failed:
                self.commit()
        finally:
            self.abort()

    def abort(self) -> None:
        """Forget everything since the last commit, and close."""
        self._end_load()
        if not self._lock.released:
            roll_back(self._connection)
            self._connection.close()
            self._lock.release()

    def _load_in_progress(self) -> GraphLoad:
        if self._load is None:
            with self._writing():
                self._load = GraphLoad(self, self._connection, self._budget)
        return self._load

    def _end_load(self) -> None:
        self._replacing = False
        load, self._load = self._load, None
        if load is not None:
            load.release()

    def _put_meta(self, values: Mapping[str, str]) -> None:
        with self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", values.items())

    def _replace(self, table: str, statement: str, rows: Iterable[Any]) -> None:
        with self._writing():
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of the schema
            self._connection.executemany(statement, rows)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Run the block inside the transaction, which it begins if need be; an error leaves nothing but `abort`."""
        if self._lock.released:
            raise StoreError("is closed", store=str(self.path))
        if self._failed:
            raise StoreError("an earlier write failed", store=str(self.path))
        try:
            with translated(self.path):
                if not self._connection.in_transaction:
                    self._connection.execute("BEGIN IMMEDIATE")
                yield
        except BaseException:
            self._failed = True
            roll_back(self._connection)
            raise
