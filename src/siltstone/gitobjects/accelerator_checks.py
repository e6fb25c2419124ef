"""Whether files that only make reading faster say what the files say that they were made from.

A checksum tells that a file is as it was written. This tells that it was written right, and is still right: that the objects
of a multi-pack index lie where it says, and that the commits of a commit-graph are those of the repository.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siltstone._native.commit_order import find_ids
from siltstone.core.budget import Reservation
from siltstone.core.errors import CorruptDataError
from siltstone.gitobjects.commit_graph import find_graph_files, read_commit_graph
from siltstone.gitobjects.commit_loading import LoadedColumns, load_every_commit, sort_graph
from siltstone.gitobjects.multi_pack_index import MultiPackIndex, open_multi_pack_indexes
from siltstone.gitobjects.object_database import ObjectDatabase
from siltstone.gitobjects.object_folder import ObjectFolder
from siltstone.gitobjects.pack_file import PackFile

Told = tuple[Path, str]


def check_multi_pack_indexes(folder: ObjectFolder, packs: Mapping[Path, PackFile], db: ObjectDatabase) -> Iterator[Told]:
    """Yield which multi-pack index of *folder* says what of its objects that the indexes of the *packs* do not."""
    noted: list[Told] = []
    opened = open_multi_pack_indexes(folder.path / "pack", db.algorithm, lambda path, why: noted.append((path, why)))
    try:
        for multi in opened:
            try:
                noted += ((multi.path, what) for what in _compare_places(multi, packs))
            except CorruptDataError as error:
                noted.append((multi.path, error.problem))
    finally:
        for multi in opened:
            multi.close()
    yield from noted


def _compare_places(multi: MultiPackIndex, packs: Mapping[Path, PackFile]) -> Iterator[str]:
    paths = [multi.path_of_pack(name) for name in multi.packs]
    found = [packs.get(path) for path in paths]  # not those that came since, or cannot be opened, which is told elsewhere
    gone = [path.stem for path in paths if not path.exists()]
    if multi.path.exists():  # else it went with its packs
        yield from (f"covers {name}, which is not there" for name in gone)
    wrong = 0
    for names, numbers, offsets in multi.slices():
        if numbers.size and int(numbers.max()) >= len(found):
            yield "names a pack it does not list"
            return
        for number in np.unique(numbers).tolist():
            pack = found[number]
            if pack is not None:
                chosen = numbers == number
                wrong += int(np.count_nonzero(_places_in(pack, names[chosen]) != offsets[chosen]))
    if wrong:
        yield f"{wrong:,} objects are not where it says"


def _places_in(pack: PackFile, names: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return where the objects with these *names*, a row each, start in the pack; -1 for those it does not hold."""
    index = pack.index
    at = np.frombuffer(find_ids(index.names, names.tobytes(), index.id_size), np.int64)
    places = np.full(len(at), -1, np.int64)
    places[at >= 0] = index.offsets[index.ranks[at[at >= 0]]]
    return places


def check_commit_graph(db: ObjectDatabase) -> Iterator[Told]:
    """Yield what the commit-graph says that commits do not. Raises BudgetExceeded over the limit "history"."""
    paths: list[Path] = []
    graph_held, held = Reservation(db.budget, "history"), Reservation(db.budget, "history")
    try:
        paths = find_graph_files([folder.path for folder in db.folders], db.algorithm)
        if paths:
            graph = read_commit_graph(paths, db.algorithm, limit_bytes=graph_held.most // 2)
            stated = sort_graph(graph, db.algorithm, graph_held)
            del graph
            yield from ((paths[-1], what) for what in _compare_commits(stated, load_every_commit(db, held)))
    except CorruptDataError as error:
        yield (Path(error.source) if error.source else paths[-1]), error.problem
    finally:
        graph_held.set(0)
        held.set(0)


def _compare_commits(stated: LoadedColumns, known: LoadedColumns) -> Iterator[str]:
    size = len(stated.oids) // max(1, len(stated.times))
    rows = np.frombuffer(find_ids(known.oids, stated.oids, size), np.int64) if len(stated.times) else np.zeros(0, np.int64)
    there = np.flatnonzero(rows >= 0)
    yield from _tell(stated, np.flatnonzero(rows < 0), "is not there")
    if not there.size:
        return
    trees, known_trees = (np.frombuffer(columns.trees, np.uint8).reshape(-1, size) for columns in (stated, known))
    yield from _tell(stated, there[np.any(trees[there] != known_trees[rows[there]], axis=1)], "has another tree")
    yield from _tell(stated, there[stated.times[there] != known.times[rows[there]]], "has another time")
    counts, known_counts = np.diff(stated.parent_starts)[there], np.diff(known.parent_starts)[rows[there]]
    alike = counts == known_counts
    parents = _each(stated.parent_starts[there[alike]], counts[alike], stated.parents)
    others = _each(known.parent_starts[rows[there[alike]]], counts[alike], known.parents)
    differ = np.where(parents < 0, -1, rows[parents]) != np.where(others < 0, -1, others)
    owners = np.repeat(there[alike], counts[alike])
    yield from _tell(stated, np.union1d(there[~alike], owners[differ]), "has other parents")


def _each(
    starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], values: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the *values* from each of *starts* on, *counts* of them, end to end."""
    within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    found: npt.NDArray[np.int64] = values[np.repeat(starts, counts) + within]
    return found


def _tell(stated: LoadedColumns, rows: npt.NDArray[np.int64], what: str) -> Iterator[str]:
    if rows.size:
        more = f", nor do {rows.size - 1:,} more hold" if rows.size > 1 else ""
        yield f"commit {stated.oid(int(rows[0])).hex()} {what}{more}"
