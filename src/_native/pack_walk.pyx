"""The decode-once walk of a pack: every entry inflated once and applied once, along the tree of deltas.

One forest of headers serves any number of walkers, each of one thread at a time; they share the work by claiming segments.
Entries that cannot be decoded are reported one by one and never stop the walk.
"""
cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport PyThread_allocate_lock, PyThread_free_lock
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from arena cimport Arena, arena_capsule_name
from inflate_api cimport InflateApi, inflate_capsule_name
from pack_entry cimport PackView, bounded, view_pack
from pack_faults cimport BASE_ELSEWHERE, NO_MEMORY, TOO_LARGE, fault_text
from pack_forest cimport HEADER_WINDOW, Forest, close_forest, open_forest, resolve_kinds, scan_headers
from walk_plan cimport Plan, close_plan, make_plan
from walk_run cimport run
from walk_state cimport BLOCK_SMALL, DONE, SEGMENT_DONE, Walk, close_walk, leave_block, name_of_rank, open_columns, pop

from siltstone.core.errors import ConfigError

cdef enum:
    MOST_SPARES = 8             # buffers of past blocks that a forest keeps for the next ones


@cython.final
cdef class _Spares:
    """Buffers of one size that went out of use; fresh memory costs the system a page fault for each 4 KiB."""

    cdef uint8_t* _kept[MOST_SPARES]
    cdef int _count
    cdef Py_ssize_t _size

    def __dealloc__(self):
        while self._count:
            self._count -= 1
            free(self._kept[self._count])

    cdef uint8_t* take(self, Py_ssize_t size):
        cdef uint8_t* data = NULL
        with cython.critical_section(self):
            if self._count and self._size == size:
                self._count -= 1
                data = self._kept[self._count]
        return data if data is not NULL else <uint8_t*>malloc(<size_t>size)

    cdef void give(self, uint8_t* data, Py_ssize_t size):
        with cython.critical_section(self):
            if size != self._size:
                while self._count:
                    self._count -= 1
                    free(self._kept[self._count])
                self._size = size
            if self._count < MOST_SPARES:
                self._kept[self._count] = data
                self._count += 1
                data = NULL
        free(data)


@cython.final
@cython.no_gc                       # a collector that clears `_spares` first would leave nothing to give the memory back to
cdef class BlockBuffer:
    """The memory of one block: a read-only buffer that goes back to its forest when nothing looks at it any more."""

    cdef uint8_t* _data
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _used
    cdef _Spares _spares
    cdef bint _reusable

    def __dealloc__(self):
        if self._data is not NULL and self._reusable:
            self._spares.give(self._data, self._capacity)
        else:
            free(self._data)

    def __len__(self):
        return self._used

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self._data, self._used, 1, flags)

    def __releasebuffer__(self, Py_buffer* buffer):
        pass


cdef BlockBuffer _open_buffer(_Spares spares, Py_ssize_t capacity, bint reusable):
    cdef BlockBuffer buffer = BlockBuffer.__new__(BlockBuffer)
    buffer._spares = spares
    buffer._reusable = reusable
    buffer._capacity = capacity
    buffer._data = spares.take(capacity) if reusable else <uint8_t*>malloc(<size_t>capacity)
    if buffer._data is NULL:
        raise MemoryError
    return buffer


