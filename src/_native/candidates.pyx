"""The candidates of a history: which blobs each commit adds or changes against its parents, as columns.

A walker serves one thread at a time; several walkers over one database share its indexes and nothing else.
"""
cimport cython
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, malloc
from libc.string cimport memcpy

from arena cimport Arena, arena_capsule_name
from candidate_rows cimport MOST_PATH, NOTE_NEW_DAMAGED, NOTE_OLD_DAMAGED, Note, close_rows, open_rows
from candidate_walk cimport MOST_FOLDERS, ROWS_FULL, Folder, Walk, close_walk, run_walk
from inflate_api cimport InflateApi, inflate_capsule_name
from pack_entry cimport PackView, bounded, view_pack
from pack_faults cimport NO_MEMORY
from tree_cache cimport open_tree_cache
from tree_record cimport tree_fault_text
from tree_source cimport IN_ARENA, NO_TREE, STOPPED, close_source
from tree_window cimport SMALLEST_RING

from siltstone.core.errors import ConfigError

cdef enum:
    MOST_PACKS = 1 << 10


cdef int _ask(void* asker, const uint8_t* id, uint8_t** data, Py_ssize_t* size) noexcept with gil:
    return (<CandidateWalker>asker)._ask_python(id, data, size)


@cython.final
cdef class CandidateWalker:
    """Compares the root trees of commits with those of their parents. First `begin`, then `next_block` until it says done."""

    cdef Walk _walk
    cdef object _keep           # what the pointers of the walk point into
    cdef object _commits        # the same, of the range at hand
    cdef object _find           # called for what no pack gives
    cdef object _failure        # what it raised
    cdef Py_ssize_t _history
    cdef bint _busy

    def __cinit__(self, list packs not None, const uint8_t[::1] trees not None, const int64_t[::1] parents not None,
                  const int64_t[::1] parent_starts not None, *, Py_ssize_t id_size, bint all_parents,
                  Py_ssize_t limit_bytes, Py_ssize_t cache_bytes, Py_ssize_t rows, Py_ssize_t path_bytes, Py_ssize_t stream_bytes, find, inflate, arena=None):
        """*packs* are ``(names, fanout, offsets, order, ranks, end, descriptor)``, whose descriptors must stay open.

        *trees*, *parents* and *parent_starts* are columns of a history.  *limit_bytes* bounds one tree that is decoded
        here, *cache_bytes* those kept, *rows* and *path_bytes* a block.  Trees that leave go to *arena*, the capsule of a
        spill arena; those of more than *stream_bytes* are read there through a buffer.  ``find(oid)`` is asked for a tree
        that no pack gives, or of more than *limit_bytes*: it returns the content, None, or True once the arena has it; it is
        called from the thread that walks, and what it raises ends the walk.
        """
        cdef Py_ssize_t i
        self._check_settings(id_size, limit_bytes, cache_bytes, rows, path_bytes)
        self._check_history(trees, parents, parent_starts, id_size)
        self._walk.source.id_size = id_size
        self._walk.source.limit = bounded(limit_bytes)
        self._walk.source.stream_size = bounded(max(0, stream_bytes))
        if arena is not None:
            self._walk.source.arena = <Arena*>PyCapsule_GetPointer(arena, arena_capsule_name())
        self._walk.source.ask = _ask
        self._walk.source.asker = <void*>self
        self._walk.all_parents = all_parents
        self._find = find
        self._keep = [trees, parents, parent_starts, inflate, arena, packs]
        if trees.shape[0]:
            self._walk.trees = &trees[0]
        if parents.shape[0]:
            self._walk.parents = &parents[0]
        self._walk.parent_starts = &parent_starts[0]
        self._walk.source.api = <InflateApi*>PyCapsule_GetPointer(inflate, inflate_capsule_name())
        self._walk.source.inflater = self._walk.source.api.open()
        self._walk.source.packs = <PackView*>calloc(len(packs) + 1, sizeof(PackView))
        self._walk.folders = <Folder*>calloc(MOST_FOLDERS + 1, sizeof(Folder))
        self._walk.rings = <uint8_t*>malloc(2 * SMALLEST_RING)
        if (self._walk.source.inflater is NULL or self._walk.source.packs is NULL or self._walk.folders is NULL
                or self._walk.rings is NULL or not open_tree_cache(&self._walk.source.cache, cache_bytes, id_size, <uint64_t><int64_t>hash("trees"))
                or not open_rows(&self._walk.rows, rows, path_bytes, id_size)):
            raise MemoryError
        for i in range(len(packs)):
            names, fanout, offsets, order, ranks, end, descriptor = packs[i]
            self._add_pack(i, names, fanout, offsets, order, ranks, end, descriptor)

    def __dealloc__(self):
        close_walk(&self._walk)
        close_rows(&self._walk.rows)
        close_source(&self._walk.source)

    cdef int _check_settings(self, Py_ssize_t id_size, Py_ssize_t limit_bytes, Py_ssize_t cache_bytes, Py_ssize_t rows,
                             Py_ssize_t path_bytes) except -1:
        if id_size != 20 and id_size != 32:
            raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
        if limit_bytes <= 0 or cache_bytes <= 0:
            raise ConfigError("limits are positive", field="limit_bytes")
        if not 0 < rows < 1 << 28 or not MOST_PATH <= path_bytes < 1 << 40:
            raise ConfigError(f"a block has a row and {MOST_PATH} bytes of paths at least", field="rows")
        return 0

    cdef int _check_history(self, const uint8_t[::1] trees, const int64_t[::1] parents, const int64_t[::1] parent_starts,
                            Py_ssize_t id_size) except -1:
        """Hold the columns to each other: the walk follows them without looking."""
        cdef Py_ssize_t count = parent_starts.shape[0] - 1, i
        if count < 0 or count >= <Py_ssize_t>1 << 31 or trees.shape[0] != count * id_size or parent_starts[0] != 0:
            raise ConfigError("columns of a history do not agree", field="trees")
        for i in range(count):
            if parent_starts[i] > parent_starts[i + 1]:
                raise ConfigError("columns of a history do not agree", field="parent_starts")
        if parent_starts[count] != parents.shape[0]:
            raise ConfigError("columns of a history do not agree", field="parents")
        for i in range(parents.shape[0]):
            if parents[i] >= count:
                raise ConfigError("columns of a history do not agree", field="parents")
        self._history = count
        return 0

    cdef int _add_pack(self, Py_ssize_t at, const uint8_t[::1] names, const uint32_t[::1] fanout,
                       const uint64_t[::1] offsets, const uint32_t[::1] order, const uint32_t[::1] ranks, int64_t end,
                       int descriptor) except -1:
        cdef PackView* pack = &self._walk.source.packs[at]
        if not view_pack(pack, names, fanout, offsets, order, ranks, self._walk.source.id_size, end):
            raise ConfigError("names, fan-out, offsets, order and ranks do not agree", field="packs")
        pack.descriptor = descriptor
        self._walk.source.pack_count = at + 1
        return 0

    cdef int _ask_python(self, const uint8_t* id, uint8_t** data, Py_ssize_t* size) noexcept:
        cdef const uint8_t[::1] content
        try:
            found = self._find(id[:self._walk.source.id_size])
            if found is None:
                return NO_TREE
            if found is True:
                return IN_ARENA
            content = found
            data[0] = <uint8_t*>malloc(content.shape[0] + 1)
            if data[0] is NULL:
                return NO_MEMORY
            size[0] = content.shape[0]
            if content.shape[0]:
                memcpy(data[0], &content[0], content.shape[0])
            return 0
        except BaseException as failure:  # handed on by next_block
            self._failure = failure
            return STOPPED

    @property
    def counters(self):
        """What was done so far, by name."""
        return {
            "trees.read": self._walk.source.reads, "trees.kept": self._walk.source.hits,
            "trees.inflated": self._walk.source.inflated, "trees.asked": self._walk.source.asked,
            "trees.diffs": self._walk.diffs, "trees.spilled": self._walk.source.spilled,
            "trees.spill_reads": self._walk.source.spill_reads, "trees.streamed": self._walk.source.streamed,
        }

    @property
    def peak_bytes(self):
        """The most bytes of trees that were kept at once."""
        return self._walk.source.cache.peak

    def begin(self, const int64_t[::1] commits not None):
        """Take a range: rows of the history, compared in this order. The array must not change until it is done."""
        cdef Py_ssize_t i
        for i in range(commits.shape[0]):
            if not 0 <= commits[i] < self._history:
                raise ConfigError(f"row {commits[i]} is outside the history", field="commits")
        self._enter_python()
        self._commits = commits
        self._walk.commits = &commits[0] if commits.shape[0] else NULL
        self._walk.commit_count = commits.shape[0]
        self._walk.commit_at = self._walk.parent_at = self._walk.depth = 0
        self._busy = False

    def next_block(self):
        """Return ``(done, columns, notes)``: what follows in the range, a full block or less.

        *columns* are commits, parents, indexes (int32), changes (uint8), modes (uint32), path ends (int64), blobs and
        paths, as bytearrays in native order.  *notes* are ``(kind, id, path, offset, text)`` of what was left out.
        """
        cdef int status
        self._enter_python()
        try:
            self._walk.rows.count = self._walk.rows.path_used = self._walk.rows.note_count = self._walk.rows.note_used = 0
            with nogil:
                status = run_walk(&self._walk)
            if status == STOPPED:
                failure, self._failure = self._failure, None
                raise failure
            if status < 0:
                raise MemoryError
            return status != ROWS_FULL, self._columns(), [self._note(i) for i in range(self._walk.rows.note_count)]
        finally:
            self._busy = False

    cdef int _enter_python(self) except -1:
        with cython.critical_section(self):
            if self._busy:
                raise ConfigError("a walker serves one thread at a time", field="walker")
            self._busy = True
        return 0

    cdef tuple _columns(self):
        cdef Py_ssize_t count = self._walk.rows.count
        return (
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.commits, count * <Py_ssize_t>sizeof(int32_t)),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.parents, count * <Py_ssize_t>sizeof(int32_t)),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.indexes, count * <Py_ssize_t>sizeof(int32_t)),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.changes, count),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.modes, count * <Py_ssize_t>sizeof(uint32_t)),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.path_ends, count * <Py_ssize_t>sizeof(int64_t)),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.blobs, count * self._walk.rows.id_size),
            PyByteArray_FromStringAndSize(<char*>self._walk.rows.paths, self._walk.rows.path_used),
        )

    cdef tuple _note(self, Py_ssize_t at):
        cdef Note* note = &self._walk.rows.notes[at]
        cdef bint damaged = note.kind == NOTE_OLD_DAMAGED or note.kind == NOTE_NEW_DAMAGED
        return (
            note.kind, PyBytes_FromStringAndSize(<char*>note.id, self._walk.rows.id_size),
            PyBytes_FromStringAndSize(<char*>self._walk.rows.note_paths + note.path_start, note.path_size), note.offset,
            (<bytes>tree_fault_text(note.detail)).decode() if damaged else "",
        )
