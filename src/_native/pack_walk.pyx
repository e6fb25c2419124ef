"""The decode-once walk of a pack: every entry inflated once and applied once, along the tree of deltas.

Entries that cannot be decoded are reported one by one and never stop the walk.  A walker serves one thread at a time.
"""
cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from inflate_api cimport InflateApi, inflate_capsule_name
from pack_entry cimport bounded, view_pack
from pack_faults cimport BASE_ELSEWHERE, TOO_LARGE, fault_text
from pack_forest cimport HEADER_WINDOW, close_forest, open_forest, resolve_kinds, scan_headers, select_entries
from walk_state cimport BLOCK_SMALL, DONE, MOST_ITEMS, Walk, close_walk, leave_block, pop, run

from siltstone.core.errors import ConfigError


@cython.final
cdef class PackWalker:
    """One walk over one pack.  First `kinds`, then `select`, then `next_block` until it returns None."""

    cdef Walk _walk
    cdef object _keep, _capsule     # what the walk points into
    cdef bint _busy

    def __cinit__(self, const uint8_t[::1] names not None, const uint32_t[::1] fanout not None,
                  const uint64_t[::1] offsets not None, const uint32_t[::1] order not None,
                  const uint32_t[::1] ranks not None, *, Py_ssize_t id_size, Py_ssize_t end, int descriptor,
                  Py_ssize_t limit_bytes, Py_ssize_t live_bytes, inflate):
        """*descriptor* must stay open as long as the walk; *limit_bytes* bounds one object, *live_bytes* the bases kept
        beside the one in use; the rest as in `PackReader`.  Reads every entry header."""
        cdef bint ready
        cdef uint8_t* window
        if limit_bytes <= 0 or live_bytes < 0:
            raise ConfigError("limits are positive", field="limit_bytes")
        if not view_pack(&self._walk.pack, names, fanout, offsets, order, ranks, id_size, end):
            raise ConfigError("names, fan-out, offsets, order and ranks do not agree", field="names")
        self._keep = (names, fanout, offsets, order, ranks)
        self._walk.pack.descriptor = descriptor
        self._walk.object_limit = bounded(limit_bytes)
        self._walk.live_limit = bounded(live_bytes)
        self._walk.api = <InflateApi*>PyCapsule_GetPointer(inflate, inflate_capsule_name())
        self._capsule = inflate
        self._walk.inflater = self._walk.api.open()
        self._walk.starts = <int64_t*>malloc(MOST_ITEMS * sizeof(int64_t))
        self._walk.ends = <int64_t*>malloc(MOST_ITEMS * sizeof(int64_t))
        self._walk.ranks = <int32_t*>malloc(MOST_ITEMS * sizeof(int32_t))
        ready = open_forest(&self._walk.forest, self._walk.pack.count)
        if not ready or not self._walk.inflater or not self._walk.starts or not self._walk.ends or not self._walk.ranks:
            raise MemoryError
        window = <uint8_t*>malloc(HEADER_WINDOW)
        if window is NULL:
            raise MemoryError
        with nogil:
            scan_headers(&self._walk.pack, &self._walk.forest, window)
            resolve_kinds(&self._walk.pack, &self._walk.forest)
        free(window)
        self._walk.root = self._walk.pack.count

    def __dealloc__(self):
        close_forest(&self._walk.forest)
        close_walk(&self._walk)

    @property
    def peak_bytes(self):
        """The most bytes of bases that were held at once, outside of blocks."""
        return self._walk.live_peak

    @property
    def revived(self):
        """How often a dropped base was made again."""
        return self._walk.revived

    def kinds(self):
        """Return one byte for each entry in pack order: its kind, or 0 where it is not known (`faults` says why)."""
        return PyBytes_FromStringAndSize(<char*>self._walk.forest.kinds, self._walk.pack.count)

    def faults(self):
        """Return ``(rank, text, elsewhere)`` for each entry of unknown kind; *elsewhere*: valid, its base is not here."""
        cdef Py_ssize_t rank
        return [
            (rank, (<bytes>fault_text(self._walk.forest.status[rank])).decode(), self._walk.forest.status[rank] == BASE_ELSEWHERE)
            for rank in range(self._walk.pack.count) if self._walk.forest.status[rank] < 0
        ]

    def select(self, const uint8_t[::1] wanted not None):
        """Begin a walk over the entries whose byte in *wanted* (one for each, in pack order) is not 0."""
        cdef const uint8_t* marks = &wanted[0] if wanted.shape[0] else NULL
        if wanted.shape[0] != self._walk.pack.count:
            raise ConfigError(f"{self._walk.pack.count} entries, {wanted.shape[0]} marks", field="wanted")
        self._enter_python()
        while self._walk.depth:
            pop(&self._walk)
        if self._walk.pack.count:
            with nogil:
                select_entries(&self._walk.pack, &self._walk.forest, marks)
        self._walk.root = 0
        self._busy = False

    def next_block(self, Py_ssize_t block_bytes):
        """Return ``(buffer, starts, ends, kinds, oids)`` of the next objects, or None after the last one.

        *buffer* is a bytearray of at least *block_bytes*, or of the size of one larger object; starts and ends are
        int64 and kinds uint8, as bytearrays in native order; oids are packed.  The caller owns all of them.
        """
        cdef Py_ssize_t capacity = block_bytes
        cdef int status
        if block_bytes <= 0:
            raise ConfigError("a block has at least one byte", field="block_bytes")
        self._enter_python()
        try:
            while True:
                buffer = PyByteArray_FromStringAndSize(NULL, capacity)
                self._walk.block = <uint8_t*>PyByteArray_AS_STRING(buffer)
                self._walk.capacity, self._walk.used, self._walk.count = capacity, 0, 0
                with nogil:
                    status = run(&self._walk)
                    leave_block(&self._walk)
                if status != BLOCK_SMALL:
                    break
                capacity = self._walk.need
            if status < 0:
                raise MemoryError
            return None if status == DONE and self._walk.count == 0 else (buffer, *self._columns())
        finally:
            self._walk.block = NULL
            self._busy = False

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
            self._busy = False

    cdef int _enter_python(self) except -1:
        with cython.critical_section(self):
            if self._busy:
                raise ConfigError("a walker serves one thread at a time", field="walker")
            self._busy = True
        return 0

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
            memcpy(names + i * id_size, self._walk.pack.names + <Py_ssize_t>self._walk.pack.order[self._walk.ranks[i]] * id_size,
                   <size_t>id_size)
        return starts, ends, kinds_column, oids