@cython.final
cdef class PackForest:
    """The headers of one pack and what is to be walked of it.  First `kinds`, then `select`, then walkers."""

    cdef PackView _pack
    cdef Forest _forest
    cdef Plan _plan
    cdef Py_ssize_t _running        # walkers inside a call; under the critical section
    cdef Py_ssize_t _selections
    cdef object _keep               # what the view points into
    cdef _Spares _spares
    cdef bint _borrowed             # the headers belong to another forest, which `_keep` holds
    cdef object __weakref__

    def __cinit__(self, const uint8_t[::1] names not None, const uint32_t[::1] fanout not None,
                  const uint64_t[::1] offsets not None, const uint32_t[::1] order not None,
                  const uint32_t[::1] ranks not None, *, Py_ssize_t id_size, Py_ssize_t end, int descriptor,
                  PackForest headers=None):
        """*descriptor* must stay open as long as a walk; the rest as in `PackReader`.

        Reads every entry header, or takes them from *headers*, a forest of the same tables, which may be at work.
        """
        cdef uint8_t* window
        if not view_pack(&self._pack, names, fanout, offsets, order, ranks, id_size, end):
            raise ConfigError("names, fan-out, offsets, order and ranks do not agree", field="names")
        self._keep = (names, fanout, offsets, order, ranks, headers)
        self._spares = _Spares()
        self._pack.descriptor = descriptor
        self._plan.lock = PyThread_allocate_lock()
        if self._plan.lock is NULL:
            raise MemoryError
        if headers is not None:
            if headers._pack.offsets != self._pack.offsets or headers._pack.count != self._pack.count:
                raise ConfigError("headers of other tables", field="headers")
            self._forest = headers._forest
            self._borrowed = True
            return
        if not open_forest(&self._forest, self._pack.count):
            raise MemoryError
        window = <uint8_t*>malloc(HEADER_WINDOW)
        if window is NULL:
            raise MemoryError
        with nogil:
            scan_headers(&self._pack, &self._forest, window)
            resolve_kinds(&self._pack, &self._forest)
        free(window)

    def __dealloc__(self):
        close_plan(&self._plan)
        if not self._borrowed:
            close_forest(&self._forest)
        if self._plan.lock is not NULL:
            PyThread_free_lock(self._plan.lock)

    def kinds(self):
        """Return one byte for each entry in pack order: its kind, or 0 where it is not known (`faults` says why)."""
        return PyBytes_FromStringAndSize(<char*>self._forest.kinds, self._pack.count)

    def faults(self):
        """Return ``(rank, text, elsewhere)`` for each entry of unknown kind; *elsewhere*: valid, its base is not here."""
        cdef Py_ssize_t rank
        return [
            (rank, (<bytes>fault_text(self._forest.status[rank])).decode(), self._forest.status[rank] == BASE_ELSEWHERE)
            for rank in range(self._pack.count) if self._forest.status[rank] < 0
        ]

    def select(self, const uint8_t[::1] wanted not None, *, Py_ssize_t segment_bytes=1 << 24, bint children=False):
        """Plan a walk over the entries whose byte in *wanted* (one for each, in pack order) is not 0.

        Segments are claimed by one walker each and hold about *segment_bytes* of content; *children*: count, for walkers
        with deltas, how many objects of a segment are based on each other one.
        """
        cdef const uint8_t* marks = &wanted[0] if wanted.shape[0] else NULL
        cdef bint made
        if wanted.shape[0] != self._pack.count:
            raise ConfigError(f"{self._pack.count} entries, {wanted.shape[0]} marks", field="wanted")
        if segment_bytes <= 0:
            raise ConfigError("a segment has at least one byte", field="segment_bytes")
        with cython.critical_section(self):
            if self._running:
                raise ConfigError("walkers are at work", field="forest")
            self._running = -1
        with nogil:
            made = make_plan(&self._plan, &self._forest, self._pack.count, marks, segment_bytes, children)
        self._selections += 1
        self._running = 0
        if not made:
            raise MemoryError

    cdef Py_ssize_t enter(self) except -1:
        """Begin a call of a walker; return which selection it works for."""
        cdef bint refused
        with cython.critical_section(self):
            refused = self._running < 0
            if not refused:
                self._running += 1
        if refused:
            raise ConfigError("the forest is planning a walk", field="forest")
        return self._selections

    cdef void leave(self):
        with cython.critical_section(self):
            self._running -= 1


@cython.final
cdef class PackWalker:
    """One worker of a walk over a forest: `next_block` until it returns None."""

    cdef Walk _walk
    cdef PackForest _forest
    cdef object _capsules           # keep the functions of the inflater, and the arena
    cdef Py_ssize_t _selection
    cdef bint _busy

    def __cinit__(self, PackForest forest not None, *, Py_ssize_t limit_bytes, Py_ssize_t live_bytes, inflate,
                  arena=None, bint deltas=False):
        """*limit_bytes* bounds one object, *live_bytes* the bases kept beside the one in use, *arena* (a capsule) takes
        those that do not fit; *deltas*: hand out too how each object comes from its base."""
        if limit_bytes <= 0 or live_bytes < 0:
            raise ConfigError("limits are positive", field="limit_bytes")
        self._forest = forest
        self._walk.pack = &forest._pack
        self._walk.forest = &forest._forest
        self._walk.plan = &forest._plan
        self._walk.object_limit = bounded(limit_bytes)
        self._walk.live_limit = bounded(live_bytes)
        self._walk.api = <InflateApi*>PyCapsule_GetPointer(inflate, inflate_capsule_name())
        if arena is not None:
            self._walk.arena = <Arena*>PyCapsule_GetPointer(arena, arena_capsule_name())
            if self._walk.arena.id_size != forest._pack.id_size:
                raise ConfigError("arena and pack name objects differently", field="arena")
        self._capsules = (inflate, arena)
        self._walk.inflater = self._walk.api.open()
        if self._walk.inflater is NULL or not open_columns(&self._walk, deltas):
            raise MemoryError

    def __dealloc__(self):
        close_walk(&self._walk)

    @property
    def peak_bytes(self):
        """The most bytes of bases that were held at once, outside of blocks."""
        return self._walk.live_peak

    @property
    def revived(self):
        """How often a dropped base was made again."""
        return self._walk.revived

    @property
    def remade(self):
        """How many entries were decoded once more for that."""
        return self._walk.remade

    @property
    def spilled(self):
        """How many bases went to the arena."""
        return self._walk.spilled

    @property
    def spill_reads(self):
        """How many bases came back from it."""
        return self._walk.spill_reads

    def next_block(self, Py_ssize_t block_bytes, *, bint in_order=False):
        """Return ``(buffer, starts, ends, kinds, oids, first, segment, deltas)`` of the next objects, None after the last.

        *buffer* holds the contents; starts and ends are int64 and kinds uint8, as bytearrays in native order; oids are
        packed.  *first* counts the objects this walker gave before.  *deltas* is None or ``(data, ends, bases, children)``:
        instructions end to end, int64 ends, int64 number of the base (-1: none was given) and int32 count of the objects
        of this segment that come later and name this one.  *in_order*: a block ends where its segment ends, ~*segment*
        instead of *segment* says that it did, and the block may then be empty.
        """
        cdef BlockBuffer buffer
        cdef Py_ssize_t capacity = block_bytes
        cdef int status
        if block_bytes <= 0:
            raise ConfigError("a block has at least one byte", field="block_bytes")
        self._enter_python()
        try:
            while True:
                buffer = _open_buffer(self._forest._spares, capacity, capacity == block_bytes)
                self._walk.block, self._walk.capacity = buffer._data, capacity
                self._walk.used = self._walk.count = self._walk.deltas_used = 0
                with nogil:
                    status = run(&self._walk, in_order)
                    leave_block(&self._walk)
                if status != BLOCK_SMALL:
                    break
                capacity = self._walk.need
            if status == NO_MEMORY:
                raise MemoryError
            if status == DONE and self._walk.count == 0:
                return None
            buffer._used = self._walk.used
            return (buffer, *self._columns(), ~self._walk.segment if status == SEGMENT_DONE else self._walk.segment,
                    self._delta_columns() if self._walk.with_deltas else None)
        finally:
            self._walk.handed += self._walk.count
            self._walk.block = NULL
            self._leave_python()

    def take_faults(self):
        """Return ``(rank, text, too_large)`` of the selected entries that could not be decoded since the last call."""
        cdef Py_ssize_t i
        self._enter_python()        # the walk moves the list as it grows
        try:
            found = [
                (self._walk.gone[i].rank, (<bytes>fault_text(self._walk.gone[i].fault)).decode(), self._walk.gone[i].fault == TOO_LARGE)
                for i in range(self._walk.gone_count)
            ]
            self._walk.gone_count = 0
            return found
        finally:
            self._leave_python()

    cdef int _enter_python(self) except -1:
        cdef Py_ssize_t selection
        with cython.critical_section(self):
            if self._busy:
                raise ConfigError("a walker serves one thread at a time", field="walker")
            self._busy = True
        try:
            selection = self._forest.enter()
        except ConfigError:
            self._busy = False
            raise
        if selection != self._selection:
            while self._walk.depth:
                pop(&self._walk)
            self._selection = selection
            self._walk.at = self._walk.stop = 0
            self._walk.handed = 0
        return 0

    cdef void _leave_python(self):
        self._forest.leave()
        self._busy = False

    cdef tuple _columns(self):
        cdef Py_ssize_t i, id_size = self._walk.pack.id_size
        cdef uint8_t* kinds
        cdef uint8_t* names
        starts = PyByteArray_FromStringAndSize(<char*>self._walk.starts, self._walk.count * <Py_ssize_t>sizeof(int64_t))
        ends = PyByteArray_FromStringAndSize(<char*>self._walk.ends, self._walk.count * <Py_ssize_t>sizeof(int64_t))
        kinds_column = PyByteArray_FromStringAndSize(NULL, self._walk.count)
        oids = PyBytes_FromStringAndSize(NULL, self._walk.count * id_size)
        kinds = <uint8_t*>PyByteArray_AS_STRING(kinds_column)
        names = <uint8_t*><char*>oids
        for i in range(self._walk.count):
            kinds[i] = self._walk.forest.kinds[self._walk.ranks[i]]
            memcpy(names + i * id_size, name_of_rank(&self._walk, self._walk.ranks[i]), <size_t>id_size)
        return starts, ends, kinds_column, oids, self._walk.handed

    cdef tuple _delta_columns(self):
        cdef Py_ssize_t i, wide = self._walk.count * <Py_ssize_t>sizeof(int64_t)
        cdef int32_t* later
        children = PyByteArray_FromStringAndSize(NULL, self._walk.count * <Py_ssize_t>sizeof(int32_t))
        later = <int32_t*>PyByteArray_AS_STRING(children)
        for i in range(self._walk.count):
            later[i] = self._walk.plan.children[self._walk.ranks[i]] if self._walk.plan.children is not NULL else 0
        return (PyBytes_FromStringAndSize(<char*>self._walk.deltas.data, self._walk.deltas_used),
                PyByteArray_FromStringAndSize(<char*>self._walk.delta_ends, wide),
                PyByteArray_FromStringAndSize(<char*>self._walk.bases, wide), children)
